"""The unrolled kernel's forms, lines and products: what each formula says, its assembly gives."""

import numpy as np
import pytest
from chains import chain_net
from nets import variety
from test_speed import assert_exact, speed

from sinehil.model.arithmetic import arithmetic_of
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.avr.trial import trial_inputs
from sinehil_kernels.speed import exact_forms
from sinehil_kernels.speed.first_layer import FirstByte, find_first_byte
from sinehil_kernels.speed.folded_network import restricted, stages
from sinehil_kernels.speed.form16 import Form16
from sinehil_kernels.speed.products import NEVER, multiply_add, product_cycles, products, shared
from sinehil_kernels.speed.requantization_plan import Form, StepSearch
from sinehil_kernels.speed.wide_forms import Form24, Form32
from sinehil_kernels.value_ranges import value_ranges


@pytest.mark.parametrize("kind", [Form16, Form24, Form32])
def test_every_form_gives_what_its_assembly_gives(kind: type[Form]) -> None:
    """At the largest u that it says to serve above all: there a sum first finds no room."""
    random = np.random.default_rng(3)
    ends = {True: 0, False: 0}
    for _ in range(150):
        form = any_form(kind, random)
        wide = getattr(form, "long", False) or getattr(form, "third", False) or form.shift < 0
        most = largest_served(form, 1 << (24 if wide else 16))
        ends[most < (1 << (24 if wide else 16)) - 1] += 1
        near = [most - by for by in (0, 1, 2, 255, 256, 257)]
        some = [*near, *(most & ~0xFF, (most & ~0xFF) - 1), *random.integers(0, most + 1, 8).tolist()]
        for u in {u for u in some if u >= 0}:
            assert _run_form(form, u, 3 if wide else 2) == int(form.raw(np.array([u]))[0]), (form, u)
    assert min(ends.values()) > 10, "forms that serve all u, and such as do not"


def any_form(kind: type[Form], random: np.random.Generator) -> Form:
    """Return a form with anything in its fields that the search may try."""
    few, long = int(random.integers(8)) * int(random.integers(2)), bool(random.integers(2))
    constant = int(random.choice([0, random.integers(1 << 16), (1 << 16) - 1]))
    if kind is Form24:
        multiplier = int(random.choice([2 ** random.uniform(16, 24), (1 << 24) - 1, 0xABFFFF]))
        return Form24(few - 3 if long else few, multiplier, long=long, constant=constant)
    if kind is Form32:
        return Form32(few, int(2 ** random.uniform(24, 32)), long=long, constant=constant)
    name = str(random.choice(["one", "plus", "minus", "two", "all"]))
    third = long and name != "all"
    multiplier = int(random.integers(1, 256)) << 8 | (
        int(random.integers(256)) if name in ("two", "all") else 0
    )
    shift = 0 if third else int(random.integers(-6, 8)) * int(random.integers(2))
    extra = 0 if third or shift < 0 else int(random.choice([0, 0, 1, 2]))
    return Form16(name, shift, extra, bool(few % 2), multiplier, constant & 0xFF, third)


def largest_served(form: Form, end: int) -> int:
    """Return the largest u below ``end`` for which there is an answer; where there is one, there is one below."""
    low, high = 0, end
    while high - low > 1:
        middle = (low + high) // 2
        served = int(form.raw(np.array([middle]))[0]) < form.capacity
        low, high = (middle, high) if served else (low, middle)
    return low


def _run_form(form: Form, u: int, width: int) -> int:
    """Return the byte, with what the form says to be above it."""
    assembly = Assembly()
    for register in ("r16", "r17", "r28", "r29"):
        assembly.op("push", register)
    assembly.op("movw", "r30", "r22")
    registers = ("r16", "r17", "r20")[:width]
    for index, register in enumerate(registers):
        assembly.op("ldi", register, u >> 8 * index & 0xFF)
    assembly.op("ldi", "r25", 0)
    byte = form.emit(assembly, registers)
    assembly.op("sbc", "r26", "r26", note="255 if there is a carry")
    above = "r20" if isinstance(form, Form24) and form.long else "r26"
    for register in (byte, above):
        assembly.op("st", "Z+", register)
    assembly.op("clr", "r1")
    for register in ("r29", "r28", "r17", "r16"):
        assembly.op("pop", register)
    assembly.op("ret")
    low, high = (code & 0xFF for code in Machine(assembly.assemble()).call([0], 2).y_q)
    if above == "r26":
        high = high & 1 if form.capacity == 512 else 0
    return low + 256 * high


@pytest.mark.parametrize("net", ["plain 1", "raised floor 90", "relu6 20"])
def test_every_line_in_u_gives_what_its_assembly_gives(net: str) -> None:
    layers = value_ranges(variety()[net].model(), "litert")
    for first, end in ((0, 256), (30, 90), (200, 256)):
        part = restricted(layers, first, end)
        for neuron in stages(part, (None,) * len(part))[0].neurons:
            found = find_first_byte(neuron, np.arange(first, end), can_be_inactive=True)
            for u in found.input_u8[found.active].tolist():
                assert neuron.trace is not None
                code = 255 - u if found.mirrored else u
                at = np.searchsorted(neuron.accumulators, neuron.trace[code - first])
                assert _run_line(found, u) == neuron.wanted[at]


def _run_line(found: FirstByte, u: int) -> int:
    assembly = Assembly()
    assembly.op("movw", "r30", "r22")
    assembly.op("ldi", "r24", u)
    assembly.op("ldi", "r25", 0)
    assembly.op("st", "Z+", found.emit(assembly))
    assembly.op("clr", "r1")
    assembly.op("ret")
    return Machine(assembly.assemble()).call([0], 1).y_q[0] & 0xFF


def test_accumulators_that_no_line_serves_are_told_apart() -> None:
    """A per-tensor layer whose products lie on ties: the line serves all others, and the proof is by full listing."""
    model = chain_net(1, (64, 16, 10)).model()
    layers = value_ranges(model, "litert")
    neuron = stages(layers, (None, None))[0].neurons[0]
    found = exact_forms.find_requantization(neuron)
    assert 1 <= len(found.exceptions) <= 3
    assert not isinstance(found.form, StepSearch)
    low, high = neuron.span
    every = np.arange(low, high + 1)
    u = every - found.offset
    bytes_ = np.where(u < 0, 0, np.minimum(found.form.raw(np.maximum(u, 0)), neuron.top))
    for accumulator, byte in found.exceptions:
        bytes_[accumulator - low] = byte
    scaled = arithmetic_of("litert").requantize(model.dense_layers[0], np.tile(every[:, None], (1, 16)))[:, 0]
    np.testing.assert_array_equal(
        bytes_, np.clip(scaled + model.dense_layers[0].output.zero_point - neuron.base, 0, neuron.top)
    )


def test_every_form_grows_with_u() -> None:
    """What lets a form be proven on both sides of each step only."""
    u = np.arange(1 << 20)
    for form in (
        Form16("all", -4, 1, False, 51_235, 3),
        Form16("two", -4, 0, False, 65_535, 0),
        Form24(0, 255, long=True),
        Form24(0, 65_535, long=True),
        Form24(0, 16_777_215, long=True),
        Form32(0, 4_294_967_295, long=True),
        Form32(0, 65_791, long=True),
    ):
        assert np.diff(form.p(u)).min() >= 0


def test_comparisons_stand_in_where_no_line_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_forms, "_cheapest", lambda *_: None)
    for net in (variety()["narrow 40"], chain_net(5, (2, 4, 1))):
        model = net.model()
        kernel = speed(model)
        assert kernel.program is not None
        assert "steps by comparison" in kernel.sources["sinehil_infer.S"]
        assert_exact(model, kernel.program, trial_inputs(model))


def test_products_are_made_by_the_cheapest_steps() -> None:
    assert [product.step for product in products(frozenset({20, 10, 11}))].count("mul") == 1
    assert product_cycles(frozenset({20, 10, 11})) == 3 + 2 + 2
    assert product_cycles(frozenset({0, 1, 50, 90})) == 6
    for factors in ({3, 4, 5, 6, 7, 8, 16}, {2, 4, 8}, set(range(2, 40))):
        value = 0
        for product in products(frozenset(factors)):
            step = {
                "mul": product.factor,
                "+1": value + 1,
                "-1": value - 1,
                "*2": 2 * value,
                "/2": value // 2,
            }
            value = step[product.step]
            assert value == product.factor
        assert {product.factor for product in products(frozenset(factors))} == factors


def test_a_product_is_spared_where_a_factor_is_a_sum_of_others() -> None:
    made, sums = shared(((30, 2), (41, 2), (71, 2), (255, 2)))
    assert len(made) == 2
    assert made | {each.factor for each in sums} == {30, 41, 71, 255}
    wide, none = shared(((30, NEVER), (41, NEVER), (71, NEVER)))
    assert (wide, none) == ({30, 41, 71}, ())


def test_products_and_their_sums_are_what_the_assembly_adds() -> None:
    random = np.random.default_rng(4)
    for _ in range(60):
        weights = random.integers(-40, 41, 5).tolist()
        weights[random.integers(5)] = int(random.choice([255, -255, 1, -1, 256 - abs(weights[0])]))
        byte = int(random.integers(256))
        found = np.array(_run_products(weights, byte))
        np.testing.assert_array_equal(found, np.array(weights) * byte % (1 << 16))


def _run_products(weights: list[int], byte: int) -> list[int]:
    assembly = Assembly()
    registers = [("r20", "r21"), ("r26", "r27"), ("r28", "r29"), ("r16", "r17"), ("r14", "r15")]
    saved = ("r14", "r15", "r16", "r17", "r28", "r29")
    for register in saved:
        assembly.op("push", register)
    assembly.op("movw", "r30", "r22")
    assembly.op("ldi", "r25", 0)
    for pair in registers:
        for register in pair:
            assembly.op("mov", register, "r25")
    assembly.op("ldi", "r19", byte)
    terms = [(weight, pair, "") for weight, pair in zip(weights, registers, strict=True)]
    multiply_add(assembly, "r19", terms)
    for number, register in enumerate(register for pair in registers for register in pair):
        assembly.op("std", f"Z+{number}", register)
    assembly.op("clr", "r1")
    for register in reversed(saved):
        assembly.op("pop", register)
    assembly.op("ret")
    bytes_ = [code & 0xFF for code in Machine(assembly.assemble()).call([0], 10).y_q]
    return [low + 256 * high for low, high in zip(bytes_[::2], bytes_[1::2], strict=True)]
