import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sinehil.arduino import ArduinoEnvironment, prepare_environment
from sinehil.arduino.debian_packages import (
    EXPORT_TOOLS,
    FIRMWARE_TOOLS,
    KERNEL_CHECK_TOOLS,
    VIRTUAL_BOARD_BUILD_TOOLS,
    Requirement,
)
from sinehil.arduino.environment import require
from sinehil.arduino.toolchain import find_arduino_cli
from sinehil.base.folders import resource
from sinehil.base.tools import run
from sinehil.errors import ToolError
from sinehil.jobs.tool_check import check_tools, status_of, version_in
from sinehil.virtual.programs import virtual_board_program

NOT_HERE = Requirement("nothing", Path("/nonexistent/tool"), "nothing-avr")


def home_of(environment: ArduinoEnvironment) -> Path:
    return Path(environment.variables["ARDUINO_DIRECTORIES_DATA"]).parent


def test_preparing_twice_changes_nothing(environment: ArduinoEnvironment) -> None:
    before = {path: path.lstat().st_mtime_ns for path in home_of(environment).rglob("*") if path.is_file()}
    assert prepare_environment(lambda _: None) == environment
    assert {path: path.lstat().st_mtime_ns for path in before} == before


@pytest.fixture
def empty_cache(environment: ArduinoEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without a home; arduino-cli itself is on PATH, so that it need not be built again."""
    monkeypatch.setenv("SINEHIL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{environment.program.parent}:{os.environ['PATH']}")
    return tmp_path / "cache"


def test_processes_that_prepare_at_once_do_not_hurt_each_other(empty_cache: Path) -> None:
    code = "from sinehil.arduino import prepare_environment as p; print(p(print).variables['ARDUINO_DIRECTORIES_DATA'])"
    racers = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    answers = {racer.communicate(timeout=60)[0] for racer in racers}
    assert [racer.returncode for racer in racers] == [0, 0, 0, 0]
    [data] = answers
    assert [path.name for path in empty_cache.iterdir()] == [Path(data.strip()).parent.name]


@pytest.mark.usefixtures("empty_cache")
def test_another_interpreter_gets_a_home_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_environment(lambda _: None)
    monkeypatch.setattr(sys, "executable", "/another/python's")
    second = prepare_environment(lambda _: None)
    assert home_of(first) != home_of(second)
    script = next(home_of(second).rglob("serial-discovery/*/serial-discovery"))
    assert run(["sh", "-n", script]).code == 0, "the name of the interpreter is quoted"


def test_the_user_s_own_arduino_settings_have_no_say(
    environment: ArduinoEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".arduino15").mkdir()
    (tmp_path / ".arduino15" / "arduino-cli.yaml").write_text("directories: {data: /nonexistent}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ARDUINO_BOARD_MANAGER_ADDITIONAL_URLS", "x:/unreachable.json")
    done = run([environment.program, "config", "dump", "--json"], env=environment.environ())
    assert str(home_of(environment)) in done.stdout
    assert "nonexistent" not in done.stdout + done.stderr
    assert "unreachable" not in done.stdout + done.stderr
    listed = run([environment.program, "board", "listall", "--json"], env=environment.environ())
    assert "arduino:avr:uno" in listed.stdout
    assert listed.stderr == ""


def test_what_is_missing_is_named_by_its_package() -> None:
    require(FIRMWARE_TOOLS)  # the control: here is everything
    with pytest.raises(ToolError, match=r"missing: nothing-avr nothing-avr$") as caught:
        require([*FIRMWARE_TOOLS, NOT_HERE, NOT_HERE])
    assert "apt-get install --no-install-recommends nothing-avr" in caught.value.next_step


def test_every_package_we_name_is_one_we_install() -> None:
    lists = ("debian-packages.txt", "debian-packages-build.txt")
    listed = [word for name in lists for word in (resource("docker") / name).read_text().split()]
    for requirement in (*FIRMWARE_TOOLS, *KERNEL_CHECK_TOOLS, *VIRTUAL_BOARD_BUILD_TOOLS, *EXPORT_TOOLS):
        assert requirement.package in listed, requirement


@pytest.mark.usefixtures("environment")
def test_doctor_finds_what_the_tests_use() -> None:
    found = {tool.name: tool for tool in check_tools()}
    for name in (
        "arduino-cli",
        "avr-gcc",
        "avr-libc",
        "avrdude",
        "arduino-ctags",
        "arduino core",
        "cc",
        "xxd",
        "virtual board" if virtual_board_program().exists() else "libsimavr",
    ):
        assert found[name].found, name
        assert found[name].path is not None and found[name].path.exists()
    assert re.fullmatch(r"1\.\d+\.\d+", found["arduino-cli"].version)
    assert re.fullmatch(r"\d+\.\d+", found["avrdude"].version)
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["arduino core"].version)


def test_doctor_says_how_to_get_what_is_missing() -> None:
    status = status_of(NOT_HERE)
    assert (status.found, status.path, status.version) == (False, None, "")
    assert status.hint == "sudo apt-get install --no-install-recommends nothing-avr"


def test_a_program_is_looked_for_on_path_and_may_refuse_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    requirement = Requirement("cc", Path("cc"), "gcc", ("--version",))
    assert not status_of(requirement).found
    (tmp_path / "cc").write_bytes(b"\0not a program")
    (tmp_path / "cc").chmod(0o755)
    assert status_of(requirement).found
    assert status_of(requirement).version == ""


@pytest.mark.parametrize(
    ("words", "version"),
    [
        ("avr-gcc (GCC) 5.4.0\nCopyright (C) 2015", "5.4.0"),
        ("xxd 2022-01-14 by J. W.", "2022-01-14"),
        ("Copyright (C) 1996-2009", ""),
    ],
)
def test_versions_are_read_from_words(words: str, version: str) -> None:
    assert version_in(words) == version


def test_doctor_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINEHIL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    tools = {tool.name: tool for tool in check_tools()}
    if find_arduino_cli() is None:
        assert not tools["arduino-cli"].found
    assert list(tmp_path.iterdir()) == []
