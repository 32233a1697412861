"""Generate mutants of more than a bit: swapped neurons, loops off by one, wrong roundings, another oracle."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations

from sinehil.model.arithmetic import ORACLES
from sinehil.model.tflite import FullyConnected, QuantizedModel
from sinehil_audit.mutants.flips import Constants, layer_rows
from sinehil_audit.mutants.loaded_kernel import PatchableKernel
from sinehil_audit.mutants.mutant import CODE, Mutant, MutantKind, Patch
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.c_parts import float_ends
from sinehil_kernels.generated import C_FILE
from sinehil_kernels.portable.layer_plan import plan_layers
from sinehil_kernels.portable.requantization import Line
from sinehil_kernels.size.size_kernel import ENGINE as SIZE
from sinehil_kernels.value_ranges import value_ranges

PAIRS = 6  # of each layer of a kernel in assembly, which has to be generated anew for each
HALF_EVEN, HALF_AWAY = "sinehil_code_half_even(", "sinehil_code_half_away("
SCALED = re.compile(r"(sinehil_code_half_\w+\()(x [*/] read_float\(0\))")


def swapped_constants(
    patchable: PatchableKernel, constants: Constants, model: QuantizedModel
) -> Iterator[Mutant]:
    """Yield each two neurons of a layer of the C kernel in each other's place, wholly or in one of their constants."""
    for layer in range(1, len(model.dense_layers) + 1):
        own = {name: size for name, size in constants.items() if name.startswith(f"layer_{layer}_")}
        neurons = own[f"layer_{layer}_bias"][1]
        rows = {name: size * count // neurons for name, (size, count) in own.items() if count % neurons == 0}
        rows.pop(f"layer_{layer}_table", None)
        for a, b in combinations(range(neurons), 2):
            each = {name: _exchanged(patchable, name, row, a, b) for name, row in rows.items()}
            for what, patches in (("neurons", sum(each.values(), ())), *each.items()):
                if patches:
                    yield Mutant(MutantKind.SWAPPED, f"layer {layer}: {what} {a} and {b}", patches)


def _exchanged(patchable: PatchableKernel, symbol: str, row_bytes: int, a: int, b: int) -> tuple[Patch, ...]:
    whole = patchable.read(symbol, (max(a, b) + 1) * row_bytes)
    first, second = (whole[at * row_bytes : (at + 1) * row_bytes] for at in (a, b))
    return (
        () if first == second else (Patch(symbol, a * row_bytes, second), Patch(symbol, b * row_bytes, first))
    )


def swapped_in_the_model(kernel: GeneratedKernel, model: QuantizedModel, seed: int) -> Iterator[Mutant]:
    """Yield kernels generated from the model with two neurons in each other's place, but not their columns."""
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    for at, layer in enumerate(model.layers):
        if not isinstance(layer, FullyConnected):
            continue
        pairs = list(combinations(range(layer.outputs), 2))
        for a, b in draw.sample(pairs, min(PAIRS, len(pairs))):
            make = partial(_with_swapped, kernel, model, at, (a, b))
            yield Mutant(MutantKind.SWAPPED, f"layer {at + 1}: neurons {a} and {b}", make=make)


def _with_swapped(
    kernel: GeneratedKernel, model: QuantizedModel, at: int, neurons: tuple[int, int]
) -> GeneratedKernel:
    layer = model.layers[at]
    assert isinstance(layer, FullyConnected)
    order = list(range(layer.outputs))
    for one, other in (neurons, neurons[::-1]):
        order[one] = other
    turned = replace(
        layer,
        weights=layer.weights[order],
        bias=layer.bias[order],
        weight_scales=layer.weight_scales[order],
    )
    changed = replace(model, layers=(*model.layers[:at], turned, *model.layers[at + 1 :]))
    return generate_kernel(changed, kernel.oracle, kernel.engine)


def loops_in_c(kernel: GeneratedKernel) -> Iterator[Mutant]:
    """Yield the C kernel with each loop of a layer one turn short, at its end or at its beginning."""
    zeroed = re.sub(r"uint8_t a\[(\d+)\], b\[(\d+)\];", r"uint8_t a[\1] = {0}, b[\2] = {0};", kernel.source)
    functions = re.split(r"(?=static void layer_)", zeroed)
    for at, function in enumerate(functions[1:], 1):
        for name, count in re.findall(r"for \(uint8_t ([ij]) = 0; \w < (\d+); \+\+\w\)", function)[:2]:
            loop = f"for (uint8_t {name} = 0; {name} < {count}"
            shorter = [loop.replace("= 0", "= 1")]
            if int(count) > 1:
                shorter.append(loop.replace(f"< {count}", f"< {int(count) - 1}"))
            for text in shorter:
                changed = [*functions[:at], function.replace(loop, text, 1), *functions[at + 1 :]]
                yield _with_text(MutantKind.LOOP, f"layer {at}: {text})", kernel, "".join(changed))


def loops_of_the_stream(kernel: GeneratedKernel, model: QuantizedModel) -> Iterator[Mutant]:
    """Yield the size kernel with one input or neuron more or less in a layer."""
    if kernel.engine != SIZE or kernel.program is None:
        return
    image, stream = kernel.program.image, 2 * kernel.program.labels["stream"]
    for layer, row in enumerate(layer_rows(model, kernel.oracle), 1):
        for at, what in enumerate(("inputs", "neurons")):
            for more in (-1, 1):
                offset = stream + row + at
                patch = Patch(CODE, offset, bytes([(image[offset] + more) % 256]))
                yield Mutant(MutantKind.LOOP, f"layer {layer}: {more:+d} {what}", (patch,))


def roundings_of_sums(constants: Constants, model: QuantizedModel, oracle: str) -> Iterator[Mutant]:
    """Yield the C kernel with a neuron's requantisation rounding down, and up, instead of to the nearest."""
    for layer, plan in enumerate(plan_layers(value_ranges(model, oracle), oracle), 1):
        symbol, half = f"layer_{layer}_offset", 1 << plan.scheme.shift - 1
        width = constants[symbol][0]
        for neuron, form in enumerate(plan.forms):
            if isinstance(form, Line):
                for name, added in (("down", -half), ("up", half)):
                    new = (form.offset + added) % (1 << 8 * width)
                    patch = Patch(symbol, neuron * width, new.to_bytes(width, "little"))
                    yield Mutant(MutantKind.ROUNDING, f"layer {layer} neuron {neuron}: {name}", (patch,))


def roundings_of_x(kernel: GeneratedKernel) -> Iterator[Mutant]:
    """Yield the kernel with float x rounded otherwise: ties the other way, truncated as sketches do it, down, up."""
    ties = {HALF_EVEN: HALF_AWAY, HALF_AWAY: HALF_EVEN}
    yield _with_text(
        MutantKind.ROUNDING,
        "x: ties the other way",
        kernel,
        SCALED.sub(lambda found: ties[found[1]] + found[2], kernel.source),
    )
    for function in ("trunc", "floor", "ceil"):
        text = SCALED.sub(rf"\1__builtin_{function}f(\2)", kernel.source)
        yield _with_text(MutantKind.ROUNDING, f"x: {function}", kernel, text)


def kernels_for_other_oracles(kernel: GeneratedKernel, model: QuantizedModel) -> Iterator[Mutant]:
    """Yield kernels that are right for another oracle, in their layers, their float ends or both, under our name."""
    for oracle in ORACLES:
        if oracle != kernel.oracle:
            for what in ("kernel", "layers", "float ends"):
                make = partial(_for_another, kernel, model, oracle, what)
                yield Mutant(MutantKind.ORACLE, f"{what} for {oracle}", make=make)


def _for_another(kernel: GeneratedKernel, model: QuantizedModel, oracle: str, what: str) -> GeneratedKernel:
    ours, theirs = float_ends(model, kernel.oracle), float_ends(model, oracle)
    if what == "float ends":
        return _changed(kernel, kernel.source.replace(ours, theirs))
    other = generate_kernel(model, oracle, kernel.engine)
    text = other.source.replace(f'"{oracle}",', f'"{kernel.oracle}",', 1)
    return _changed(other, text.replace(theirs, ours) if what == "layers" else text)


def _with_text(kind: MutantKind, name: str, kernel: GeneratedKernel, text: str) -> Mutant:
    return Mutant(kind, name, make=partial(_changed, kernel, text))


def _changed(kernel: GeneratedKernel, text: str) -> GeneratedKernel:
    return replace(kernel, sources={**kernel.sources, C_FILE: text})
