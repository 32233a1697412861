"""The kernel unrolled for one model's weights: exact on every code, and as fast as it is said to be."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from avr_tools import assembled
from chains import chain_net
from models import Net
from nets import variety
from random_nets import any_net
from tests.conftest import Cli
from tests.sampling import first, one_per_kind

from sinehil.errors import ArtefactError, ToolError
from sinehil.model.arithmetic import ORACLES, arithmetic_of
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import QuantizedModel, parse_quantized_model
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.avr.assembly import Instruction, Program
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.avr.sources import code_spans
from sinehil_kernels.avr.trial import trial_inputs, try_program
from sinehil_kernels.speed import speed_kernel as generate
from sinehil_kernels.speed.exact_forms import right
from sinehil_kernels.speed.requantization_plan import StepSearch
from sinehil_kernels.speed.stage_plan import plan
from sinehil_kernels.value_ranges import value_ranges

TOO_LARGE = {"wide 50", "wide 51", "wide 52"}
ONE_INPUT = {name: net for name, net in variety().items() if name not in TOO_LARGE}
SHAPES: dict[str, Net] = {
    "one layer": chain_net(1, (1, 5)),
    "two layers, wide": chain_net(2, (1, 64, 3)),
    "four layers": chain_net(3, (1, 8, 8, 8, 1), ("RELU", "RELU6")),
    "eight layers": chain_net(4, (1, 5, 4, 7, 6, 5, 6, 4, 2)),
    "two inputs": chain_net(5, (2, 8, 8, 1)),
    "many outputs": chain_net(6, (4, 3, 20)),
    "eight layers from three inputs": chain_net(7, (3, 5, 4, 7, 2, 6, 3, 4, 2), ("RELU", "NONE")),
    "saturated": chain_net(8, (4, 6, 3), spare=0.3),
}


def speed(model: QuantizedModel, oracle: str = "litert") -> GeneratedKernel:
    return generate_kernel(model, oracle, "speed")


def infer_codes(model: QuantizedModel, inputs: Int64s, oracle: str = "litert") -> Int64s:
    return arithmetic_of(oracle).infer_codes(model, inputs)


def assert_exact(model: QuantizedModel, program: Program, inputs: Int64s, oracle: str = "litert") -> None:
    machine = Machine(program)
    found = [machine.call(x_q, model.outputs).y_q for x_q in inputs.tolist()]
    np.testing.assert_array_equal(found, infer_codes(model, inputs, oracle))


@pytest.mark.parametrize("name", one_per_kind(ONE_INPUT))
def test_every_code_of_every_net_is_the_oracles(name: str) -> None:
    model = ONE_INPUT[name].model()
    kernel = speed(model)
    assert kernel.program is not None
    assert kernel.figures is not None
    assert_exact(model, kernel.program, trial_inputs(model))
    assert kernel.figures.stack_bytes <= 24
    assert kernel.figures.flash_bytes < 8000


@pytest.mark.parametrize("name", first(8, SHAPES))
def test_other_shapes_are_exact(name: str) -> None:
    model = SHAPES[name].model()
    kernel = speed(model)
    assert kernel.program is not None
    others = np.random.default_rng(5).integers(-128, 128, (100, model.inputs))
    assert_exact(model, kernel.program, others if model.inputs > 1 else trial_inputs(model))


@pytest.mark.parametrize("seed", first(4, range(30)))
def test_any_net_is_exact_for_any_oracle(seed: int) -> None:
    model = any_net(seed, widest=10).model()
    oracle = ORACLES[seed % len(ORACLES)]
    kernel = speed(model, oracle)
    assert kernel.program is not None
    assert_exact(model, kernel.program, trial_inputs(model), oracle)


SEVERAL_INPUTS = (
    (2, 8, 8, 1),
    (3, 8, 1),
    (4, 8, 3),
    (5, 9, 4),
    (6, 12, 5),
    (8, 16, 1),
    (8, 32, 16, 4),
    (16, 16, 16, 2),
    (32, 16, 1),
    (64, 16, 10),
)
FEW_PRODUCTS = ((2, 4, 1), (3, 3), (4, 3, 20))  # what a neuron costs but for its products is most of it
OF_BOUND = 1.35


@pytest.mark.parametrize(
    "shape", [*SEVERAL_INPUTS, *FEW_PRODUCTS], ids=lambda shape: "-".join(map(str, shape))
)
def test_models_of_several_inputs_take_at_most_13_cycles_an_executed_product(shape: tuple[int, ...]) -> None:
    model = chain_net(1, shape).model()
    figures = speed(model).figures
    assert figures is not None
    assert figures.bound_cycles is not None
    executed = executed_products(model, trial_inputs(model))
    cycles, bound = figures.mean_cycles / executed, figures.bound_cycles / executed
    print(f"{shape}: {cycles:.1f} cycles a product, bound {bound:.1f}")  # noqa: T201
    assert cycles <= (OF_BOUND * bound if shape in FEW_PRODUCTS else 13)


def executed_products(model: QuantizedModel, codes: Int64s) -> float:
    """Count weights other than 0 whose source is not at its zero point, mean over the inputs."""
    total = 0
    at = codes
    for number, layer in enumerate(model.dense_layers):
        active = at != layer.input.zero_point if number else np.ones_like(at, np.bool_)
        total += int((active.astype(np.int64) @ (layer.weights.T != 0)).sum())
        at = arithmetic_of("litert").run_layer(layer, at)
    return total / len(codes)


def test_a_model_that_cannot_fit_is_refused_with_its_bytes() -> None:
    with pytest.raises(ArtefactError, match=r"unrolled takes \d+ bytes of flash or more, of 30720"):
        speed(chain_net(1, (64, 64, 64, 64, 1)).model())


def test_where_second_looks_are_too_long_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    model = chain_net(1, (5, 9, 4)).model()
    longest = speed(model)
    monkeypatch.setattr(generate, "MOST_FLASH", longest.core_bytes - 200)
    kernel = speed(model)
    assert kernel.core_bytes <= longest.core_bytes - 200
    assert "has a low byte below" in longest.sources["sinehil_infer.S"]
    assert "has a low byte below" not in kernel.sources["sinehil_infer.S"]
    assert kernel.program is not None
    assert_exact(model, kernel.program, trial_inputs(model))
    monkeypatch.setattr(generate, "MOST_FLASH", kernel.core_bytes - 200)
    with pytest.raises(ArtefactError, match="unrolled takes"):
        speed(model)


GOALS = {"book": 800, "precise": 1100}  # cycles, mean


@pytest.mark.slow
@pytest.mark.parametrize("recipe", first(1, GOALS))
def test_the_goals_are_met_for_trained_models(
    recipe: str, book_artifacts: Path, cli: Cli, tmp_path: Path
) -> None:
    folder = book_artifacts
    if recipe != "book":
        folder = tmp_path / "artifacts"
        done = cli("train", "--recipe", recipe, "--out", folder)
        assert done.returncode == 0, done.stderr
    file = folder / "sine_model_quantized.tflite"
    figures = speed(parse_quantized_model(file.read_bytes(), recipe)).figures
    assert figures is not None
    assert figures.bound_cycles is not None
    print(f"{recipe}: {figures}")  # noqa: T201
    assert figures.mean_cycles <= GOALS[recipe]
    assert figures.mean_cycles <= 1.35 * figures.bound_cycles
    assert figures.flash_bytes <= 3300
    assert figures.stack_bytes <= 24


# -- what a reader sees ---------------------------------------------------------------------------------------------

TITLE = re.compile(r"; layer (\d+) neuron (\d+):")
POPPED = re.compile(r"pop r19 +; neuron (\d+)$")
ADDED = re.compile(r"(add|sub) \w+, \w+ +; neuron (\d+): weight (-?\d+)(?: \* (\d+))?$")


@pytest.mark.parametrize("name", ["plain 0", "narrow 41"])
def test_a_weight_can_be_followed_to_its_instructions(name: str) -> None:
    """Each addition says whose weight it is, as it stands in the .tflite, and with what it has been multiplied."""
    model = variety()[name].model()
    layers, seen = model.dense_layers, set[tuple[int, int, int]]()
    layer = source = 0
    for line in speed(model).sources["sinehil_infer.S"].splitlines():
        if title := TITLE.match(line):
            layer, source = int(title[1]), int(title[2])
        elif popped := POPPED.search(line):
            layer, source = 1, int(popped[1])
        elif added := ADDED.search(line):
            neuron, weight = int(added[2]), int(added[3])
            assert weight == layers[layer].weights[neuron, source], line
            seen.add((layer, neuron, source))
    for number in (1, 2):
        of_layer = {place for place in seen if place[0] == number}
        assert len(of_layer) > 0.5 * np.count_nonzero(layers[number].weights) or (number == 1 and of_layer)


# -- what is covered ------------------------------------------------------------------------------------------------


@pytest.mark.board
def test_the_assembly_text_gives_the_bytes_of_the_program(tmp_path: Path) -> None:
    kernel = speed(variety()["plain 5"].model())
    assert kernel.program is not None
    assert assembled(kernel.sources["sinehil_infer.S"], tmp_path) == kernel.program.image
    assert code_spans(kernel.program) == [(0, len(kernel.program.image))]


@pytest.mark.board
def test_the_addresses_of_tables_are_the_linker_s_and_everything_else_is_covered(tmp_path: Path) -> None:
    kernel = speed(any_net(1, widest=10).model(), ORACLES[1])
    assert kernel.program is not None
    addresses = kernel.program.address_words
    assert addresses, "this net has a table"
    assert assembled(kernel.sources["sinehil_infer.S"], tmp_path) == kernel.program.image
    covered = sum(end - first for first, end in code_spans(kernel.program))
    assert covered == len(kernel.program.image) - 2 * len(addresses)


def test_one_changed_constant_is_noticed_by_the_trial_and_by_the_checksum() -> None:
    """Negative control: each LDI of a small kernel in turn."""
    model = variety()["narrow 41"].model()
    kernel = speed(model)
    program = kernel.program
    assert program is not None
    inputs = trial_inputs(model)
    expected = infer_codes(model, inputs)
    noticed, changed = 0, 0
    for word in _constants(program):
        words = list(program.words)
        words[word] ^= 0x0400  # 64 more or less
        spoilt = replace(program, words=tuple(words))
        assert spoilt.image != program.image  # and so, all bytes being covered, the checksum
        changed += 1
        try:
            try_program(spoilt, inputs, expected)
        except ToolError:
            noticed += 1
    assert changed > 30
    assert noticed > 0.7 * changed  # a constant may have room: those of lines are not the only right ones


def test_one_changed_constant_is_noticed_by_the_proof() -> None:
    """Negative control: an offset that is worth four codes is not right any more."""
    busy = 0
    for name in ("plain 0", "plain 1", "plain 2", "plain 3", "narrow 41"):
        for stage in plan(value_ranges(variety()[name].model(), "litert")).stages:
            for made in stage.neurons:
                neuron, form, offset = made.neuron, made.form.form, made.form.offset
                if (
                    isinstance(form, StepSearch)
                    or made.form.limit is not None
                    or made.form.inactive_test == "codes"
                ):
                    continue
                if np.ptp(neuron.wanted) < 60:
                    continue
                busy += 1
                far = int(np.ceil(4 / neuron.slope))
                assert right(neuron, form, np.array([offset]), 1).all()
                assert not right(neuron, form, np.array([offset - far, offset + far]), 1).any()
    assert busy > 20


def _constants(program: Program) -> list[int]:
    at, found = 0, []
    for item in program.items:
        if isinstance(item, Instruction):
            if item.mnemonic == "ldi":
                found.append(at)
            at += 1
    return found
