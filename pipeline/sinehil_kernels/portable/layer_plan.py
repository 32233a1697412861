"""Plan a portable kernel: which neurons are computed, and each layer's constants with their proof.

Activations are u = code - origin, where origin is the code that the layer's activation cannot go below; -128 for the
model's input and behind tables. That is one unsigned byte, 0 for a neuron that does not fire; zero points vanish in the
biases.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinehil.model.arrays import Codes, Int64s
from sinehil_kernels.folding import computed_neurons, folded_biases
from sinehil_kernels.portable.oracle_requantization import OracleForm, find_oracle_form
from sinehil_kernels.portable.requantization import (
    LONG,
    SHORT,
    WORD,
    Line,
    Scheme,
    Steps,
    find_line,
    find_steps,
)
from sinehil_kernels.value_ranges import AccumulatorDomain, LayerRanges

Form = Line | Steps | OracleForm
LOWEST = -128


@dataclass(frozen=True)
class Skipped:
    """A neuron that is not computed: its code never changes, or no neuron has a weight for it."""

    neuron: int
    code: int | None  # None: all weights for it are 0


@dataclass(frozen=True)
class LayerPlan:
    """One layer as the C code computes it, t = bias + weights @ u for each neuron.

    ``neurons`` and ``inputs`` are the numbers, in the .tflite, of the rows and columns that ``weights`` [out, in]
    keeps. In ``bias`` are the zero points, skipped inputs, and each form's base. ``spans`` [out, 2] are the lowest and
    highest t. If ``narrow``, t is known from its low 16 bits: what is above ``ceiling`` is negative.
    """

    ranges: LayerRanges
    neurons: tuple[int, ...]
    inputs: tuple[int, ...]
    skipped: tuple[Skipped, ...]
    weights: Codes
    bias: Int64s
    spans: Int64s
    scheme: Scheme
    limited: bool
    forms: tuple[Form, ...]

    @property
    def origin(self) -> int:
        """The code that u = 0 stands for in what the layer hands on."""
        return LOWEST if self.ranges.table is not None else self.ranges.lowest

    @property
    def table(self) -> NDArray[np.uint8] | None:
        """Return what the layer hands on for each u of its own, or None if that is u."""
        if self.ranges.table is None:
            return None
        codes = self.ranges.table[self.ranges.lowest - LOWEST : self.ranges.highest - LOWEST + 1]
        return (codes - LOWEST).astype(np.uint8)

    @property
    def input_table(self) -> NDArray[np.uint8] | None:
        """Return u for each code of the model's input, that of -128 first; None if that is code + 128."""
        table = self.ranges.input_table
        return None if table is None else (table - LOWEST).astype(np.uint8)

    @property
    def highest(self) -> int:
        """The largest u, before a table."""
        return self.ranges.highest - self.ranges.lowest

    @property
    def has_steps(self) -> bool:
        """Whether some neuron is computed by its steps."""
        return any(isinstance(form, Steps) for form in self.forms)

    @property
    def has_oracle_form(self) -> bool:
        """Whether some neuron is computed by the oracle's own arithmetic."""
        return any(isinstance(form, OracleForm) for form in self.forms)

    @property
    def ceiling(self) -> int:
        """A t that none exceeds, and that plus 1 is none modulo 2^16 if ``narrow``; a sign bit where that is enough."""
        highest = max(0, int(self.spans.max()))
        return 2**15 - 1 if highest < 2**15 and self.spans.min() >= -(2**15) else highest

    @property
    def narrow(self) -> bool:
        """Whether 16 bits tell every t, those below 0 from the others."""
        lines_only = not (self.has_steps or self.has_oracle_form)
        return lines_only and self.ceiling - min(0, int(self.spans.min())) < 2**16


def plan_layers(ranges: tuple[LayerRanges, ...], oracle: str) -> list[LayerPlan]:
    """Return a proven plan for each layer."""
    computed = map(tuple, computed_neurons(ranges, keep_outputs=True))  # C has no empty arrays
    plans = []
    inputs, origin = tuple(range(ranges[0].layer.weights.shape[1])), LOWEST
    for found, neurons in zip(ranges, computed, strict=True):
        plans.append(_plan_layer(found, neurons, inputs, origin, _skipped(found, neurons), oracle))
        inputs, origin = neurons, plans[-1].origin
    return plans


def _skipped(found: LayerRanges, neurons: tuple[int, ...]) -> tuple[Skipped, ...]:
    low, high = found.outputs.T.tolist()
    return tuple(
        Skipped(j, low[j] if low[j] == high[j] else None) for j in range(len(low)) if j not in neurons
    )


def _plan_layer(
    found: LayerRanges,
    neurons: tuple[int, ...],
    inputs: tuple[int, ...],
    origin: int,
    skipped: tuple[Skipped, ...],
    oracle: str,
) -> LayerPlan:
    domains = [found.neurons[j] for j in neurons]
    scheme, limited, lines = _choose_lines(domains, found.lowest, found.highest)
    forms = tuple(
        line or find_oracle_form(found, j, oracle) or find_steps(domain, found.lowest)
        for j, domain, line in zip(neurons, domains, lines, strict=True)
    )
    bases = np.array([form.base for form in forms], np.int64)
    spans = np.array([domain.span for domain in domains], np.int64) - bases.reshape(-1, 1)
    bias = _folded_bias(found, neurons, inputs, origin) - bases
    weights = found.layer.weights[np.ix_(neurons, inputs)]
    return LayerPlan(found, neurons, inputs, skipped, weights, bias, spans, scheme, limited, forms)


def _folded_bias(
    found: LayerRanges, neurons: tuple[int, ...], inputs: tuple[int, ...], origin: int
) -> Int64s:
    """Return the accumulators at u = 0 of all ``inputs``, with every other input at the code it always has."""
    codes = found.inputs[:, 0].copy()
    codes[list(inputs)] = origin
    return folded_biases(found.layer, codes)[list(neurons)]


def _choose_lines(
    domains: list[AccumulatorDomain], lowest: int, highest: int
) -> tuple[Scheme, bool, list[Line | None]]:
    """Return the cheapest scheme that has a line for every neuron of the layer.

    Where there is none, the scheme that has the most, and None for the rest.
    """
    best: tuple[Scheme, bool, list[Line | None]] = (WORD, True, [])
    most = -1
    for scheme, limited in _schemes():
        lines = list(_lines(domains, lowest, highest, scheme, limited=limited))
        found = sum(line is not None for line in lines)
        if found > most and len(lines) == len(domains):
            best, most = (scheme, limited, lines), found
        if found == len(domains):
            break
    return best


def _schemes() -> Iterable[tuple[Scheme, bool]]:
    """Name the ways to compute a layer's lines, the cheapest first."""
    for schemes in (SHORT, (WORD,), LONG):
        for limited in (False, True):
            yield from ((scheme, limited) for scheme in schemes)


def _lines(
    domains: list[AccumulatorDomain], lowest: int, highest: int, scheme: Scheme, *, limited: bool
) -> Iterable[Line | None]:
    """Yield a line for each neuron; a cheap scheme is given up at the first that has none."""
    for domain in domains:
        line = find_line(domain, lowest, highest, scheme, limited=limited)
        yield line
        if line is None and scheme not in LONG:
            return
