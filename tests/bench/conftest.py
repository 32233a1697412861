"""A trained artefact folder and a flashed board, made once; the board is real where --port names one."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sinehil.base.folders import cache_dir
from sinehil.virtual import ControlClient, VirtualUno
from tests.conftest import Cli, made_once

DEADLINE_S = 60.0


@dataclass(frozen=True)
class Bench:
    """What a person at the bench has in front of them. ``control`` is None for a real board."""

    cli: Cli
    port: str
    artifacts: Path
    build: Path
    control: ControlClient | None

    def words(self) -> list[object]:
        return ["--artifacts", self.artifacts, "--build", self.build]


@pytest.fixture(scope="session")
def trained(book_artifacts: Path) -> Path:
    return book_artifacts


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="session")
def flash_image(cli: Cli, trained: Path, build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flash of a virtual board that `flash` has written through the bootloader; its build is in ``build``."""

    def flash(folder: Path) -> None:
        with VirtualUno.start(folder / "uno", folder / "flash.bin") as board:
            _flash(Bench(cli, board.port, trained, build, board.control))

    image = made_once(tmp_path_factory, "uno", flash) / "flash.bin"
    if not any(build.iterdir()):  # another process has made it, from a build folder of its own
        done = cli("compile", "--artifacts", trained, "--build", build)
        assert done.returncode == 0, done.stderr
    return image


@pytest.fixture(scope="package")
def flashed(
    request: pytest.FixtureRequest,
    cli: Cli,
    trained: Path,
    build: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Bench]:
    """The board under test with this model's firmware on it; a virtual one would keep running beside other tests."""
    real = request.config.getoption("--port")
    if real:
        yield _flash(Bench(cli, real, trained, build, None))
        return
    image: Path = request.getfixturevalue("flash_image")
    with _with_image(image, tmp_path_factory.mktemp("uno")) as board:
        yield Bench(cli, board.port, trained, build, board.control)


@pytest.fixture
def cache_without_kernels(tmp_path: Path) -> Path:
    """A cache with all tools that are built already, and no kernel."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for item in cache_dir().iterdir():
        if item.name != "kernels":
            (folder / item.name).symlink_to(item)
    return folder


@pytest.fixture
def virtual(cli: Cli, trained: Path, build: Path, tmp_path: Path) -> Iterator[Bench]:
    """A virtual board of one's own, blank, for tests that ill-treat it."""
    with VirtualUno.start(link=tmp_path / "uno") as board:
        yield Bench(cli, board.port, trained, build, board.control)


@pytest.fixture
def victim(cli: Cli, trained: Path, build: Path, flash_image: Path, tmp_path: Path) -> Iterator[Bench]:
    """The same with the firmware on it."""
    with _with_image(flash_image, tmp_path) as board:
        yield Bench(cli, board.port, trained, build, board.control)


def _with_image(image: Path, folder: Path) -> VirtualUno:
    """Start a virtual board with a copy of ``image`` as its flash."""
    return VirtualUno.start(folder / "uno", Path(shutil.copy(image, folder / "flash.bin")))


def _flash(bench: Bench) -> Bench:
    done = bench.cli("flash", "--port", bench.port, *bench.words())
    assert done.returncode == 0, done.stderr
    return bench


def until(condition: Callable[[], bool], what: str) -> None:
    """Return once ``condition`` holds; AssertionError naming ``what`` if it does not in time."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.005)
