"""Generate a mutant for each single bit of the constants in C and of the image of an assembled kernel."""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from sinehil.model.tflite import QuantizedModel
from sinehil_audit.mutants.loaded_kernel import PatchableKernel
from sinehil_audit.mutants.mutant import CODE, Mutant, MutantKind, Patch
from sinehil_kernels.avr.assembly import Data, Instruction, Program
from sinehil_kernels.avr.isa import ALL_FORMS, decode
from sinehil_kernels.size.loop import padded, stream_rows
from sinehil_kernels.size.loop_network import computed_network
from sinehil_kernels.size.loop_search import smallest_loop
from sinehil_kernels.size.size_kernel import ENGINE as SIZE
from sinehil_kernels.value_ranges import value_ranges

SCALES = "float_bits"
OF_TABLE = {
    "weights": MutantKind.WEIGHTS,
    "bias": MutantKind.BIASES,
    "table": MutantKind.TABLES,
    "u": MutantKind.TABLES,
}
Constants = Mapping[str, tuple[int, int]]  # bytes a value and values, by name


def constant_flips(patchable: PatchableKernel, constants: Constants) -> Iterator[Mutant]:
    """Yield a mutant for every bit of every constant array in C."""
    for symbol, (value_bytes, count) in constants.items():
        kind = (
            MutantKind.SCALES
            if symbol == SCALES
            else OF_TABLE.get(symbol.rpartition("_")[2], MutantKind.REQUANTISATION)
        )
        for offset, old in enumerate(patchable.read(symbol, value_bytes * count)):
            at, byte = divmod(offset, value_bytes)
            for bit in range(8):
                patch = Patch(symbol, offset, bytes([old ^ 1 << bit]))
                yield Mutant(kind, f"{symbol}[{at}] bit {8 * byte + bit}", (patch,))


def scales_beside(patchable: PatchableKernel) -> Iterator[Mutant]:
    """Yield the float scales 1 ulp above and below."""
    for offset, name in ((0, "quantiser"), (4, "dequantiser")):
        bits = int.from_bytes(patchable.read(SCALES, 8)[offset : offset + 4], "little")
        for ulp in (-1, 1):
            patch = Patch(SCALES, offset, (bits + ulp).to_bytes(4, "little"))
            yield Mutant(MutantKind.ULP, f"{name} {ulp:+d} ulp", (patch,))


def image_flips(program: Program, kinds: Mapping[int, MutantKind]) -> Iterator[Mutant]:
    """Yield a mutant for every bit of the image; ``kinds`` by 8 * byte + bit."""
    for offset, old in enumerate(program.image):
        for bit in range(8):
            patch = Patch(CODE, offset, bytes([old ^ 1 << bit]))
            yield Mutant(kinds[8 * offset + bit], f"byte {offset} bit {bit}", (patch,))


def bit_kinds(program: Program, engine: str, model: QuantizedModel, oracle: str) -> dict[int, MutantKind]:
    """Return what each bit of an image is part of."""
    kinds: dict[int, MutantKind] = {}
    addresses, at = set(program.address_words), 0
    for item in program.items:
        if isinstance(item, Instruction):
            word = program.words[at]
            for bit in range(16):
                kinds[16 * at + bit] = MutantKind.ADDRESS if at in addresses else _of_bit(word, bit)
            at += 1
        elif isinstance(item, Data):
            parts = _stream_kinds(model, oracle) if engine == SIZE else [MutantKind.TABLES] * len(item.values)
            parts += [MutantKind.INSTRUCTIONS] * (len(item.values) - len(parts))  # the byte that fills up
            kinds |= {16 * at + 8 * byte + bit: kind for byte, kind in enumerate(parts) for bit in range(8)}
            at += len(item.values) // 2
    return kinds


def _of_bit(word: int, bit: int) -> MutantKind:
    """Return whether a bit of an instruction belongs to an immediate."""
    name, _ = decode(word)
    return MutantKind.IMMEDIATES if ALL_FORMS[name].bits[15 - bit] == "K" else MutantKind.INSTRUCTIONS


def _stream_kinds(model: QuantizedModel, oracle: str) -> list[MutantKind]:
    """Return what each byte of the size kernel's stream is."""
    loop = smallest_loop(computed_network(value_ranges(model, oracle)))
    assert loop is not None
    kinds: list[MutantKind] = []
    rows = iter(stream_rows(loop))
    for number, layer in enumerate(loop.layers):
        kinds += [MutantKind.COUNTS] * len(next(rows)[1])
        for neuron in layer.neurons:
            weights = len(padded(loop, number, neuron.neuron.weights))
            rest = len(next(rows)[1]) - loop.bias_bytes - weights
            kinds += (
                [MutantKind.BIASES] * loop.bias_bytes
                + [MutantKind.WEIGHTS] * weights
                + [MutantKind.REQUANTISATION] * rest
            )
    for _, table in rows:
        kinds += [MutantKind.TABLES] * len(table)
    return kinds


def layer_rows(model: QuantizedModel, oracle: str) -> list[int]:
    """Return where in the size kernel's stream each layer's two sizes stand, in bytes from the stream's beginning."""
    loop = smallest_loop(computed_network(value_ranges(model, oracle)))
    assert loop is not None
    lengths = [len(values) for _, values in stream_rows(loop)]
    starts = [0, *accumulate(lengths)]
    firsts = [0, *accumulate(1 + len(layer.neurons) for layer in loop.layers)]
    return [starts[first] for first in firsts[:-1]]
