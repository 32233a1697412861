"""The one image of `make test`: built, and at work on a board of the host; all else about images is extended."""

import shutil
from pathlib import Path

import pytest

from sinehil.virtual import VirtualUno
from tests.container.wrapper import Wrapper

pytestmark = [pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]


def test_a_board_on_the_host_is_flashed_and_verified(
    rig: Wrapper, book_artifacts: Path, tmp_path: Path
) -> None:
    shutil.copytree(book_artifacts, rig.tree / "artifacts", dirs_exist_ok=True)
    with VirtualUno.start(link=tmp_path / "uno") as board:
        blank = rig.call("make", "docker-verify", f"PORT={board.port}")
        assert blank.returncode != 0 and "PASS" not in blank.stdout, "the control"
        flashed = rig.call("make", "docker-flash", f"PORT={board.port}")
        assert flashed.returncode == 0, flashed.stderr
        verified = rig.call("make", "docker-verify", f"PORT={board.port}")
        assert verified.returncode == 0 and "PASS  790 of 790" in verified.stdout, verified.stderr
