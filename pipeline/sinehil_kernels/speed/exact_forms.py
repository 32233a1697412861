"""Search for the cheapest requantization that is right on every accumulator of a neuron.

A candidate is held against every point of the neuron: all accumulators that occur, or for intervals both sides of
every step and both ends, which is enough since the forms grow with u. What passes is proven; nothing else is used.

Intervals: a line gives wanted <= slope * accumulator + c < wanted + 1 at every point. For one slope that leaves a
range of c; its width is a concave function of the slope. The oracle's own factor is not always the best: float32
products near a tie are rounded to it, from both sides. Where no slope serves all points, the few that stand in the
way are special-cased.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil, floor

import numpy as np

from sinehil.model.arrays import Bools, Int64s
from sinehil_kernels.speed.folded_network import FoldedNeuron
from sinehil_kernels.speed.form16 import forms16
from sinehil_kernels.speed.requantization_plan import Exceptions, Form, Requantization, SplitForm, StepSearch
from sinehil_kernels.speed.wide_forms import forms24, forms32

SPREAD, HALVINGS = 2e-4, 60  # relative: the range of slopes that is searched
MOST_EXCEPTIONS = 3


def serve_interval(neuron: FoldedNeuron) -> tuple[FoldedNeuron, Exceptions] | None:
    """Return the neuron with its best slope, without the accumulators to special-case; None if too many."""
    exceptions: Exceptions = ()
    while True:
        slope = _best_slope(neuron)
        if _width(neuron, slope) > 0:
            return replace(neuron, slope=slope), exceptions
        if len(exceptions) == MOST_EXCEPTIONS:
            return None
        without = [_without(neuron, index) for index in _binding(neuron, slope)]
        found = [pair for pair in without if pair is not None]
        if not found:
            return None
        neuron, exception = max(found, key=lambda pair: _width(pair[0], _best_slope(pair[0])))
        exceptions = (*exceptions, exception)


def _best_slope(neuron: FoldedNeuron) -> float:
    low, high = neuron.slope * (1 - SPREAD), neuron.slope * (1 + SPREAD)
    for _ in range(HALVINGS):
        third = (high - low) / 3
        if _width(neuron, low + third) < _width(neuron, high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


def _width(neuron: FoldedNeuron, slope: float) -> float:
    least, most = _sides(neuron, slope)
    return float(most.min() - least.max())


def _sides(neuron: FoldedNeuron, slope: float) -> tuple[Int64s, Int64s]:
    """Return the bounds of c that each point sets; infinite where the clamps set none."""
    remainder = neuron.wanted - slope * neuron.accumulators
    below_top = neuron.wanted < neuron.top
    return np.where(neuron.wanted > 0, remainder, -np.inf), np.where(below_top, remainder + 1, np.inf)


def _binding(neuron: FoldedNeuron, slope: float) -> tuple[int, int]:
    least, most = _sides(neuron, slope)
    return int(least.argmax()), int(most.argmin())


def _without(neuron: FoldedNeuron, index: int) -> tuple[FoldedNeuron, tuple[int, int]] | None:
    """Take a point out; its neighbour of the same byte takes its place. None if it is an end of the interval."""
    at, wanted = neuron.accumulators, neuron.wanted
    if index in (0, len(at) - 1):
        return None
    exception = (int(at[index]), int(wanted[index]))
    first_of_byte = wanted[index] != wanted[index - 1]
    neighbour = at[index] + (1 if first_of_byte else -1)
    same = wanted[index + 1 if first_of_byte else index - 1] == wanted[index]
    if not same or neighbour in at:
        return replace(neuron, accumulators=np.delete(at, index), wanted=np.delete(wanted, index)), exception
    moved = at.copy()
    moved[index] = neighbour
    return replace(neuron, accumulators=moved), exception


WORD, SIGN = 1 << 16, 1 << 15
MOST_OFFSETS, BEST_OF = 96, 8
CUT = 256
SIEVE = 8  # first every 8th point, since most candidates fail early


def find_requantization(neuron: FoldedNeuron, codes: Int64s | None = None) -> Requantization:
    """Return the cheapest form that is right on every point of the neuron; comparisons if there is no other.

    ``codes``: those of the input that the trace is of, if they are still at hand where the neuron is computed.
    """
    if neuron.trace is not None:
        found = _cheapest(neuron)
        by_codes = None if codes is None else _where_active(neuron, codes)
        plans = [plan for plan in (found, by_codes) if plan is not None]
        best = min(plans, key=lambda plan: (plan.width, plan.cycles(neuron.top)), default=None)
        return best or _with_limit(neuron) or _comparisons(neuron)
    return _on_interval(neuron) or _split(neuron) or _comparisons(neuron)


def _on_interval(neuron: FoldedNeuron) -> Requantization | None:
    served = serve_interval(neuron)
    if served is None:
        return None
    line, exceptions = served
    ways = ((of, wide) for wide in (False, True) for of in (_cheapest, _with_limit))
    found = next(filter(None, (of(line, (wide,)) for of, wide in ways)), None)
    return None if found is None else replace(found, exceptions=exceptions)


def _split(neuron: FoldedNeuron) -> Requantization | None:
    """Return a line for each side of 0; None unless both sides have one."""
    low, high = neuron.span
    if not low < 0 <= high or _side(neuron, low, 0).wanted[-1] == 0:
        return None
    negative, other = _on_interval(_side(neuron, low, 0)), _on_interval(_side(neuron, 0, high + 1))
    if negative is None or other is None:
        return None
    own_width = 2 if low >= -SIGN and high < SIGN else 3
    width = max(own_width, negative.width, other.width)
    return Requantization(SplitForm(negative, other), 0, width, "", 0, neuron.top)


def _side(neuron: FoldedNeuron, first: int, end: int) -> FoldedNeuron:
    """Return the neuron on the accumulators from ``first`` to ``end`` - 1 only."""
    at = neuron.accumulators
    points = np.unique(np.append(at[(at >= first) & (at < end)], (first, end - 1)))
    return replace(
        neuron, accumulators=points, wanted=neuron.wanted[np.searchsorted(at, points, "right") - 1]
    )


def _cheapest(neuron: FoldedNeuron, widths: Sequence[bool] = (False, True)) -> Requantization | None:
    """Return the cheapest form for two bytes, or else for three; ``widths``: which of these to try, True for three."""
    best: Requantization | None = None
    for wide in widths:
        if (best is not None) if wide else not _two_bytes_can_do(neuron):
            continue
        for group in _groups(neuron, wide):
            if best is not None and group[0].cycles >= best.cycles(neuron.top):
                break
            found = _first(neuron, group, wide)
            if found is not None and (best is None or found.cycles(neuron.top) < best.cycles(neuron.top)):
                best = found
    return best


def _where_active(neuron: FoldedNeuron, codes: Int64s) -> Requantization | None:
    """Return the cheapest form for the active points alone, if the input code decides which those are."""
    assert neuron.trace is not None
    at = np.flatnonzero(neuron.wanted[np.searchsorted(neuron.accumulators, neuron.trace)])
    if not at.size or at.size == len(codes) or at[-1] - at[0] + 1 > at.size:
        return None
    active = neuron.wanted > 0
    found = _cheapest(replace(neuron, accumulators=neuron.accumulators[active], wanted=neuron.wanted[active]))
    if found is None or found.inactive_test:
        return None
    first, last = int(codes[at[0]]), int(codes[at[-1]])
    ends = (None if first == codes[0] else first, None if last == codes[-1] else last + 1)
    return replace(found, inactive_test="codes", codes=ends)


def _with_limit(neuron: FoldedNeuron, widths: Sequence[bool] = (False, True)) -> Requantization | None:
    """Return a form that goes up to CUT beyond the first accumulator at the top; above, a comparison finds the top."""
    near = before_limit(neuron)
    found = None if near is None else _cheapest(near, widths)
    return None if found is None else with_limit(found, neuron)


def before_limit(neuron: FoldedNeuron) -> FoldedNeuron | None:
    """Return the neuron up to CUT beyond its first accumulator at the top; None if it does not go so far."""
    at_top = neuron.accumulators[neuron.wanted == neuron.top]
    if not at_top.size or at_top[-1] - at_top[0] <= CUT:
        return None
    end = int(at_top[0]) + CUT
    inside = neuron.accumulators < end
    return replace(
        neuron,
        accumulators=np.append(neuron.accumulators[inside], end),
        wanted=np.append(neuron.wanted[inside], neuron.top),
    )


def with_limit(found: Requantization, neuron: FoldedNeuron) -> Requantization:
    """Return a form made for the neuron ``before_limit`` with the comparison that serves all of the neuron."""
    first = int(neuron.accumulators[neuron.wanted == neuron.top][0])
    highest = neuron.span[1] - found.offset
    test = found.inactive_test
    if (found.width == 2 and highest >= (SIGN if test == "sign" else WORD)) or test == "compare":
        found = replace(found, width=3, inactive_test="sign" if test else "")
    return replace(found, limit=(first - found.offset) // 256 + 1)


def _groups(neuron: FoldedNeuron, wide: bool) -> Iterator[Sequence[Form]]:
    low = neuron.accumulators[neuron.wanted == 0]
    highest = neuron.span[1] - (int(low.max()) if low.size else neuron.span[0])
    groups: list[Sequence[Form]] = [*forms16(neuron.slope, highest, wide, neuron.trace is None)]
    groups += forms24(neuron.slope, highest, wide)
    if neuron.trace is None:
        groups += forms32(neuron.slope, highest, wide)
    yield from sorted(groups, key=lambda group: group[0].cycles)


def _first(neuron: FoldedNeuron, group: Sequence[Form], wide: bool) -> Requantization | None:
    for form in group:
        found = (_with_constant if form.constant else _with_offset)(neuron, form, wide)
        if found is not None:
            return found
    return None


def _with_offset(neuron: FoldedNeuron, form: Form, wide: bool) -> Requantization | None:
    """Return the form with the offset for which it is right on every point, the cheapest test first; None if none."""
    offsets = _offsets(neuron, form)
    offsets = offsets[representable(neuron, offsets, wide)]
    for sieve in (SIEVE, 1):
        if not offsets.size:
            return None
        offsets = offsets[right(neuron, form, offsets, sieve)]
    made = (tested(neuron, form, offset, wide) for offset in offsets[:BEST_OF].tolist())
    return min(made, key=lambda plan: plan.cycles(neuron.top), default=None)


def _with_constant(neuron: FoldedNeuron, form: Form, wide: bool) -> Requantization | None:
    """Return the form with offset and constant, a fraction of an offset, in the middle of those that are right."""
    least, most = _window(neuron, replace(form, constant=0))
    offset = np.array([ceil((least + most) / 2)])
    if least > most or not representable(neuron, offset, wide).any():
        return None
    u = neuron.accumulators - offset[0]
    p, below_top = replace(form, constant=0).p(np.maximum(u, 0)), (neuron.wanted < neuron.top) & (u >= 0)
    low = int((neuron.wanted * form.unit - p)[neuron.wanted > 0].max())
    high = int(((neuron.wanted + 1) * form.unit - 1 - p)[below_top].min()) if below_top.any() else low
    fitted = replace(form, constant=max(0, min((low + high) // 2, form.most_constant)))
    return tested(neuron, fitted, int(offset[0]), wide) if right(neuron, fitted, offset, 1).all() else None


def _window(neuron: FoldedNeuron, form: Form) -> tuple[float, float]:
    """Return the least and the most offset that can be right at all.

    wanted * unit <= slope * u + constant, and slope * u + constant - error < (wanted + 1) * unit but for the clamp.
    """
    below_top = neuron.wanted < neuron.top
    active = neuron.wanted > 0
    at, bytes_ = neuron.accumulators, neuron.wanted
    most = (at - (bytes_ * form.unit - form.constant) / form.slope)[active].min()
    least = (at - ((bytes_ + 1) * form.unit + form.error - form.constant) / form.slope)[below_top]
    return float(least.max()) if least.size else float(most - MOST_OFFSETS), float(most)


def _offsets(neuron: FoldedNeuron, form: Form) -> Int64s:
    """Return the whole offsets that can be right at all, from the middle outwards."""
    least, most = _window(neuron, form)
    low, high = ceil(least), floor(most)
    middle = (low + high) // 2
    found = np.arange(max(low, middle - MOST_OFFSETS // 2), min(high, middle + MOST_OFFSETS // 2) + 1)
    return found[np.argsort(np.abs(found - middle), kind="stable")]


def representable(neuron: FoldedNeuron, offsets: Int64s, wide: bool) -> Bools:
    """Return for which offsets the bytes distinguish every u that occurs; inactive ones need only be known as such."""
    low, high = neuron.span[0] - offsets, neuron.span[1] - offsets
    if wide:
        return (high < SIGN * 256) & (low >= -SIGN * 256)
    start = high // 256 + 1
    compared = (start < 256) & (low + WORD >= 256 * start)
    found: Bools = np.where(low >= 0, high < WORD, ((high < SIGN) & (low >= -SIGN)) | compared)
    return found


def _two_bytes_can_do(neuron: FoldedNeuron) -> bool:
    """Say whether 16 bits hold what occurs, for offsets just below the first active accumulator."""
    first = int(neuron.accumulators[neuron.wanted > 0].min())
    back = min(2 / neuron.slope, 2.0 * WORD)
    near = np.arange(first - ceil(back) - 2, first + 1)
    return bool(representable(neuron, near, wide=False).any())


def right(neuron: FoldedNeuron, form: Form, offsets: Int64s, sieve: int) -> Bools:
    """Say for which offsets every ``sieve``-th point comes out right."""
    wanted = neuron.wanted[::sieve]
    u = neuron.accumulators[::sieve] - offsets[:, None]
    raw = form.raw(np.maximum(u, 0))
    clamped = (wanted == neuron.top) & (raw >= neuron.top) & (raw < form.capacity)
    right: Bools = np.where(u < 0, wanted == 0, (raw == wanted) | clamped).all(axis=1)
    return right


def tested(neuron: FoldedNeuron, form: Form, offset: int, wide: bool) -> Requantization:
    """Return the form with the test for inactive accumulators."""
    low, high = neuron.span[0] - offset, neuron.span[1] - offset
    u = neuron.accumulators - offset
    largest = int(form.raw(u[u >= 0]).max())
    test = "" if low >= 0 else "sign" if wide or (high < SIGN and low >= -SIGN) else "compare"
    return Requantization(form, offset, 3 if wide else 2, test, high // 256 + 1, largest)


def _comparisons(neuron: FoldedNeuron) -> Requantization:
    low, high = neuron.span
    offset = (low + high + 1) // 2
    width = 2 if high - low < WORD else 3
    steps = StepSearch.through(neuron.accumulators - offset, neuron.wanted)
    return Requantization(steps, offset, width, "", 0, neuron.top)
