"""`make docker-...`, docker/sinehil.sh and compose.yaml, as people type them."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinehil import __version__
from sinehil.arduino.process import Finished
from sinehil.transport import SerialTransport
from sinehil.virtual import VirtualUno
from tests.conftest import Cli
from tests.container.engine import Engine
from tests.container.refusal import CannotRunError, refuse
from tests.container.wrapper import TARGETS, Wrapper, copy_tree
from tests.serial_over_tcp import SCHEMES, bridged

pytestmark = [pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]

SOMEBODY = 4321
BENCH = ("train", "flash", "verify")
TIMES = "{{.State.StartedAt}} {{.State.FinishedAt}}"
FINGERPRINT = """
set -e
sinehil compile > /dev/null
sha256sum build/*/out/*.hex /usr/local/bin/arduino-cli /usr/share/doc/sinehil/sbom.cdx.json /opt/sinehil/prebuilt/bin/*
"""
HEAVY = re.compile(r"install-debian-packages|python-packages|build\.sh|pip install|sbom")


@pytest.fixture
def board(tmp_path: Path) -> Iterator[VirtualUno]:
    with VirtualUno.start(link=tmp_path / "uno") as uno:
        yield uno


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that others reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def trained(images: Wrapper) -> Path:
    """The tree's artefact folder, filled by ``make docker-train``."""
    done = images.call("make", "docker-train")
    assert done.returncode == 0, done.stderr
    assert "sha256" in done.stdout
    return images.tree / "artifacts"


@pytest.fixture(scope="module")
def host_artifacts(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make train`` writes on this machine."""
    folder = tmp_path_factory.mktemp("host") / "artifacts"
    done = cli("train", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_artefact_is_the_host_s_byte_for_byte(trained: Path, host_artifacts: Path) -> None:
    in_container, on_host = contents(trained), contents(host_artifacts)
    assert len(on_host) >= 19 and any(name.endswith(".png") for name in on_host)
    assert in_container == on_host


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    "cpu",
    [
        {"OPENBLAS_CORETYPE": "Haswell", "TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
        {
            "OPENBLAS_CORETYPE": "Nehalem",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-FMA,-FMA4",
            "NPY_DISABLE_CPU_FEATURES": "{levels}",
        },
    ],
    ids=["avx2", "old"],
)
def test_every_artefact_is_the_same_on_another_cpu(
    engine: Engine, host_artifacts: Path, tmp_path: Path, cpu: dict[str, str]
) -> None:
    options = [f"--env={name}={value.format(levels=numpy_levels())}" for name, value in cpu.items()]
    options += ["--network=none", f"--volume={tmp_path}:/bench/artifacts", "--user=0"]
    engine.run("sinehil:train", "train", options=options)
    assert contents(tmp_path) == contents(host_artifacts)


def numpy_levels() -> str:
    """Return the names of the SIMD levels that NumPy would choose on this CPU, to be switched off."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name])


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


@pytest.fixture
def somebody(images: Wrapper, engine: Engine, public_folder: Path) -> Wrapper:
    """A user without any right but to use the engine's socket, whose home is ``public_folder``."""
    address = engine.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    socket = public_folder / "docker.sock"
    os.link(address, socket)  # the folder it is in is closed to others
    os.chown(public_folder, SOMEBODY, SOMEBODY)
    path = f"{Path(engine.client).parent}:{os.defpath}"
    at_home = images.having(HOME=str(public_folder), PATH=path, DOCKER_HOST=f"unix://{socket}")
    return at_home.as_user(SOMEBODY, socket.stat().st_gid)


def test_whoever_calls_owns_what_is_written(somebody: Wrapper, public_folder: Path) -> None:
    done = somebody("train", "train", cwd=public_folder)
    assert done.returncode == 0, done.stderr
    written = list((public_folder / "artifacts").rglob("*"))
    assert len(written) >= 19 and {path.stat().st_uid for path in written} == {SOMEBODY}


def test_a_folder_that_cannot_be_written(somebody: Wrapper, public_folder: Path) -> None:
    os.chown(public_folder, 0, 0)
    done = somebody("train", "train", cwd=public_folder)
    assert done.returncode == 6 and done.stderr.startswith(
        f"sinehil: cannot make {public_folder}/artifacts\n"
    )


def test_no_permission_for_the_engine(somebody: Wrapper, public_folder: Path) -> None:
    done = somebody.as_user(SOMEBODY)("train", "train", cwd=public_folder)
    assert done.returncode == 5, done.stderr
    assert "no permission to use the container engine's socket" in done.stderr and "usermod" in done.stderr


def test_no_docker_at_all(images: Wrapper, tmp_path: Path) -> None:
    for name in ("bash", "sed", "dirname", "git"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = images.having(PATH=str(tmp_path))("train", "train")
    assert (
        done.returncode == 5 and "there is no container engine" in done.stderr and "make demo" in done.stderr
    )


def test_an_engine_that_does_not_answer(images: Wrapper, tmp_path: Path) -> None:
    done = images.having(DOCKER_HOST=f"unix://{tmp_path}/nothing.sock")("train", "train")
    assert done.returncode == 5 and "the container engine does not answer" in done.stderr


def test_an_engine_without_buildkit(images: Wrapper, engine: Engine, tmp_path: Path) -> None:
    """The real client and engine, held to the classic builder, as a client without its plugin is."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\nDOCKER_BUILDKIT=0 exec {engine.client} "$@"\n')
    docker.chmod(0o755)
    path = f"{tmp_path}:{images.environment['PATH']}"
    done = images.having(PATH=path, DOCKER_BUILD_FLAGS="--no-cache")("rig", "--version")
    assert done.returncode == 5 and "builds without BuildKit" in done.stderr, done.stderr


def test_a_base_image_that_cannot_be_had(images: Wrapper) -> None:
    done = images.having(BASE_IMAGE="localhost/no-such:image")("rig", "--version")
    assert done.returncode == 5
    assert "sinehil: the base image localhost/no-such:image cannot be had\n  next: " in done.stderr


def test_a_build_that_fails_shows_the_engine_s_words(images: Wrapper, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path)
    (tree / "docker/debian-packages-image.txt").write_text("no-such-package\n")
    done = Wrapper(tree, images.environment)("rig", "--version")
    assert done.returncode == 5 and "no-such-package" in done.stderr
    assert "the image sinehil:rig could not be built\n  next: " in done.stderr


def test_ctrl_c_during_a_build(images: Wrapper) -> None:
    flags = f"{images.environment['DOCKER_BUILD_FLAGS']} --no-cache"
    script = subprocess.Popen(
        [images.tree / "docker/sinehil.sh", "rig", "--version"],
        cwd=images.tree,
        env={**images.environment, "DOCKER_BUILD_FLAGS": flags},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait = f"until pgrep --session {script.pid} --full 'docker build' > /dev/null; do sleep 0.05; done"
    subprocess.run(["bash", "-c", wait], timeout=60, check=True)
    os.killpg(script.pid, signal.SIGINT)
    _, said = script.communicate(timeout=120)
    assert script.returncode == 130 and said.startswith("sinehil: interrupted; the next build goes on")


@pytest.mark.parametrize("target", TARGETS)
def test_a_change_in_hil_rebuilds_only_the_last_layers(
    images: Wrapper, engine: Engine, tmp_path: Path, target: str
) -> None:
    tree = copy_tree(tmp_path)
    with (tree / "hil/sinehil/__init__.py").open("a") as file:
        file.write(f"# changed {uuid.uuid4()}\n")
    log = rebuilt(images, engine, tree, f"sinehil-changed:{target}", "--target", target).stderr
    engine.docker("rmi", f"sinehil-changed:{target}")
    steps = dict(re.findall(r"^#(\d+) (\[.*)$", log, re.MULTILINE))
    cached = set(re.findall(r"^#(\d+) CACHED$", log, re.MULTILINE))
    heavy = {number for number, text in steps.items() if HEAVY.search(text)}
    wheel = {number for number, text in steps.items() if "hatchling build" in text}
    assert len(heavy) >= 6 and heavy <= cached, log
    assert len(wheel) == 1 and not wheel & cached, log  # the control: something was built anew


def rebuilt(images: Wrapper, engine: Engine, tree: Path, tag: str, *options: object) -> Finished:
    """Build ``tree`` as docker/sinehil.sh does, under another name."""
    flags = shlex.split(images.environment["DOCKER_BUILD_FLAGS"])
    version = ("--build-arg", f"VERSION={__version__}", "--progress", "plain")
    words = (*flags, *version, *options, "--file", tree / "docker/Dockerfile")
    return engine.build(tree, tag, *words, base_image=images.environment["BASE_IMAGE"])


@pytest.mark.usefixtures("trained")
def test_building_again_from_nothing_gives_the_same(images: Wrapper, engine: Engine, tmp_path: Path) -> None:
    """Packages of every kind, arduino-cli, the board's programs, and the firmware that comes out."""
    tree = copy_tree(tmp_path)
    again = "sinehil-again:rig"
    rebuilt(images, engine, tree, again, "--no-cache", "--target", "rig")
    mount = ("--volume", f"{images.tree}/artifacts:/bench/artifacts:ro")
    found = [
        engine.run(image, "-c", FINGERPRINT, options=(*mount, "--network", "none", "--entrypoint", "bash"))
        for image in ("sinehil:rig", again)
    ]
    engine.docker("rmi", again)
    assert found[0].stdout.count("\n") >= 6 and found[0].stdout == found[1].stdout


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
