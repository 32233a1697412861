"""Compute a soak's findings from its records: latencies, failures, and growth of any process. Pure functions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Bools, Float64s, Int64s
from sinehil.verify import Verdict
from sinehil_audit.soak.actions import ACTIONS
from sinehil_audit.soak.soak_log import Record

PERCENTILES = 50, 95, 99, 100
WARM_UP = 0.2  # of a process's time: caches fill, and the allocator finds its size
MOST_POINTS = 600  # of which every pair gives a slope
MOST_GROWTH_BYTES_PER_HOUR = 2 << 20
MOST_STEP_BYTES = 8 << 20  # beside what that slope allows; an hour's noise is below 1 MB
MOST_WARM_UP_BYTES = 128 << 20  # what the interpreter and its caches may take, of which they use 17 MB
LEVEL_SAMPLES = 9  # whose median is a level
LEAST_JUDGED_S = 120.0  # a slope over less is noise, and less need not be time enough for every action
ROUND_TRIP = "round trip"
WORKER = "worker"


@dataclass(frozen=True)
class Latency:
    """How long an action took: ``at_s`` since the start of the soak, ``took_s``, both in order of time."""

    action: str
    at_s: Float64s
    took_s: Float64s

    def percentiles_s(self) -> tuple[float, ...]:
        """Return the times of PERCENTILES."""
        return tuple(float(value) for value in np.percentile(self.took_s, PERCENTILES))


@dataclass(frozen=True)
class Growth:
    """One process over time. ``slope_bytes_per_hour`` and ``rise_bytes`` are None where there was too little time.

    ``rise_bytes`` is the level at the end above that right after the warm-up, ``total_bytes`` above the first sample.
    With ``ended`` the last sample was taken when all work was over, as the first was before it began.
    """

    who: str
    at_s: Float64s
    rss_bytes: Float64s
    descriptors: Int64s
    children: Int64s
    slope_bytes_per_hour: float | None
    rise_bytes: float | None
    total_bytes: float
    ended: bool

    @property
    def leaks(self) -> list[str]:
        """What does not stay as it was, as clauses."""
        found = []
        if self.slope_bytes_per_hour is not None and self.slope_bytes_per_hour > MOST_GROWTH_BYTES_PER_HOUR:
            found.append(f"{self.who} grew by {self.slope_bytes_per_hour / 1e6:.1f} MB an hour")
        if self.rise_bytes is not None and self.rise_bytes > self._most_rise_bytes:
            found.append(f"{self.who} ended {self.rise_bytes / 1e6:.1f} MB above its level after the warm-up")
        if self.total_bytes > MOST_WARM_UP_BYTES:
            found.append(f"{self.who} ended {self.total_bytes / 1e6:.1f} MB above its start")
        for what, counts in (("descriptors", self.descriptors), ("child processes", self.children)):
            if self.ended and counts[-1] > counts[0]:
                found.append(f"{self.who} ended with {counts[-1]} {what}, and began with {counts[0]}")
        return found

    @property
    def _most_rise_bytes(self) -> float:
        hours = (self.at_s[-1] - self.at_s[0]) / 3600
        return MOST_STEP_BYTES + float(hours) * MOST_GROWTH_BYTES_PER_HOUR


@dataclass(frozen=True)
class Counted:
    """What a board counted itself: the least RAM it had free and the most overruns, None if it never said.

    Most, not all: a board that an open port does not reset goes on counting.
    """

    least_free_ram_bytes: int | None
    most_overruns: int | None


NOT_ASKED = Counted(None, None)


@dataclass(frozen=True)
class Findings:
    """All that a soak showed."""

    elapsed_s: float
    boards: tuple[Record, ...]
    latencies: tuple[Latency, ...]
    growths: tuple[Growth, ...]
    failures: tuple[Record, ...]
    retries: int
    crc_errors: int
    compared: int
    actions: int
    worked: Mapping[int, frozenset[str]]  # the kinds of action that each board did
    counted: Mapping[int, Counted]

    @property
    def leaks(self) -> list[str]:
        """What grew, as clauses."""
        return [clause for growth in self.growths for clause in growth.leaks]

    @property
    def unfinished(self) -> list[str]:
        """Boards that did nothing, or whose process did not come to its end, as clauses."""
        idle = [board for board in self.boards if not self._kinds(board)]
        open_ended = [item.who for item in self.growths if item.who.startswith(WORKER) and not item.ended]
        return [
            *(f"board {board['board']} on {board['port']} did nothing" for board in idle),
            *(f"{who} did not come to its end" for who in open_ended),
            *(self._undone if self._long_enough else ()),
        ]

    @property
    def remarks(self) -> list[str]:
        """What a soak too short for a round left undone, which is no fault, as clauses."""
        return [] if self._long_enough else self._undone

    @property
    def _long_enough(self) -> bool:
        return self.elapsed_s >= LEAST_JUDGED_S

    @property
    def _undone(self) -> list[str]:
        """The kinds of action that a board which did others never did."""
        return [
            f"board {board['board']} on {board['port']} did no {kind}"
            for board in self.boards
            for kind in ACTIONS
            if self._kinds(board) and kind not in self._kinds(board)
        ]

    def _kinds(self, board: Record) -> frozenset[str]:
        return self.worked.get(board["board"], frozenset())

    @property
    def verdict(self) -> Verdict:
        """PASS only if every board did what the time was enough for, nothing failed and nothing grew."""
        good = self.actions > 0 and not self.failures and not self.leaks and not self.unfinished
        return Verdict.PASS if good else Verdict.FAIL


def findings_of(records: Sequence[Record]) -> Findings:
    """Return what the records of a soak come to."""
    start = min((record["at"] for record in records), default=0.0)
    end = max((record["at"] + record.get("seconds", 0.0) for record in records), default=0.0)
    done = [record for record in records if record["kind"] == "action"]
    return Findings(
        elapsed_s=end - start,
        boards=tuple(record for record in records if record["kind"] == "board"),
        latencies=tuple(_latencies(done, start)),
        growths=tuple(_growths(records, start)),
        failures=tuple(record for record in records if record["kind"] == "failure"),
        retries=sum(record["retries"] for record in done),
        crc_errors=sum(record["crc_errors"] for record in done),
        compared=sum(record["compared"] for record in done),
        actions=len(done),
        worked=_kinds_by_board(done),
        counted={record["board"]: _counted(record["board"], done) for record in done},
    )


def _counted(board: int, done: Sequence[Record]) -> Counted:
    asked = [record for record in done if record["board"] == board and record.get("overruns") is not None]
    least = min((record["least_free_ram_bytes"] for record in asked), default=None)
    return Counted(least, max((record["overruns"] for record in asked), default=None))


def _kinds_by_board(done: Sequence[Record]) -> dict[int, frozenset[str]]:
    boards = {record["board"] for record in done}
    return {
        board: frozenset(record["action"] for record in done if record["board"] == board) for board in boards
    }


def _latencies(done: Sequence[Record], start: float) -> Iterator[Latency]:
    for action in dict.fromkeys(record["action"] for record in done):
        of_it = [record for record in done if record["action"] == action]
        yield _latency(action, ((record["at"] - start, record["seconds"]) for record in of_it))
    trips = [
        (record["at"] - start, took_ms / 1e3)
        for record in done
        for took_ms in record.get("round_trips_ms", ())
    ]
    if trips:
        yield _latency(ROUND_TRIP, trips)


def _latency(action: str, points: Iterable[tuple[float, float]]) -> Latency:
    at_s, took_s = np.array(sorted(points), dtype=np.float64).T
    return Latency(action, at_s, took_s)


def _growths(records: Sequence[Record], start: float) -> Iterator[Growth]:
    by_process: dict[str, list[Record]] = {}
    for record in records:
        if record["kind"] == "process":
            name = record["who"] if record["board"] is None else f"{record['who']} {record['board']}"
            by_process.setdefault(name, []).append(record)
    for who, samples in by_process.items():
        at_s, rss = (np.array([s[key] for s in samples], dtype=np.float64) for key in ("at", "rss_bytes"))
        descriptors, children = (
            np.array([s[key] for s in samples], dtype=np.int64) for key in ("descriptors", "children")
        )
        slope, rise = slope_bytes_per_hour(at_s, rss), rise_bytes(at_s, rss)
        total, ended = _level(rss[::-1]) - float(rss[0]), samples[-1].get("phase") == "end"
        yield Growth(who, at_s - start, rss, descriptors, children, slope, rise, total, ended)


def rise_bytes(at_s: Float64s, rss_bytes: Float64s) -> float | None:
    """Return how far the level at the end is above that right after the warm-up; None for too short a time.

    A step anywhere between raises it by its height, where the median slope stays what it was.
    """
    if _too_short(at_s):
        return None
    after = rss_bytes[_is_warm(at_s)]
    return _level(after[::-1]) - _level(after)


def _level(rss_bytes: Float64s) -> float:
    """Return the median of the first samples, of fewer than LEVEL_SAMPLES where they are few."""
    return float(np.median(rss_bytes[: min(LEVEL_SAMPLES, max(1, len(rss_bytes) // 3))]))


def slope_bytes_per_hour(at_s: Float64s, rss_bytes: Float64s) -> float | None:
    """Return the median slope over all pairs of points after the warm-up; None for too short a time.

    Theil's and Sen's estimator: a quarter of the points may be outliers without moving it far. At most MOST_POINTS,
    evenly chosen, are paired.
    """
    if _too_short(at_s):
        return None
    warm = _is_warm(at_s)
    chosen = np.unique(np.linspace(0, warm.sum() - 1, MOST_POINTS).astype(int))
    time_s, size = at_s[warm][chosen], rss_bytes[warm][chosen]
    first, second = np.triu_indices(len(time_s), 1)
    apart_s = time_s[second] - time_s[first]
    slopes = (size[second] - size[first])[apart_s > 0] / apart_s[apart_s > 0]
    return float(np.median(slopes) * 3600)


def _too_short(at_s: Float64s) -> bool:
    return len(at_s) < 2 or bool(at_s[-1] - at_s[0] < LEAST_JUDGED_S)


def _is_warm(at_s: Float64s) -> Bools:
    warm: Bools = at_s >= at_s[0] + WARM_UP * (at_s[-1] - at_s[0])
    return warm
