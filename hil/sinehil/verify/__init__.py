"""Compare a board with its interpreter; this file needs no NumPy. Imports virtual and below."""

from enum import StrEnum

DEFAULT_SEED = 137  # of what is sent to models with several inputs


class Mode(StrEnum):
    """Which inputs are compared."""

    EXHAUSTIVE = "exhaustive"
    TEST_SET = "test-set"
    SAMPLES = "samples"


class Verdict(StrEnum):
    """PASS: every comparison was made and every one was equal."""

    PASS = "PASS"  # noqa: S105 (not a password)
    FAIL = "FAIL"
