"""The one tree of expected failures, each class with its public exit code."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What scripts may rely on; see the table in README.md."""

    OK = 0
    FAIL = 1
    USAGE = 2
    LINK = 3
    IDENTITY = 4
    TOOL = 5
    ARTEFACT = 6
    QUALITY = 7
    INTERRUPTED = 130


class SinehilError(Exception):
    """An expected failure: what happened, and what to do next."""

    exit_code: ClassVar[ExitCode]

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class UsageError(SinehilError):
    """Options that make no sense together or for this model."""

    exit_code = ExitCode.USAGE


class LinkError(SinehilError):
    """No such port, no permission, no answer, port lost, or retries used up."""

    exit_code = ExitCode.LINK


class IdentityError(SinehilError):
    """The board is not running what it should: other sketch, protocol, model, oracle or damaged weights."""

    exit_code = ExitCode.IDENTITY


class ToolError(SinehilError):
    """An outside tool is missing or failed; ``output`` holds its own words."""

    exit_code = ExitCode.TOOL

    def __init__(self, message: str, next_step: str = "", output: str = "") -> None:
        super().__init__(message, next_step)
        self.output = output


class ArtefactError(SinehilError):
    """A file is missing, damaged, not what the manifest says, or a model that is not supported."""

    exit_code = ExitCode.ARTEFACT


class QualityError(SinehilError):
    """Training did not reach the quality gate."""

    exit_code = ExitCode.QUALITY


class InterruptionError(SinehilError):
    """Ctrl-C or SIGTERM in work that the same command takes up again; nothing that was done is lost."""

    exit_code = ExitCode.INTERRUPTED
