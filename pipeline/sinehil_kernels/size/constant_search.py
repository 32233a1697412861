"""Search for the constants of one neuron in one form, by the bounds that its points set."""

from dataclasses import replace
from functools import singledispatch
from itertools import islice

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.size.loop_forms import (
    BYTE,
    FAR,
    FIRST,
    UNKNOWN,
    WRONG,
    Form,
    LongForm,
    NeuronConstants,
    ShortForm,
    StepsForm,
    doubled,
    is_exact,
    with_edge,
    with_points,
)
from sinehil_kernels.size.loop_network import CONSTANT_SLOPES, LoopNeuron, alternatives

LONGEST = LongForm(4, after=FIRST, addend_bytes=2, corrections=True)
OFFSETS = 192  # tried for each multiplier, evenly over those that the slope allows
SPREAD = 0.3  # in codes: how much further than the slope itself allows
TRIES = 60  # how many constants between the bounds are held against all points
SIEVE = 8  # before that, against every 8th point, since most fail early
MOST_STEPS = MOST_CORRECTIONS = 255
CORRECTED = 12  # multipliers tried with corrections


def find(form: Form, neuron: LoopNeuron) -> NeuronConstants | None:
    """Return constants for which ``form`` is exact on every point of the neuron, or None if none are found."""
    others = alternatives(neuron)
    if not isinstance(form, StepsForm) and form.corrections:
        others = islice(others, len(CONSTANT_SLOPES))
    for other in others:
        candidate = doubled(other) if form.doubled else other
        found = search(form, candidate)
        if found is not None and is_exact(form, found):
            return with_edge(form, found)
    return None


@singledispatch
def search(form: object, neuron: LoopNeuron) -> NeuronConstants | None:
    """Return candidate constants for a form."""
    raise TypeError(f"no search for {form} and {neuron}")


@search.register
def _(form: ShortForm, neuron: LoopNeuron) -> NeuronConstants | None:
    return _search_line(form, neuron) if form.addend or form.corrections else _search_offsets(form, neuron)


@search.register
def _(form: LongForm, neuron: LoopNeuron) -> NeuronConstants | None:
    return (_search_split(form, neuron) if form.split else None) or _search_line(form, neuron)


@search.register
def _(form: StepsForm, neuron: LoopNeuron) -> NeuronConstants | None:
    offset = int(neuron.points[0])
    first = np.repeat(neuron.points, np.diff(neuron.wanted, prepend=0)) - offset
    if first.size > MOST_STEPS or (first.size and first[-1] >= 1 << 8 * form.accumulator_bytes):
        return None
    return NeuronConstants(neuron, offset, steps=tuple(first.tolist()))


def _search_offsets(form: ShortForm, neuron: LoopNeuron) -> NeuronConstants | None:
    """Try whole offsets; for each, the multipliers between the bounds that the points set."""
    offsets = _offsets(neuron)
    v = form.reduced(neuron.points - offsets[:, None])
    low, high = _multiplier_bounds(v, neuron, form)
    possible = (low <= high) & (v < UNKNOWN).all(axis=1)
    pairs = (
        (int(offsets[at]), multiplier)
        for at in _middle_first(np.flatnonzero(possible))
        for multiplier in _multipliers(form, int(low[at]), int(high[at]))
    )
    tries = (NeuronConstants(neuron, *pair) for pair in _likely(form, neuron, list(islice(pairs, TRIES))))
    return next((found for found in tries if is_exact(form, found)), None)


def _likely(form: ShortForm, neuron: LoopNeuron, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pairs of offset and multiplier that are exact on every ``SIEVE``-th point, all tried at once."""
    if not pairs:
        return []
    offsets, multipliers = np.array(pairs).T[:, :, None]
    bytes_ = form.line(neuron.points[::SIEVE] - offsets, multipliers)
    most = neuron.top if neuron.saturates else BYTE
    right = (np.minimum(bytes_, most) == neuron.wanted[::SIEVE]).all(axis=1)
    return [pairs[at] for at in np.flatnonzero(right)]


def _search_line(form: ShortForm | LongForm, neuron: LoopNeuron) -> NeuronConstants | None:
    """Try multipliers near the slope; for each, the middle of the addends between the bounds that the points set."""
    if form.corrections:
        return _search_corrected(form, neuron)
    for multiplier in _near(neuron.slope * 2.0**form.exponent, 1 << 8 * form.multiplier_bytes):
        low, high = _line_bounds(neuron, multiplier, form.exponent)
        offset, addend = _split(low, high, multiplier, form.addend_unit)
        found = NeuronConstants(neuron, offset, multiplier, addend, addend)
        if low <= high and addend < form.addend_limit and is_exact(form, found):
            return found
    return None


def _search_split(form: LongForm, neuron: LoopNeuron) -> NeuronConstants | None:
    """Try multipliers near the slope; for each, the least addends for negative accumulators and for the others."""
    if neuron.listed or not neuron.points[0] < 0 <= neuron.points[-1]:
        return None
    whole = with_points(neuron, form.around_zero)
    sides = [
        replace(neuron, points=whole.points[side], wanted=whole.wanted[side])
        for side in (whole.points < 0, whole.points >= 0)
    ]
    for multiplier in _near(neuron.slope * 2.0**form.exponent, 1 << 8 * form.multiplier_bytes):
        bounds = [_line_bounds(side, multiplier, form.exponent) for side in sides]
        offset = max(-(high // multiplier) for _, high in bounds)
        addends = [
            -(-(low + offset * multiplier) // form.addend_unit) * form.addend_unit for low, _ in bounds
        ]
        found = NeuronConstants(neuron, offset, multiplier, addends[1], addends[0])
        if max(addends) < form.addend_limit and min(addends) >= 0 and is_exact(form, found):
            return found
    return None


def _search_corrected(form: ShortForm | LongForm, neuron: LoopNeuron) -> NeuronConstants | None:
    """Return the line with the fewest corrections; for the longest form, if there is none, only corrections."""
    nearest = _near(neuron.slope * 2.0**form.exponent, 1 << 8 * form.multiplier_bytes)[:CORRECTED]
    tries = []
    for multiplier in nearest:
        low, high = _line_bounds(neuron, multiplier, form.exponent)
        offset, addend = _split(low, high, multiplier, form.addend_unit)
        if addend < form.addend_limit:
            tries.append(NeuronConstants(neuron, offset, multiplier, addend))
    if form == LONGEST:
        tries.append(NeuronConstants(neuron, int(neuron.points[0])))
    best = None
    for constants in tries:
        found = constants if is_exact(form, constants) else _corrected(form, constants)
        if found is not None and (best is None or len(found.corrections) < len(best.corrections)):
            best = found
        if best is not None and not best.corrections:
            break
    return best


def _offsets(neuron: LoopNeuron) -> Int64s:
    """Return offsets for which (accumulator - offset) * slope may lie in every wanted code's unit."""
    below = neuron.points - (neuron.wanted + 1) / neuron.slope
    above = neuron.points - neuron.wanted / neuron.slope
    if neuron.saturates:
        below = np.where(neuron.wanted == neuron.top, -np.inf, below)
    above = np.where(neuron.wanted == 0, np.inf, above)
    low, high = float(below.max()), float(above.min())
    if not np.isfinite(low) or not np.isfinite(high):
        known = high if np.isfinite(high) else low
        low, high = (known, known) if np.isfinite(known) else (float(neuron.points[0]),) * 2
    spread = SPREAD / neuron.slope + 2
    low, high = min(low, high) - spread, max(low, high) + spread
    count = min(OFFSETS, int(high - low) + 2)
    offsets: Int64s = np.unique(np.linspace(low, high, count).round().astype(np.int64))
    return offsets


def _multiplier_bounds(v: Int64s, neuron: LoopNeuron, form: ShortForm) -> tuple[Int64s, Int64s]:
    """Return the least and largest multiplier for each row of v [rows, points]; least > largest if there is none."""
    wanted, exponent = neuron.wanted, form.exponent
    active = (v > 0) & (v < FAR)
    divisor = np.maximum(v, 1)
    low = np.where(active, -(-(wanted << exponent) // divisor), np.where((wanted > 0) & (v <= 0), 1 << 40, 0))
    ceiling = np.where(neuron.saturates & (wanted == neuron.top), 512, wanted + 1)
    high = np.where(active, ((ceiling << exponent) - 1) // divisor, 1 << 40)
    limit = 1 << 8 * max(2, form.multiplier_bytes)
    return low.max(axis=1), np.minimum(high.min(axis=1), limit - 1)


def _middle_first(rows: Int64s) -> list[int]:
    order = np.argsort(np.abs(np.arange(len(rows)) - len(rows) // 2), kind="stable")
    found: list[int] = rows[order].tolist()
    return found


def _multipliers(form: ShortForm, low: int, high: int) -> list[int]:
    """Return a few multipliers between the bounds that the stream can hold, the middle first."""
    unit = form.unit
    first, last = -(-low // unit), high // unit
    if not form.exact:
        last += 1  # what is left out makes room
    middle = (first + last) // 2
    steps = sorted(
        range(max(first, middle - 2), min(last, middle + 2) + 1), key=lambda step: abs(step - middle)
    )
    steps += [step for step in (first, last) if step not in steps and first <= last]
    limit = 1 << 8 * max(2, form.multiplier_bytes)
    return [step * unit for step in steps if 0 <= step * unit < limit]


def _near(centre: float, limit: int) -> list[int]:
    """Return the nearest multiplier and others around it, spread ever wider."""
    middle = round(centre)
    steps = [0] + [sign * round(2 ** (power / 2)) for power in range(28) for sign in (1, -1)]
    distances = dict.fromkeys(step for step in steps if abs(step) <= max(1, centre * 2.0**-9))
    return [middle + step for step in distances if 0 < middle + step < limit]


def _line_bounds(neuron: LoopNeuron, multiplier: int, exponent: int) -> tuple[int, int]:
    """Return least and largest b with (accumulator * multiplier + b) >> exponent == wanted; least is never late."""
    start = int(neuron.points[0])  # sums from there on have at most 23 bits, so that products fit into 64
    reach = (neuron.points - start) * multiplier
    rising = neuron.wanted > 0
    low = ((neuron.wanted << exponent) - reach)[rising]
    held = ~((neuron.wanted == neuron.top) & neuron.saturates)
    high = (((neuron.wanted + 1) << exponent) - 1 - reach)[held]
    largest = int(high.min()) if high.size else int(low.max(initial=0))
    least = int(low.max()) if low.size else largest
    return least - start * multiplier, largest - start * multiplier


def _split(low: int, high: int, multiplier: int, unit: int) -> tuple[int, int]:
    """Return offset and addend, a multiple of ``unit``, with addend - offset * multiplier from ``low`` on.

    It is at most ``high`` if there is such an addend. Without a unit there is none.
    """
    if not unit:
        return -low // multiplier, 0
    line = max(low, (low + high) // 2)
    offset = -(line // multiplier)
    addend = line + offset * multiplier
    addend -= addend % unit
    if addend - offset * multiplier < low:
        addend += unit
    return offset, addend


def _corrected(form: ShortForm | LongForm, constants: NeuronConstants) -> NeuronConstants | None:
    """Return the constants with what must be added to the line; None if that cannot be said or is too much.

    Between neighbouring points of an interval the wanted byte does not change; the line must not do so either.
    """
    near = replace(constants, neuron=_neighbourhood(constants.neuron, constants.offset))
    neuron, v, line = near.neuron, form.sums(near), form.bytes_of(near)
    reached = v >= 0
    if np.any(line == WRONG) or np.any(neuron.wanted[~reached]):
        return None
    v, line, wanted = v[reached], line[reached], neuron.wanted[reached]
    if not neuron.listed and np.any((np.diff(v) > 1) & (np.diff(line) != 0)):
        return None
    enough = neuron.saturates & (wanted == neuron.top) & (line >= wanted)
    missing = np.where(enough, 0, wanted - line)
    added = np.diff(missing, prepend=0)
    places = np.flatnonzero(added)
    if len(places) > MOST_CORRECTIONS:
        return None
    corrections = tuple(zip(v[places].tolist(), added[places].tolist(), strict=True))
    return replace(constants, corrections=corrections)


def _neighbourhood(neuron: LoopNeuron, offset: int) -> LoopNeuron:
    """Return the neuron of an interval with the accumulators beside each known one, and with that of v = 0."""
    if neuron.listed:
        return neuron
    points = np.concatenate([*(neuron.points + by for by in (-2, -1, 0, 1)), [offset]])
    points = np.unique(points[(points >= neuron.points[0]) & (points <= neuron.points[-1])])
    known = np.searchsorted(neuron.points, points, side="right") - 1
    return replace(neuron, points=points, wanted=neuron.wanted[known])
