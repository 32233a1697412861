"""What the loop is made of: the form, the constants, and what of the general loop this model needs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sinehil_kernels.size.constants import BYTE, Constants
from sinehil_kernels.size.forms import Form, Short, Steps
from sinehil_kernels.size.long import Long

LAST_LAYER = 0x7F  # added to the last layer's neuron count: DEC overflows when it comes down to this
SIGNED_16_BITS = range(-(1 << 15), 1 << 15)
Table = tuple[int, ...]


@dataclass(frozen=True)
class LoopLayer:
    """``neurons``: their constants; ``inputs``: their numbers in the layer before; ``table``: code after each code."""

    name: str
    inputs: tuple[int, ...]
    neurons: tuple[Constants, ...]
    table: Table | None = None


@dataclass(frozen=True)
class Loop:
    """A whole kernel, and what of it takes bytes to spare cycles.

    ``unroll``: products between two looks at the end of the inputs. ``flat_shifts``: shifts without a loop.
    ``inlined``: multiplication by the multiplier's bytes without a subroutine.
    """

    form: Form
    layers: tuple[LoopLayer, ...]
    outputs: int
    unroll: int = 1
    flat_shifts: bool = False
    inlined: bool = False

    @property
    def enters_late(self) -> bool:
        """Whether the one input of the first layer is multiplied by the last of the unrolled products.

        An odd number of inputs says so, which no other layer has then.
        """
        return (
            self.unroll > 1
            and len(self.layers) > 1
            and len(self.layers[0].inputs) == 1
            and not self.has_tables
        )

    @cached_property
    def constants(self) -> tuple[Constants, ...]:
        """All neurons of all layers."""
        return tuple(neuron for layer in self.layers for neuron in layer.neurons)

    @cached_property
    def _distinct(self) -> tuple[Constants, ...]:
        """The neurons, each object once: an estimate has the same constants for all neurons of a layer."""
        return tuple({id(each): each for each in self.constants}.values())

    @property
    def accumulator_bytes(self) -> int:
        """Bytes of a sum."""
        return 3 if isinstance(self.form, Long) else self.form.accumulator_bytes

    @cached_property
    def bias_bytes(self) -> int:
        """Bytes of a bias in the stream: two if the third can be had from the sign."""
        short = all(neuron.bias in SIGNED_16_BITS for neuron in self._distinct)
        return 2 if short else self.accumulator_bytes

    @cached_property
    def needs_floor(self) -> bool:
        """Whether a v below zero occurs."""
        return not isinstance(self.form, Steps) and any(
            self.form.sums(neuron).min() < 0 for neuron in self._distinct
        )

    @cached_property
    def needs_ceiling(self) -> bool:
        """Whether a line goes beyond a byte."""
        form = self.form
        if isinstance(form, Steps):
            return False
        return any(int(form.beyond(neuron).max()) > BYTE for neuron in self._distinct)

    @cached_property
    def needs_far(self) -> bool:
        """Whether a v has a third byte, which is then taken for the highest code without a product."""
        form = self.form
        return isinstance(form, Short) and any(form.reaches_far(neuron) for neuron in self._distinct)

    @cached_property
    def needs_top(self) -> bool:
        """Whether something saturates below the highest byte."""
        return not isinstance(self.form, Steps) and any(
            neuron.neuron.saturates
            and neuron.neuron.top < BYTE
            and int(self.form.bytes_of(neuron).max()) > neuron.neuron.top
            for neuron in self._distinct
        )

    @property
    def has_tables(self) -> bool:
        """Whether a layer's codes go through a table."""
        return any(layer.table is not None for layer in self.layers)

    @property
    def pushed(self) -> int:
        """Bytes of activations that lie on the stack at the end."""
        return len(self.constants)


def padded(loop: Loop, number: int, weights: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    """Return the weights in layer ``number``, filled up with zeros to a multiple of what is unrolled."""
    if number == 0 and loop.enters_late:
        return [int(weight) for weight in weights]
    return [*weights.tolist(), *[0] * (-len(weights) % loop.unroll)]
