"""The whole sketch with a generated kernel on simulated Arm boards, for `sinehil verify` and `sinehil bench`."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from arm_board import CLOCK_HZ, CPUS, CYCLES_PER_INSTRUCTION, boot, compile_for_cortex_m
from nets import random_net
from random_nets import any_net
from tests.conftest import Cli

from sinehil.base.manifest import KERNEL
from sinehil.board.device import Device
from sinehil.board.transport import SerialTransport
from sinehil.errors import ExitCode
from sinehil.model.interpreters import open_oracle
from sinehil.verify.board_measurements import measure_cycles
from sinehil_kernels import generate_kernel

NET = random_net(1)  # of the book's shape
SOURCES = generate_kernel(NET.model(), "litert", "portable").sources
CODES = range(-128, 128, 17)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "net.tflite"
    path.write_bytes(NET.file())
    return path


@pytest.fixture(scope="module", params=CPUS)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_for_cortex_m(request.param, SOURCES, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def port(image: Path) -> Iterator[str]:
    with boot(image) as name:
        yield name


def test_every_output_is_the_interpreters(port: str, model: Path, cli: Cli) -> None:
    done = cli("verify", "--port", port, "--model", model, "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["mode"], found["mismatches"]) == ("PASS", "exhaustive", 0)
    assert found["compared"] > 256 + 500 and found["link"]["retries"] == found["link"]["crc_errors"] == 0
    assert (found["device"]["board"], found["device"]["engine"]) == ("arduino", "portable")


def test_bench_says_cycles_of_all_codes(port: str, cli: Cli) -> None:
    done = cli("bench", "--port", port, "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    found = json.loads(done.stdout)
    assert (found["cycles_samples"], found["clock_hz"]) == (256, CLOCK_HZ)
    assert 10_000 < found["cycles_per_inference"] <= found["cycles_max"] < 50_000


def test_bench_counts_what_the_simulator_counts(image: Path, tmp_path: Path) -> None:
    """QEMU logs each instruction of the kernel; the board measures each code in two calls."""
    log = tmp_path / "instructions"
    with boot(image, *log_kernel(image, log)) as name, SerialTransport(name) as transport:
        device = Device(transport)
        device.connect()
        measured = [device.bench(first_q, 1).max_cycles for first_q in CODES]
    calls = np.array(executed(log, entry_of(image))[-2 * len(CODES) :]).reshape(-1, 2)
    assert (calls[:, 0] == calls[:, 1]).all()
    without_return = (calls[:, 0] - 1) * CYCLES_PER_INSTRUCTION
    assert np.abs(np.array(measured) - without_return).max() < 2


@pytest.mark.parametrize("seed", [2, 9, 10, 13])  # 2 to 2, 1 to 59, 3 to 3, 17 to 8; tables, 64-bit products
def test_nets_of_other_shapes_answer_and_are_measured(seed: int, tmp_path: Path) -> None:
    model = any_net(seed).model()
    image = compile_for_cortex_m("cortex-m0", generate_kernel(model).sources, tmp_path)
    codes = np.random.default_rng(seed).integers(-128, 128, (200, model.inputs)).astype(np.int8)
    with boot(image) as name, SerialTransport(name) as transport:
        device = Device(transport)
        device.connect()
        answers = device.infer_codes(codes[:, 0] if model.inputs == 1 else codes)
        cycles = measure_cycles(device)
    expected = open_oracle("litert", model).predict_codes(codes)
    assert np.array_equal(answers.reshape(expected.shape), expected)
    assert cycles is not None and 1_000 < cycles.mean <= cycles.max < 1_000_000


def test_a_wrong_kernel_fails(model: Path, cli: Cli, tmp_path: Path) -> None:
    """Negative control."""
    text, times = re.subn(r"sinehil_real\(y_q,", "sinehil_real(y_q == 3 ? 4 : y_q,", SOURCES[KERNEL])
    assert times == 1
    with boot(compile_for_cortex_m("cortex-m0", {**SOURCES, KERNEL: text}, tmp_path)) as name:
        done = cli("verify", "--port", name, "--model", model)
    assert done.returncode == ExitCode.FAIL and "FAIL" in done.stdout


def symbols(image: Path) -> dict[str, int]:
    listing = subprocess.run(["arm-none-eabi-nm", image], check=True, capture_output=True, text=True).stdout
    return {name: int(address, 16) for address, _, name in map(str.split, listing.splitlines())}


def entry_of(image: Path) -> int:
    return symbols(image)["sinehil_infer"]


def log_kernel(image: Path, log: Path) -> list[str]:
    """Return QEMU's options for logging each instruction of the kernel that is executed."""
    found = symbols(image)
    kernel = f"{found['kernel_begin']:#x}..{found['kernel_end'] - 1:#x}"
    return ["-singlestep", "-d", "exec,nochain", "-dfilter", kernel, "-D", str(log)]


def executed(log: Path, entry: int) -> list[int]:
    """Return how many instructions each call of ``sinehil_infer`` took, in a log that ends with one."""
    calls = [0]  # what comes before the first
    for line in log.read_text().splitlines():
        if line.startswith("Stopped execution"):
            calls[-1] -= 1  # the instruction before comes once more
        elif int(line.split("/")[1], 16) == entry:
            calls.append(1)
        else:
            calls[-1] += 1
    return calls
