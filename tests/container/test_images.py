"""The two images: what is in them, what is not, and how they behave on their own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sinehil import __version__
from supply.check_licences import read_policy
from supply.debian_lock import firmware_differences, installed_versions, parse_lock
from supply.licences import copyleft_outside_debian, problems
from supply.sbom import Component, components
from tests.container.engine import ROOT, Engine
from tests.container.wrapper import SIZE_LIMITS_BYTES, TARGETS, Wrapper

pytestmark = [
    pytest.mark.extended,
    *(pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)),
    pytest.mark.usefixtures("images"),
]

BILL = "/usr/share/doc/sinehil/sbom.cdx.json"
NOTICE = "/usr/share/doc/sinehil/NOTICE.md"
# As strict as an image is promised to work: no network, nothing writable but /tmp, nobody's user, no capability.
STRICT = (
    *("--network", "none", "--read-only", "--tmpfs", "/tmp"),
    *("--user", "4321:4321", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)


def inspected(engine: Engine, target: str, template: str) -> str:
    return engine.docker("image", "inspect", "--format", template, f"sinehil:{target}").stdout.strip()


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that any user may write to."""
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_size(engine: Engine, target: str) -> None:
    size = int(inspected(engine, target, "{{.Size}}"))
    assert 100_000_000 < size <= SIZE_LIMITS_BYTES[target]


@pytest.mark.parametrize("target", TARGETS)
def test_labels_and_version(engine: Engine, target: str) -> None:
    labels = json.loads(inspected(engine, target, "{{json .Config.Labels}}"))
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.title"] == f"sinehil {target}"
    assert all(labels[f"org.opencontainers.image.{name}"] for name in ("description", "licenses", "revision"))
    assert engine.run(f"sinehil:{target}", "--version").stdout == f"sinehil {__version__}\n"


@pytest.mark.parametrize("target", TARGETS)
def test_structure(engine: Engine, target: str) -> None:
    """Files, metadata and commands, by container-structure-test."""
    program = Path(sys.executable).with_name("container-structure-test")
    folder = Path(__file__).parent
    configs = [folder / f"structure-{name}.yaml" for name in ("both", target)]
    words = [word for config in configs for word in ("--config", config)]
    done = subprocess.run(
        [program, "test", "--image", f"sinehil:{target}", *words],
        env=dict(engine.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Passes:\s+([1-9]\d*)", done.stdout) and re.search(r"Failures:\s+0", done.stdout)


@pytest.mark.parametrize("target", TARGETS)
def test_no_secret_cache_or_history_of_the_site(engine: Engine, images: Wrapper, target: str) -> None:
    """What a build was given of the site is in no layer's command, and no path of this machine in any file."""
    history = engine.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", f"sinehil:{target}").stdout
    assert str(images.tree) not in history and "ca-certificates.crt" not in history
    search = (
        "grep -rlsE 'sinehil-test|/stage/|/src/sinehil' /opt/sinehil/prebuilt /opt/sinehil/bin /etc || true"
    )
    found = engine.run(f"sinehil:{target}", "-c", search, options=("--entrypoint", "sh"))
    assert found.stdout == ""


@pytest.fixture(params=TARGETS)
def listed(engine: Engine, request: pytest.FixtureRequest) -> list[Component]:
    """The packages in the image's own bill of materials."""
    done = engine.run(f"sinehil:{request.param}", BILL, options=("--entrypoint", "cat"))
    return components(json.loads(done.stdout))


def test_every_licence_in_the_image_is_allowed(listed: list[Component]) -> None:
    assert len(listed) > 200
    assert problems(listed, read_policy()) == []


def test_every_copyleft_package_is_in_the_notice(engine: Engine, listed: list[Component]) -> None:
    notice = engine.run("sinehil:rig", NOTICE, options=("--entrypoint", "cat")).stdout
    assert [name for name in copyleft_outside_debian(listed, read_policy()) if name not in notice] == []


def test_the_tools_that_make_the_firmware_are_the_locked_ones(listed: list[Component]) -> None:
    lock = parse_lock((ROOT / "docker/debian-packages.lock").read_text())
    assert firmware_differences(lock, installed_versions(listed)) == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_bill_lists_what_python_finds(engine: Engine, target: str) -> None:
    """By another way than the scanner's: what the image's Python says is installed."""
    script = (
        "from importlib.metadata import distributions as d; print(*(f'{i.name}=={i.version}' for i in d()))"
    )
    image = f"sinehil:{target}"
    found = engine.run(image, "-c", script, options=("--entrypoint", "python")).stdout.split()
    bill = components(json.loads(engine.run(image, BILL, options=("--entrypoint", "cat")).stdout))
    named = {canonical_name(f"{item.name}=={item.version}") for item in bill if item.kind == "pypi"}
    installed = {canonical_name(text) for text in found} - {f"sinehil=={__version__}"}
    assert len(installed) > 15 and installed <= named


def canonical_name(pin: str) -> str:
    """PEP 503's form of the name in ``name==version``."""
    name, _, version = pin.partition("==")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}"


@pytest.mark.parametrize("target", TARGETS)
def test_doctor(engine: Engine, target: str) -> None:
    done = engine.run(f"sinehil:{target}", "doctor", "--json", options=STRICT)
    assert json.loads(done.stdout)["ok"] is True
    blind = ("--env", "PATH=/usr/bin:/bin", "--entrypoint", "/opt/sinehil/bin/sinehil")
    done = engine.run(f"sinehil:{target}", "doctor", "--json", options=(*STRICT, *blind), check=False)
    assert done.code == 5 and "arduino-cli" in done.stderr  # the control: it does look


def test_the_whole_job_offline_read_only_and_as_nobody(engine: Engine, open_folder: Path) -> None:
    mount = ("--volume", f"{open_folder}:/bench")
    done = engine.run("sinehil:train", "demo", "--json", options=(*STRICT, *mount))
    result = json.loads(done.stdout)
    assert (result["verdict"], result["compared"], result["mismatches"]) == ("PASS", 790, 0)
    assert "PASS" in done.stderr and "PASS" not in done.stdout.replace('"PASS"', "")
    assert {path.stat().st_uid for path in open_folder.rglob("*")} == {4321}


def test_rig_cannot_train_and_says_so(engine: Engine) -> None:
    done = engine.run("sinehil:rig", "train", options=STRICT, check=False)
    assert done.code == 5 and "tensorflow is not installed" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--mount", "type=tmpfs,destination=/bench/artifacts,tmpfs-size=64k,tmpfs-mode=1777"),
            "No space left",
        ),
        (("--volume", "{folder}:/bench/artifacts:ro"), "Read-only file system"),
        (("--volume", "{closed}:/bench/artifacts"), "Permission denied"),
        ((), "Read-only file system"),
    ],
    ids=["full", "read-only", "wrong-uid", "no-mount"],
)
def test_a_mount_that_cannot_be_written(
    engine: Engine, open_folder: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o755)
    mounts = [option.format(folder=open_folder, closed=closed) for option in options]
    done = engine.run("sinehil:train", "train", options=(*STRICT, *mounts), check=False)
    last = done.stderr.strip().splitlines()[-2:]
    assert done.code == 6 and last[0].startswith("sinehil: cannot write artifacts") and words in last[0]
    assert last[1].startswith("  next: ") and "Traceback" not in done.stderr
    assert list(open_folder.iterdir()) == [] and list(closed.iterdir()) == []


def test_a_missing_device(engine: Engine) -> None:
    done = engine.run("sinehil:rig", "verify", "--port", "/dev/ttyACM7", options=STRICT, check=False)
    assert done.code in (3, 6) and "sinehil: " in done.stderr


@pytest.mark.parametrize("signal", ["TERM", "INT"])
def test_stop_in_the_middle_of_training_leaves_nothing(
    engine: Engine, open_folder: Path, signal: str
) -> None:
    """``--trainer keras`` takes minutes, so whenever its staging folder is there, it is in the middle."""
    options = (*STRICT, "--volume", f"{open_folder}:/bench/artifacts")
    with engine.started("sinehil:train", "train", "--trainer", "keras", options=options) as name:
        wait = f"until ls -A {open_folder} | grep -q staging; do sleep 0.1; done"
        subprocess.run(["bash", "-c", wait], timeout=120, check=True)
        engine.docker("kill", "--signal", signal, name)
        code = int(engine.docker("wait", name, timeout_s=60).stdout)
        assert code in (130, 143)
    assert list(open_folder.iterdir()) == []


def test_stop_ends_a_waiting_board_at_once(engine: Engine) -> None:
    """`docker stop` sends SIGKILL after its patience, which would be code 137."""
    with engine.started("sinehil:rig", "virtual", "uno", options=STRICT) as name:
        wait = "until {client} logs {name} 2>&1 | grep -q 'virtual Uno on'; do sleep 0.1; done"
        script = wait.format(client=engine.client, name=name)
        subprocess.run(["bash", "-c", script], env=dict(engine.environment), timeout=60, check=True)
        engine.docker("stop", "--time", "60", name)
        code = engine.docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip()
    assert int(code) in (0, 130, 143)
