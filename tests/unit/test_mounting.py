"""Tests that need a mount: skipped where a container forbids it, failed in CI where it is broken."""

import pytest
from tests.conftest import not_mounted

REFUSED = "mount: /x: permission denied."  # as mount(8) says to root without CAP_SYS_ADMIN
BROKEN = "mount: /x: wrong fs type, bad option, bad superblock on tmpfs, or other error."


@pytest.mark.parametrize(
    ("ci", "words", "outcome"),
    [
        ("true", REFUSED, pytest.skip.Exception),
        ("true", BROKEN, pytest.fail.Exception),
        ("", BROKEN, pytest.skip.Exception),
    ],
)
def test_what_follows_from_a_failed_mount(
    monkeypatch: pytest.MonkeyPatch, ci: str, words: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="mount here: mount: /x"):
        not_mounted(words)
