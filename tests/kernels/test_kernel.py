"""Generated C, compiled for this machine: equal to the interpreter, and every check of it able to fail."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from models import change_table, with_source
from nets import random_net, variety, wider_variety
from tests.sampling import first, one_per_kind

from sinehil.errors import ExitCode, ToolError, UsageError
from sinehil.model.arithmetic import ORACLES
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.probes import exhaustive_floats
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.avr.trial import trial_codes
from sinehil_kernels.check import check_kernel, sample_floats
from sinehil_kernels.portable import layer_plan as plan
from sinehil_kernels.portable.layer_plan import LayerPlan, plan_layers
from sinehil_kernels.portable.oracle_requantization import OracleForm
from sinehil_kernels.portable.requantization import Line, Steps
from sinehil_kernels.value_ranges import value_ranges

HERE = Path(__file__).parent
NETS = variety()
CHECKED = [*list(NETS)[::2], "zero point 127", "symmetric", "huge scale"]


def fails(
    changed: GeneratedKernel, model: QuantizedModel, match: str = "differs from the interpreter"
) -> None:
    with pytest.raises(ToolError, match=match) as caught:
        check_kernel(changed, model)
    assert caught.value.exit_code == ExitCode.TOOL
    assert caught.value.next_step


def plans_of(model: QuantizedModel) -> list[LayerPlan]:
    return plan_layers(value_ranges(model, "litert"), "litert")


def live_row(plan: LayerPlan) -> int:
    """Return the row of a neuron whose codes change the most."""
    low, high = plan.ranges.outputs[list(plan.neurons)].T
    return int(np.argmax(high - low))


@pytest.mark.parametrize("name", one_per_kind(CHECKED))
def test_the_kernel_equals_the_interpreter(name: str) -> None:
    model = NETS[name].model()
    check_kernel(generate_kernel(model), model)


@pytest.mark.parametrize("oracle", first(1, ORACLES))
def test_kernels_of_every_other_shape_equal_each_interpreter(oracle: str) -> None:
    """Several inputs and outputs, tables, either end, depths."""
    for net in wider_variety().values():
        model = net.model()
        check_kernel(generate_kernel(model, oracle), model)


def test_the_nets_reach_every_form_that_the_generator_has() -> None:
    assert len(CHECKED) >= 20
    plans = [layer for name in CHECKED for layer in plans_of(NETS[name].model())]
    for kinds in (
        {layer.narrow for layer in plans},
        {layer.limited for layer in plans},
        {bool(layer.skipped) for layer in plans},
        {layer.ranges.lowest > -128 for layer in plans},
        {layer.ranges.highest < 127 for layer in plans},
        {layer.spans.min() < 0 for layer in plans},
    ):
        assert kinds == {True, False}
    assert {(layer.scheme.bits, layer.scheme.drop) for layer in plans} >= {(16, 16), (32, 0), (32, 8)}
    forms = [form for layer in plans for form in layer.forms]
    assert sum(isinstance(form, Line) and form.multiplier > 0 for form in forms) > 500
    assert any(isinstance(form, Line) and form.multiplier == 0 for form in forms)  # only clamps
    assert any(isinstance(form, OracleForm) for form in forms)


def test_the_steps_fall_back_is_exact_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "find_line", lambda *_arguments, **_options: None)
    monkeypatch.setattr(plan, "find_oracle_form", lambda *_arguments: None)
    for name in ("plain 1", "per-tensor 11", "relu6 20", "narrow 40", "saturated 60"):
        model = NETS[name].model()
        generated = generate_kernel(model)
        assert "u = (" not in generated.source
        assert re.search(r"\d+ steps\n", generated.source)
        check_kernel(generated, model)


def test_the_same_model_gives_the_same_bytes_and_another_other_ones() -> None:
    first, again = (generate_kernel(random_net(1).model()) for _ in range(2))
    assert first == again
    other = generate_kernel(random_net(2).model())
    assert other.source != first.source
    assert other.weights_crc32 != first.weights_crc32


def test_the_source_names_the_model_but_no_time_and_no_place() -> None:
    generated = generate_kernel(NETS["plain 1"].model())
    assert generated.model_sha256 in generated.source
    assert "oracle: litert" in generated.source
    assert str(HERE.parents[1]) not in generated.source
    assert not re.search(r"\b20\d\d-\d\d|\d\d:\d\d|/home|/tmp|__DATE__|__TIME__", generated.source)
    assert generated.source.isascii()


@pytest.mark.parametrize(
    ("kind", "by"), [("weights", 1), ("weights", -3), ("bias", 400), ("multiplier", 400), ("offset", 60)]
)
def test_one_changed_constant_of_a_line_is_noticed(kind: str, by: int) -> None:
    model = NETS["plain 2"].model()
    layer = plans_of(model)[1]
    assert layer.scheme.bits == 16
    index = live_row(layer)
    if kind == "weights":
        row = layer.weights[index]
        index = index * len(row) + int(np.argmin(np.abs(row.astype(int))))
    fails(change_table(generate_kernel(model), f"layer_2_{kind}", index, by), model)


def test_one_changed_limit_is_noticed() -> None:
    model = NETS["raised floor 3"].model()
    layer = plans_of(model)[1]
    assert layer.limited
    at_the_top = layer.ranges.outputs[list(layer.neurons), 1] == layer.ranges.highest
    index = int(np.argmax(at_the_top & (layer.ranges.outputs[list(layer.neurons), 0] < 0)))
    fails(change_table(generate_kernel(model), "layer_2_limit", index, -600), model)


@pytest.mark.parametrize("oracle", ["litert", "tflm"])
@pytest.mark.parametrize(("kind", "by"), [("own", 40_000), ("bias", 400)])
def test_the_oracle_s_own_arithmetic_is_exact_and_a_changed_constant_is_noticed(
    oracle: str, kind: str, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "find_line", lambda *_arguments, **_options: None)
    model = NETS["plain 2"].model()
    generated = generate_kernel(model, oracle)
    check_kernel(generated, model)
    fails(change_table(generated, f"layer_3_{kind}", 0, by), model)


@pytest.mark.parametrize(("kind", "by"), [("start", 25), ("value", 1)])
def test_one_changed_constant_of_the_steps_is_noticed(
    kind: str, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "find_line", lambda *_arguments, **_options: None)
    monkeypatch.setattr(plan, "find_oracle_form", lambda *_arguments: None)
    model = NETS["plain 2"].model()
    form = plans_of(model)[2].forms[0]
    assert isinstance(form, Steps)
    fails(change_table(generate_kernel(model), f"layer_3_{kind}", len(form.starts) // 2, by), model)


def test_the_float_ends_and_the_checksum_are_checked_too() -> None:
    model = NETS["plain 3"].model()
    generated = generate_kernel(model)
    bits = re.search(r"float_bits\[2\] PROGMEM = \{0x(\w+)", generated.source)
    assert bits is not None
    one_ulp = generated.source.replace(f"{{0x{bits[1]}", f"{{0x{int(bits[1], 16) + 1:08x}")
    fails(with_source(generated, one_ulp), model, "float inputs|checksum")
    truncating = generated.source.replace("code_half_even", "code_half_away")
    assert truncating != generated.source
    fails(with_source(generated, truncating), model, "quantised float inputs")
    not_a_number = generated.source.replace("(x * read", "((x == x ? x : 0) * read")
    assert not_a_number != generated.source
    fails(with_source(generated, not_a_number), model, "quantised float inputs")
    fails(replace(generated, weights_crc32=generated.weights_crc32 ^ 1), model, "checksum")


def test_a_kernel_of_another_model_fails() -> None:
    fails(generate_kernel(NETS["plain 4"].model()), NETS["plain 5"].model())


HOSTILE_NAMES = (
    ("*/ #error out", "a\n#error out", "a\r\n#error"),
    ("??/\n#error", "\\", "/*"),
    ("é\u2028☃", "x" * 500, "%s{n}"),
)


@pytest.mark.parametrize("names", HOSTILE_NAMES, ids=["ends", "escapes", "odd"])
def test_hostile_layer_names_stay_in_their_comments(names: tuple[str, ...]) -> None:
    net = NETS["narrow 41"]
    layers = tuple(replace(layer, name=name) for layer, name in zip(net.layers, names, strict=True))
    model = replace(net, layers=layers).model()
    assert [layer.name for layer in model.layers] == [name[:80] for name in names]
    generated = generate_kernel(model)
    assert generated.source.isascii()
    assert "#error" not in generated.source
    assert generated.source.count("\n") == generate_kernel(net.model()).source.count("\n")
    check_kernel(generated, model)


def test_several_inputs_and_outputs_are_sampled_with_corners() -> None:
    """And a code that is wrong for one corner only is noticed."""
    model = replace(
        NETS["plain 0"], input=NETS["plain 0"].layers[0].output, layers=NETS["plain 0"].layers[1:]
    ).model()
    x_q, x = trial_codes(model, 2000), sample_floats(model, "litert", 2000)
    assert x_q.shape == x.shape == (2000, 16)
    flat = x_q[(x_q == x_q[:, :1]).all(axis=1), 0]
    assert {-128, 127, model.input.zero_point} <= set(flat)
    assert np.isin(exhaustive_floats(model.input).view(np.uint32), x.view(np.uint32)).all()
    generated = generate_kernel(model)
    check_kernel(generated, model)
    end = "  for (uint8_t j = 0; j < 1; ++j) y_q"
    assert generated.source.count(end) == 1
    lone = (
        "  for (uint8_t i = 0; i < 16; ++i) if (x_q[i] != 127) goto other;\n  a[0] ^= 1, b[0] ^= 1;\nother:\n"
    )
    fails(with_source(generated, generated.source.replace(end, lone + end)), model, r" [12] of 2000 codes")


def test_an_unknown_oracle_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="floor") as caught:
        generate_kernel(NETS["plain 0"].model(), oracle="floor")
    assert caught.value.exit_code == ExitCode.USAGE
    assert "litert" in caught.value.next_step
