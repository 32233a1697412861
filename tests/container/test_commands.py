"""`make docker-...`, docker/sinehil.sh and compose.yaml, as people type them."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinehil.board.transport import SerialTransport
from sinehil.virtual import VirtualUno
from tests import cpu
from tests.container.engine import Engine
from tests.container.refusal import CannotRunError, refuse
from tests.container.wrapper import Wrapper, copy_tree
from tests.serial_over_tcp import SCHEMES, bridged

pytestmark = [pytest.mark.extended, pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]

BENCH = ("train", "flash", "verify")
TIMES = "{{.State.StartedAt}} {{.State.FinishedAt}}"


@pytest.fixture
def board(tmp_path: Path) -> Iterator[VirtualUno]:
    with VirtualUno.start(link=tmp_path / "uno") as uno:
        yield uno


@pytest.fixture(scope="module")
def host_artifacts(book_artifacts: Path) -> Path:
    """What ``make train`` writes on this machine."""
    return book_artifacts


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_artefact_is_the_host_s_byte_for_byte(trained: Path, host_artifacts: Path) -> None:
    in_container, on_host = contents(trained), contents(host_artifacts)
    assert len(on_host) >= 19 and any(name.endswith(".png") for name in on_host)
    assert in_container == on_host


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    "settings", [cpu.AVX2, cpu.OLD | cpu.without_simd(cpu.simd_levels())], ids=["avx2", "old"]
)
def test_every_artefact_is_the_same_on_another_cpu(
    engine: Engine, host_artifacts: Path, tmp_path: Path, settings: dict[str, str]
) -> None:
    options = [f"--env={name}={value}" for name, value in settings.items()]
    options += ["--network=none", f"--volume={tmp_path}:/bench/artifacts", "--user=0"]
    engine.run("sinehil:train", "train", options=options)
    assert contents(tmp_path) == contents(host_artifacts)


def test_demo(images: Wrapper) -> None:
    done = images.call("make", "docker-demo")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^PASS  790 of 790 outputs equal", done.stdout, re.MULTILINE)
    assert (images.tree / "reports/demo/report.html").stat().st_uid == os.getuid()


@pytest.mark.usefixtures("trained")
def test_a_board_on_the_host_is_flashed_and_verified(images: Wrapper, board: VirtualUno) -> None:
    flashed = images.call("make", "docker-flash", f"PORT={board.port}")
    assert flashed.returncode == 0, flashed.stderr
    verified = images.call("make", "docker-verify", f"PORT={board.port}")
    assert verified.returncode == 0 and "PASS  790 of 790" in verified.stdout
    assert (images.tree / "reports/verify/report.json").exists()
    as_json = images("rig", "verify", "--port", board.port, "--mode", "test-set", "--json")
    assert json.loads(as_json.stdout)["verdict"] == "PASS"  # and nothing else on stdout


@pytest.mark.usefixtures("trained")
def test_a_board_without_the_sketch_does_not_pass(images: Wrapper, board: VirtualUno) -> None:
    done = images("rig", "verify", "--port", board.port)
    assert done.returncode in (3, 4) and "PASS" not in done.stdout


@pytest.mark.usefixtures("trained")
def test_a_port_that_does_not_exist(images: Wrapper) -> None:
    done = images("rig", "verify", "--port=/dev/ttyACM7")
    assert done.returncode == 3 and "sinehil: there is no port /dev/ttyACM7\n  next: " in done.stderr
    made = images.call("make", "docker-flash", "PORT=/dev/ttyACM7")
    assert made.returncode != 0 and "there is no port" in made.stderr and "Error 3" in made.stderr


@pytest.mark.usefixtures("trained")
def test_a_port_in_use(images: Wrapper, board: VirtualUno) -> None:
    with SerialTransport(board.port):
        done = images("rig", "verify", "-p", board.port)
    assert done.returncode == 3 and "is in use by another program\n  next: " in done.stderr


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_port_through_the_network(images: Wrapper, board: VirtualUno, scheme: str) -> None:
    images("rig", "flash", "--port", board.port)
    with bridged(board.port, scheme) as url:
        done = images("rig", "verify", "--port", url)
    assert done.returncode == 0 and f"on {url}" in done.stdout and "PASS" in done.stdout, done.stderr


def test_compose_trains_flashes_and_verifies_in_order(
    images: Wrapper, engine: Engine, board: VirtualUno, tmp_path: Path
) -> None:
    tree = copy_tree(tmp_path / "benchtree")
    for folder in ("artifacts", "build", "reports"):
        (tree / folder).mkdir()
    user = f"{os.getuid()}:{os.getgid()}"
    bench = images.having(PORT=os.path.realpath(board.port), SINEHIL_USER=user)
    words = (*compose(bench), "--profile", "bench")
    try:
        done = bench.call(*words, "up", "--no-build", cwd=tree)
        assert done.returncode == 0, done.stderr
        assert "PASS  790 of 790" in done.stdout
        times = [time for service in BENCH for time in lifetime(engine, tree.name, service)]
        assert times == sorted(times) and len(times) == 2 * len(BENCH)
    finally:
        bench.call(*words, "down", cwd=tree)


def compose(bench: Wrapper) -> tuple[str, ...]:
    """Docker's own plugin if it is there, else the program that Debian has."""
    if bench.call("docker", "compose", "version").returncode == 0:
        return ("docker", "compose")
    if shutil.which("docker-compose") is None:
        refuse(CannotRunError("there is no docker compose; install Debian's docker-compose"), os.environ)
    return ("docker-compose",)


def lifetime(engine: Engine, project: str, service: str) -> list[str]:
    """Return when a service's container started and ended; both sort as text."""
    labels = (f"label=com.docker.compose.{name}" for name in (f"project={project}", f"service={service}"))
    filters = [word for label in labels for word in ("--filter", label)]
    container = engine.docker("ps", "--all", "--quiet", *filters).stdout.strip()
    return engine.docker("inspect", "--format", TIMES, container).stdout.split()
