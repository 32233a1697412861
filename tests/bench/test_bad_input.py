"""Everything that goes wrong at a bench: one sentence, what to do next, the documented exit code."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import serial

from sinehil.arduino import compile_sketch, prepare_environment, stage_sketch, upload
from sinehil.base.manifest import KERNEL
from sinehil.board.diagnosis import who_is_there
from sinehil.board.transport import SerialTransport
from sinehil.errors import IdentityError, ToolError
from sinehil.model.tflite import load_quantized_model
from sinehil_kernels import generate_kernel
from sinehil_kernels.avr.isa import decode
from tests.bench.conftest import Bench
from tests.conftest import Cli, MountTmpfs

pytestmark = pytest.mark.board


def refused(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    """One sentence and a next step on stderr, no traceback, nothing but JSON or nothing on stdout."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert re.search(words, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert "sinehil: " in done.stderr and "  next: " in done.stderr


def verify(bench: Bench, *words: object) -> subprocess.CompletedProcess[str]:
    return bench.cli("verify", "--port", bench.port, *bench.words(), *words)


def streaming(bench: Bench) -> subprocess.Popen[str]:
    """Start a verify that streams for long, and return when the first samples have come."""
    words = ["verify", "--port", bench.port, *bench.words(), "--mode", "samples", "--samples", 100_000]
    process = subprocess.Popen(
        [sys.executable, "-m", "sinehil", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    return process


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


# -- the port ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["flash", "verify"])
def test_missing_port(cli: Cli, trained: Path, command: str) -> None:
    refused(
        cli(command, "--port", "/dev/ttyACM99", "--artifacts", trained), 3, "there is no port /dev/ttyACM99"
    )


@pytest.mark.parametrize("command", ["flash", "verify"])
def test_busy_port(victim: Bench, command: str) -> None:
    with serial.Serial(victim.port, exclusive=True):
        holder = rf"in use by process {os.getpid()} \("
        refused(victim.cli(command, "--port", victim.port, *victim.words()), 3, holder)


def test_port_that_refuses_connections(cli: Cli, trained: Path) -> None:
    refused(
        cli("verify", "--port", "socket://127.0.0.1:9", "--artifacts", trained), 3, "cannot open socket://"
    )


# -- what is on the board ------------------------------------------------------------------------------------


def test_board_that_never_answers(victim: Bench) -> None:
    assert victim.control is not None
    victim.control.stall()
    refused(verify(victim), 3, "does not answer")


def test_board_with_the_bootloader_only(virtual: Bench) -> None:
    refused(verify(virtual), 4, "only the bootloader answers")


def test_a_bootloader_is_recognised_however_slow_its_board(virtual: Bench) -> None:
    """Asked at once and without a handshake before, as a board that keeps to real time meets it."""
    with SerialTransport(virtual.port) as transport:
        assert isinstance(who_is_there(transport, b""), IdentityError)


def test_board_with_another_sketch(virtual: Bench, tmp_path: Path) -> None:
    sketch = tmp_path / "talker"
    sketch.mkdir()
    (sketch / "talker.ino").write_text(
        'void setup() { Serial.begin(115200); }\nvoid loop() { Serial.println("hello bench"); delay(50); }\n'
    )
    environment = prepare_environment(str)
    upload(
        environment, compile_sketch(environment, sketch, "arduino:avr:uno", tmp_path / "out"), virtual.port
    )
    refused(verify(virtual), 4, "another sketch runs on .*hello bench")


def test_board_with_another_model(victim: Bench, other_model: Path) -> None:
    done = victim.cli("verify", "--port", victim.port, "--model", other_model, "--build", victim.build)
    refused(done, 4, "another model")


def test_flipped_weight_bit(victim: Bench) -> None:
    assert victim.control is not None and verify(victim).returncode == 0
    kernel = address_of("sinehil_kernel_code", victim.build)
    victim.control.flip_flash_bit(kernel + weight_offset(victim.artifacts), 0)
    refused(verify(victim), 4, "weights in the flash .* are damaged")


@pytest.fixture(scope="module")
def other_model(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other")
    done = cli("train", "--seed", 7, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder / "sine_model_quantized.tflite"


def weight_offset(artifacts: Path) -> int:
    """Return where in the speed kernel a weight lies: the LDI before a MUL, in the middle of the code."""
    model = load_quantized_model(artifacts / "sine_model_quantized.tflite")
    program = generate_kernel(model, "litert", "speed").program
    assert program is not None
    names = [decode(word)[0] for word in program.words]
    pairs = [at for at in range(len(names) // 2, len(names) - 1) if names[at : at + 2] == ["ldi", "mul"]]
    return 2 * pairs[0]


def address_of(symbol: str, build: Path) -> int:
    elf = next(build.glob("*-litert-speed-*/out/*.elf"))
    listing = subprocess.run(["avr-nm", elf], capture_output=True, text=True, check=True).stdout
    match = re.search(rf"^([0-9a-f]+) \w {symbol}", listing, re.MULTILINE)
    assert match, f"no {symbol} in {elf}"
    return int(match[1], 16)


# -- in the middle of a run ----------------------------------------------------------------------------------


def test_reset_in_the_middle(victim: Bench) -> None:
    assert victim.control is not None
    process = streaming(victim)
    victim.control.reset()
    refused(ended(process), 3, "was reset in the middle")


def test_unplugged_in_the_middle(victim: Bench) -> None:
    assert victim.control is not None
    process = streaming(victim)
    victim.control.unplug()
    refused(ended(process), 3, "went away in the middle")


def test_interrupted_in_the_middle_and_fine_afterwards(victim: Bench) -> None:
    process = streaming(victim)
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.returncode == 130 and "interrupted" in done.stderr and "Traceback" not in done.stderr
    assert verify(victim).returncode == 0


# -- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete"])
@pytest.mark.parametrize("name", ["manifest.json", "sine_model_quantized.tflite"])
def test_damaged_artefacts(cli: Cli, trained: Path, tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(trained, folder)
    target = folder / name
    content = bytearray(target.read_bytes())
    if damage == "truncate":
        target.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2 if name.endswith("tflite") else content.index(b'"schema"') + 1] ^= 1
        target.write_bytes(content)
    else:
        target.unlink()
    refused(cli("compile", "--artifacts", folder), 6, re.escape(name))


def test_model_that_is_no_tflite(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_text("hello")
    refused(cli("compile", "--model", tmp_path / "m.tflite"), 6, "not a .tflite")


def test_float_model_is_named_as_such(cli: Cli, trained: Path) -> None:
    refused(cli("compile", "--model", trained / "sine_model.tflite"), 6, "not int8")


def test_full_disk_keeps_earlier_artefacts(cli: Cli, trained: Path, mount_tmpfs: MountTmpfs) -> None:
    small = mount_tmpfs("size=4m")
    shutil.copytree(trained, small / "artifacts")
    before = {path: path.read_bytes() for path in (small / "artifacts").rglob("*") if path.is_file()}
    (small / "filler").write_bytes(bytes(shutil.disk_usage(small).free - 8192))
    refused(cli("train", "--out", small / "artifacts"), 6, "cannot write .*No space left")
    after = {path: path.read_bytes() for path in (small / "artifacts").rglob("*") if path.is_file()}
    assert before == after


# -- tools ---------------------------------------------------------------------------------------------------


def test_no_arduino_cli_and_no_network(cli: Cli, trained: Path, tmp_path: Path) -> None:
    environment = {
        "SINEHIL_CACHE": str(tmp_path / "cache"),
        "PATH": "/usr/bin:/bin",
        "GOPROXY": "off",
        "GOFLAGS": "-modcacherw",
        "GOMODCACHE": str(tmp_path / "modules"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
    }
    done = cli("compile", "--artifacts", trained, "--build", tmp_path / "build", env=environment)
    refused(done, 5, "there is no arduino-cli and no Go")


def test_sketch_that_does_not_compile(tmp_path: Path) -> None:
    sketch = stage_sketch({KERNEL: "#error the kernel is broken\n"}, tmp_path)
    with pytest.raises(ToolError, match="does not compile") as caught:
        compile_sketch(prepare_environment(str), sketch, "arduino:avr:uno", tmp_path / "out")
    assert "sinehil_kernel.c" in caught.value.output and "the kernel is broken" in caught.value.output


def test_board_that_nobody_knows(cli: Cli, trained: Path, tmp_path: Path) -> None:
    done = cli("compile", "--artifacts", trained, "--fqbn", "arduino:avr:nonsense", "--build", tmp_path)
    refused(done, 2, "no board 'arduino:avr:nonsense'")


# -- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["verify"],
        ["verify", "--port", "x", "--mode", "everything"],
        ["verify", "--port", "x", "--samples", "0"],
        ["train", "--seed", "-1"],
        ["train", "--trainer", "magic"],
        ["compile", "--oracle", "delphi"],
        ["verify", "--port", "x", "--mode", "test-set", "--model", "y"],
        ["compile", "--nonsense"],
        ["virtual"],
    ],
)
def test_nonsense_in_options(cli: Cli, words: list[str]) -> None:
    refused(cli(*words), 2, "sinehil: ")


def test_errors_are_one_json_object_too(cli: Cli, tmp_path: Path) -> None:
    done = cli("compile", "--artifacts", tmp_path / "none", "--json")
    assert done.returncode == 6
    assert json.loads(done.stdout)["error"]["exit_code"] == 6
