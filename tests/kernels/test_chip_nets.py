"""Random nets on the simulated chip: each kernel equals its interpreter, and one changed constant does not pass."""

import re
from dataclasses import replace
from itertools import product

import pytest
from chip_nets import EQUAL, FAILED, WIDEST, Result, chip_difference, machine_difference, summary, try_net
from models import change_table
from nets import variety
from random_nets import any_net

from sinehil.model.arithmetic import ORACLES
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.generated import ASSEMBLY_FILE

CASES = [
    (engine, oracle, number) for number, (engine, oracle) in enumerate(product(WIDEST, ORACLES), start=200)
]
LAST_OF_MODEL = {
    "size": r"(\.byte .*), (\d+)\n(?=        \.byte 0\n)",  # the multiplier of the last neuron
    "speed": r"(.*ldi r\d+), (\d+)(?= +; multiplier)",
    "table": r"(.*\.byte .*), (\d+)\n",
}
MODEL = variety()["plain 1"].model()
pytestmark = pytest.mark.board


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "oracle", "seed"), CASES)
def test_a_random_net_equals_the_interpreter(engine: str, oracle: str, seed: int) -> None:
    result = try_net(engine, oracle, seed, machine_only=False)
    assert result.outcome == EQUAL, result


def test_the_nets_have_one_input_and_several() -> None:
    inputs = [any_net(seed, widest=WIDEST[engine]).inputs for engine, _, seed in CASES if engine != "table"]
    assert {count == 1 for count in inputs} == {True, False}


@pytest.mark.parametrize("engine", LAST_OF_MODEL)
def test_one_changed_constant_in_the_assembly_is_noticed(engine: str) -> None:
    """Negative control: the last of the model's numbers in the .S one off."""
    kernel = generate_kernel(MODEL, "litert", engine)
    assert chip_difference(kernel, MODEL) is None
    text = kernel.sources[ASSEMBLY_FILE]
    *_, last = re.finditer(LAST_OF_MODEL[engine], text)
    at, end = last.span(2)
    changed = text[:at] + str(int(last[2]) ^ 1) + text[end:]
    found = chip_difference(replace(kernel, sources={**kernel.sources, ASSEMBLY_FILE: changed}), MODEL)
    assert re.fullmatch(r"[1-9]\d* codes, [1-9]\d* floats", str(found))


def test_one_changed_constant_in_c_is_noticed() -> None:
    changed = change_table(generate_kernel(MODEL), "layer_3_weights", 3, 40)
    assert re.fullmatch(r"[1-9]\d* codes, [1-9]\d* floats", str(chip_difference(changed, MODEL)))


def test_a_wrong_checksum_and_wrong_cycles_are_noticed() -> None:
    kernel = generate_kernel(MODEL, "litert", "table")
    assert kernel.figures is not None
    checksum = replace(kernel, weights_crc32=kernel.weights_crc32 ^ 1)
    assert chip_difference(checksum, MODEL) == "the checksum"
    cycles = replace(kernel, figures=replace(kernel.figures, mean_cycles=kernel.figures.mean_cycles + 1))
    assert "cycles" in str(chip_difference(cycles, MODEL))


def test_one_changed_byte_is_noticed_in_the_machine() -> None:
    kernel = generate_kernel(MODEL, "litert", "table")
    assert machine_difference(kernel, MODEL) is None
    assert machine_difference(with_last_byte_changed(kernel), MODEL) == "1 codes in Machine"


def test_what_cannot_be_generated_is_a_failure_with_its_seed() -> None:
    result = try_net("speed", "no such oracle", 7, machine_only=True)
    assert (result.outcome, result.seed) == (FAILED, 7)
    assert "1 failed" in summary([result, Result("speed", "litert", 8, EQUAL)])


def with_last_byte_changed(kernel: GeneratedKernel) -> GeneratedKernel:
    program = kernel.program
    assert program is not None
    words = (*program.words[:-1], program.words[-1] ^ 0x100)
    return replace(kernel, program=replace(program, words=words))
