"""Emit the input bytes of a stage, from the model's input or from memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.first_layer import FirstByte
from sinehil_kernels.speed.folded_network import LOWEST_CODE, ByteTable
from sinehil_kernels.speed.registers import BYTE, INPUT, X
from sinehil_kernels.speed.requantization_plan import StepSearch
from sinehil_kernels.speed.stage_plan import PlannedStage, first_layer_comment

Consume = Callable[[str, int], None]  # register of the byte, number of the source
Numbered = tuple[int, FirstByte]
REACH, WORDS, WORDS_A_STEP = (
    1700,
    80,
    4,
)  # words behind one dispatch, so that its jumps reach; words of a neuron
MOST_ON_STACK = 10  # bytes on the stack between two passes


@dataclass(frozen=True)
class SourcePass:
    """The ``number``-th of ``count`` passes; ``keeps``: the stack stays as it is left until the next one."""

    number: int
    count: int
    keeps: bool

    @property
    def is_last(self) -> bool:
        """Whether no other follows."""
        return self.number == self.count - 1


class ByteSource(Protocol):
    """Hands every byte of an active neuron to ``consume``, once a pass."""

    @property
    def taken(self) -> tuple[str, ...]:
        """The registers that it needs."""

    def emit(self, assembly: Assembly, consume: Consume, which: SourcePass) -> None:
        """Write one pass over the sources."""


@dataclass
class FromInput:
    """First-layer neurons of a one-input model, computed where they are used.

    Those that are inactive over a part of the codes are sorted by their thresholds, so that a few comparisons of the
    input find the first active one, behind which all are active: no more tests. Where the stack allows, every other
    pass pops what the one before it has pushed, in reverse, up to the first inactive neuron.
    """

    planned: PlannedStage
    mirrored: bool = False  # whether INPUT is 255 - input_u8

    @property
    def taken(self) -> tuple[str, ...]:
        """The register of the input."""
        return (INPUT,)

    def emit(self, assembly: Assembly, consume: Consume, which: SourcePass) -> None:
        """Write one pass: always active neurons, then the two chains; or all that in reverse."""
        on_stack = which.keeps and self._most_active() <= MOST_ON_STACK
        if on_stack and which.number % 2:
            self._emit_reverse(assembly, consume)
            return
        if on_stack and not which.is_last:
            consume = _pushing(assembly, consume)
        for part in self._parts():
            self._turn(assembly, part)
            if part[0][1].kind == "always":
                self._emit_neuron(assembly, consume, *part[0])
            else:
                self._emit_chain(assembly, consume, part)

    def _parts(self) -> list[list[Numbered]]:
        """Return single neurons that are always active, and chains."""
        every = list(enumerate(self.planned.first or ()))
        parts = [[pair] for pair in every if pair[1].kind == "always"]
        for kind in ("up", "down"):
            chain = [pair for pair in every if pair[1].kind == kind]
            chain.sort(key=lambda pair: (-pair[1].threshold, pair[0]))
            parts += _in_reach(chain)
        return parts

    def _most_active(self) -> int:
        """Return how many bytes there are at most."""
        active = [
            first.active[::-1] if first.mirrored else first.active for first in self.planned.first or ()
        ]
        return int(np.sum(active, axis=0).max()) if active else 0

    def _turn(self, assembly: Assembly, part: Sequence[Numbered]) -> None:
        """Let INPUT be what the neurons need."""
        if part[0][1].mirrored != self.mirrored:
            assembly.op("com", INPUT, note="u" if self.mirrored else "255 - u")
            self.mirrored = not self.mirrored

    def _emit_chain(self, assembly: Assembly, consume: Consume, chain: Sequence[Numbered]) -> None:
        """Enter at the first active neuron; those before it are inactive."""
        entries = [assembly.new_label("first") for _ in chain]
        end = assembly.new_label("rest")
        bounds = [first.threshold for _, first in chain]
        lowest, highest = int(chain[0][1].input_u8[0]), int(chain[0][1].input_u8[-1]) + 1
        weights = [a - b for a, b in pairwise([highest, *bounds, lowest])]
        InputDispatch((end, *entries[::-1]), tuple(bounds[::-1]), tuple(weights[::-1])).emit(assembly)
        for entry, (number, first) in zip(entries, chain, strict=True):
            assembly.label(entry)
            self._emit_neuron(assembly, consume, number, first)
        assembly.label(end)

    def _emit_neuron(self, assembly: Assembly, consume: Consume, number: int, first: FirstByte) -> None:
        for line in first_layer_comment(self.planned, number):
            assembly.comment(line)
        byte = first.emit(assembly)
        if self.planned.stage.lookup is not None:
            self.planned.stage.lookup.emit(assembly, byte, self.planned.stage.neurons[number].base)
        consume(byte, number)

    def _emit_reverse(self, assembly: Assembly, consume: Consume) -> None:
        """Write the pass that pops what was pushed last first; a chain ends at the first inactive neuron."""
        for part in reversed(self._parts()):
            end = assembly.new_label("rest")
            if part[0][1].kind != "always":
                self._turn(assembly, part)
            for number, first in reversed(part):
                if first.kind != "always":
                    assembly.op("cpi", INPUT, first.threshold)
                    assembly.op("brlo", end)
                assembly.op("pop", BYTE, note=f"neuron {self.planned.stage.neurons[number].number}")
                consume(BYTE, number)
            assembly.label(end)


def _pushing(assembly: Assembly, consume: Consume) -> Consume:
    """Return what keeps a byte before it is consumed."""

    def both(byte: str, number: int) -> None:
        assembly.op("push", byte, note="for the next pass")
        consume(byte, number)

    return both


@dataclass(frozen=True)
class InputDispatch:
    """Jumps to one of ``labels`` by comparing INPUT with the ``bounds`` between them; falls through to the last."""

    labels: tuple[str, ...]
    bounds: tuple[int, ...]
    weights: tuple[int, ...]

    def emit(self, assembly: Assembly) -> None:
        """Write the comparisons, halving by how many codes go where."""
        self._between(assembly, 0, len(self.labels))

    def _between(self, assembly: Assembly, first: int, end: int) -> None:
        if end - first == 1:
            if end < len(self.labels):
                assembly.op("rjmp", self.labels[first])
            return
        middle = self._middle(first, end)
        beyond = assembly.new_label("u")
        assembly.op("cpi", INPUT, self.bounds[middle - 1])
        assembly.op("brsh", beyond)
        self._between(assembly, first, middle)
        assembly.label(beyond)
        self._between(assembly, middle, end)

    def _middle(self, first: int, end: int) -> int:
        sums = np.cumsum(self.weights[first:end])
        balance = np.abs(2 * sums[:-1] - sums[-1])
        return first + 1 + int(balance.argmin())


@dataclass(frozen=True)
class FromMemory:
    """Bytes behind X, in the order of ``numbers``: input codes (``shifted`` by 128), or what a stage has pushed.

    ``can_be_inactive``: whether each source can be, so that a test spares its products. A ``lookup`` is for input
    codes.
    """

    numbers: tuple[int, ...]
    can_be_inactive: tuple[bool, ...]
    shifted: bool
    lookup: ByteTable | None

    @property
    def taken(self) -> tuple[str, ...]:
        """The pointer."""
        return X

    def emit(self, assembly: Assembly, consume: Consume, which: SourcePass) -> None:
        """Write one pass; X is set back unless it is the last."""
        for number in self.numbers:
            assembly.op("ld", BYTE, "X+", note=f"source {number}")
            if self.shifted:
                assembly.op("subi", BYTE, 128)
            if self.lookup is not None:
                self.lookup.emit(assembly, BYTE, LOWEST_CODE)
            skip = assembly.new_label("skip")
            if self.can_be_inactive[number]:
                assembly.op("tst", BYTE)
                assembly.op("breq", skip)
            consume(BYTE, number)
            assembly.label(skip)
        if not which.is_last:
            for step in _steps_back(len(self.numbers)):
                assembly.op("sbiw", X[0], step)


def _steps_back(count: int) -> Iterator[int]:
    while count > 0:
        yield min(count, 63)
        count -= 63


def _in_reach(chain: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    """Yield parts of a chain over which a dispatch can jump."""
    part: list[Numbered] = []
    words = 0
    for pair in chain:
        form = pair[1].form
        more = WORDS + (WORDS_A_STEP * len(form.starts) if isinstance(form, StepSearch) else 0)
        if part and words + more > REACH:
            yield part
            part, words = [], 0
        part.append(pair)
        words += more
    if part:
        yield part
