"""Search by simulated annealing: accept changes that reduce errors above the goal, at a falling cost to other codes.

A code is in violation where its error is above a goal. What a change does is first worked out for codes in violation
only: one that does not help there cannot help at all, so most are dropped for a tenth of the price.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Codes, Float32s, Float64s, Int32s, Int64s
from sinehil_pipeline.refinement.exact_network import EVERY_CODE, Change, Network, Selection
from sinehil_pipeline.refinement.moves import draw_change, layer_lots

Snapshot = list[tuple[Codes, Int32s]]
OnStep = Callable[[int, float], None]

TRIED, KEPT = 256, 32  # alternatives in a step, and how many of them are worked out for all codes
MAX_FOCUS = 48  # codes in violation that are looked at first
FOCUSED_TENTHS = 8  # of ten steps; the others take what comes, to move about on plateaus
HEAT = 1000  # penalty that may be lost in one step at the beginning
GRAINS_PER_LSB, MAX_GRAINS = 16, 512
STEPS_PER_REPORT = 1000


class Penalty:
    """What an output costs: the square of its excess over the goal, in sixteenths of an output code."""

    def __init__(self, errors: Float64s, goal: float, lsb: float, zero_point: int) -> None:
        excess = np.minimum(np.ceil(np.maximum(errors - goal, 0) / lsb * GRAINS_PER_LSB), MAX_GRAINS)
        self._table = (excess * excess).astype(np.int64).ravel()
        self._errors = errors.ravel()
        self._places = np.arange(256, dtype=np.int64) * 256 + 128 + zero_point

    def of(self, outputs: Float32s, codes: Selection = EVERY_CODE) -> Int64s:
        """Return the penalty of each output, given as code - zero point."""
        return self._table.take(outputs.astype(np.int64) + self._places[codes])

    def max_error(self, outputs: Float32s) -> float:
        """Return the largest error of [256] outputs."""
        return float(self._errors[outputs.astype(np.int64) + self._places].max())


@dataclass(frozen=True)
class SearchResult:
    """The best state met, and what was spent."""

    state: Snapshot
    max_abs_error: float
    evaluations: int


class Annealing:
    """One search from the network's present state, with ``evaluations`` alternatives in all."""

    def __init__(self, network: Network, penalty: Penalty, seed: int, evaluations: int) -> None:
        self._network, self._penalty, self._budget = network, penalty, evaluations
        self._stream = np.random.RandomState(seed)
        self._lots = layer_lots(network.last + 1)
        self._costs = penalty.of(network.outputs)
        self._spent = 0
        self._best = SearchResult(network.snapshot(), penalty.max_error(network.outputs), 0)

    def run(self, on_step: OnStep) -> SearchResult:
        """Search until the goal is met or the budget spent; ``on_step`` hears of evaluations and error so far."""
        steps = 0
        while self._spent < self._budget and self._costs.any():
            self._step()
            steps += 1
            if steps % STEPS_PER_REPORT == 0:
                on_step(self._spent, self._best.max_abs_error)
        return SearchResult(self._best.state, self._best.max_abs_error, self._spent)

    def _step(self) -> None:
        focused = self._integer(10) < FOCUSED_TENTHS
        change = self._draw(TRIED if focused else KEPT)
        self._spent += len(change.bias)
        if focused:
            change = self._helpful(change)
        if len(change.bias):
            self._take_best(change)

    def _draw(self, count: int) -> Change:
        violated = np.flatnonzero(self._costs)
        layer = int(self._lots[self._integer(len(self._lots))])
        neuron = self._integer(len(self._network.bias[layer]))
        pivot = int(violated[self._integer(len(violated))])
        return draw_change(self._network, self._stream, layer, neuron, pivot, count)

    def _helpful(self, change: Change) -> Change:
        """Return at most ``KEPT`` alternatives that cost less at codes in violation: the best, or just any."""
        focus = np.flatnonzero(self._costs)
        if len(focus) > MAX_FOCUS:
            focus = np.sort(self._stream.permutation(focus)[:MAX_FOCUS])
        costs = self._penalty.of(self._network.outputs_after(change, focus), focus).sum(axis=1)
        helpful = np.flatnonzero(costs < self._costs[focus].sum())
        if self._integer(2):
            helpful = helpful[np.argsort(costs[helpful], kind="stable")]
        return change.only(helpful[:KEPT])

    def _take_best(self, change: Change) -> None:
        """Make the cheapest alternative so, if it costs no more than now plus a random allowance that cools down."""
        outputs = self._network.outputs_after(change)
        costs = self._penalty.of(outputs)
        totals = costs.sum(axis=1)
        best = int(totals.argmin())
        if int(totals[best]) > int(self._costs.sum()) + self._allowance():
            return
        self._network.apply(change, best)
        self._costs = costs[best]
        error = self._penalty.max_error(outputs[best])
        if error < self._best.max_abs_error:
            self._best = SearchResult(self._network.snapshot(), error, self._spent)

    def _allowance(self) -> int:
        left = max(0.0, 1 - self._spent / self._budget)
        chance = self._integer(1 << 16) / (1 << 16)
        return int(HEAT * left * left * chance * chance)

    def _integer(self, below: int) -> int:
        return int(self._stream.randint(0, below, dtype=np.int64))
