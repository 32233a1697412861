"""Compute and measure how often a damaged frame passes its checksum, and what noise costs in time.

Hamming distances of CRC-32 are those of P. Koopman, "32-Bit Cyclic Redundancy Codes for Internet Applications" (DSN
2002, https://users.ece.cmu.edu/~koopman/crc/): 6 up to 268 bits before the checksum, 5 up to 2974. They are found again
here for our own lengths, by trying all patterns.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cobs import cobs

from sinehil.model.arrays import UInt64s
from sinehil.verify import Verdict
from sinehil.verify.result import VerifyResult
from sinehil_audit.link.case import run_schedule
from sinehil_audit.link.fault_schedule import CLEAN, DAMAGE, FaultKind, Schedule, SeededRandom
from sinehil_audit.link.fixtures import LinkBench
from sinehil_audit.link.reference_parser import CRC, body_of

CRC_BITS = 32
CHANCE = 2.0**-CRC_BITS
INFERENCE_BYTES = 24  # the longest body of one in a verification, without checksum


def undetected_patterns(body_bytes: int, most: int) -> dict[int, int]:
    """Return how many patterns of 1 to ``most`` (4 to 6) wrong bits a CRC-32 over the body does not notice."""
    one = _syndromes(body_bytes)
    left, right = np.triu_indices(len(one), 1)
    two = np.sort(one[left] ^ one[right])
    found = {
        1: int(np.count_nonzero(one == 0)),
        2: int(np.count_nonzero(two == 0)),
        3: int(np.isin(two, one).sum()) // 3,
        4: int(np.count_nonzero(np.diff(two) == 0)) // 3,
    }
    if most > 4:
        three, counts = np.unique(_triples(one), return_counts=True)
        found |= {
            5: int(np.isin(two, three).sum()) // 10,
            6: int((counts * (counts - 1) // 2).sum()) // 10,
        }
    return found


def _syndromes(body_bytes: int) -> UInt64s:
    """Return what each wrong bit of body and checksum does to the comparison."""
    nothing = zlib.crc32(bytes(body_bytes))
    bits = [zlib.crc32((1 << bit).to_bytes(body_bytes, "little")) ^ nothing for bit in range(8 * body_bytes)]
    return np.array([*bits, *(1 << bit for bit in range(CRC_BITS))], np.uint64)


def _triples(one: UInt64s) -> UInt64s:
    parts = []
    for first in range(len(one)):
        rest = one[first + 1 :]
        left, right = np.triu_indices(len(rest), 1)
        parts.append(one[first] ^ rest[left] ^ rest[right])
    return np.concatenate(parts)


@dataclass(frozen=True)
class Flips:
    """Every single bit of real frames flipped, each alone, and what stops it.

    ``framing`` were no frame any more, ``one_bit`` reached the checksum with one bit wrong, which it notices for
    certain, ``spread`` with more: COBS had turned one wrong bit of a code byte into many.
    """

    bits: int
    framing: int
    one_bit: int
    spread: int

    @property
    def unsure(self) -> float:
        """The share of single wrong bits that a checksum notices only with probability 1 - 2^-32."""
        return self.spread / self.bits


def flip_every_bit(frames: Sequence[bytes]) -> Flips:
    """Try every wrong bit between the delimiters of the frames, as they are on the wire."""
    framing = one_bit = spread = 0
    for frame in frames:
        inner = frame.strip(b"\0")
        body = cobs.decode(inner)
        for bit in range(8 * len(inner)):
            damaged = (int.from_bytes(inner, "little") ^ 1 << bit).to_bytes(len(inner), "little")
            bodies = _bodies(damaged)
            weights = [_distance(item, body) for item in bodies]
            framing += not bodies
            one_bit += weights == [1]
            spread += bool(bodies) and weights != [1]
    return Flips(framing + one_bit + spread, framing, one_bit, spread)


def _bodies(line: bytes) -> list[bytes]:
    """Return what reaches the checksum: whole and long enough."""
    return [body for piece in line.split(b"\0") if (body := body_of(piece)) is not None]


def _distance(left: bytes, right: bytes) -> int:
    if len(left) != len(right):
        return 8 * max(len(left), len(right))
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).bit_count()


@dataclass(frozen=True)
class Shortened:
    """Damaged frames that reached a checksum of which only some bits were compared, and those that passed it."""

    kind: str
    reached: int
    passed: int


@dataclass(frozen=True)
class Residual:
    """What no checksum can exclude.

    ``patterns`` pass, by their weight; ``rates`` are probabilities per frame, at most, by bit error rate.
    """

    patterns: dict[int, int]
    flips: Flips
    rates: dict[float, float]
    shortened: Sequence[Shortened]


def reckon_residual(requests: Sequence[bytes], rates: Sequence[float], rounds: int, seed: int) -> Residual:
    """Return it for real requests, as they stand on the wire; ``rounds`` of them are damaged in each way."""
    patterns, flips = undetected_patterns(INFERENCE_BYTES, 6), flip_every_bit(requests)
    per_frame = {rate: undetected_per_frame(rate, INFERENCE_BYTES, patterns, flips.unsure) for rate in rates}
    return Residual(patterns, flips, per_frame, compare_few_bits(requests, rounds, seed))


def undetected_per_frame(rate: float, body_bytes: int, patterns: dict[int, int], unsure: float) -> float:
    """Return the probability that a frame arrives wrong and is taken for whole, at a bit error rate.

    Patterns counted out exactly, heavier ones as if 2^-32 of them passed; to which comes what COBS spreads.
    """
    bits = 8 * body_bytes + CRC_BITS
    exact = sum(count * rate**weight for weight, count in patterns.items())
    heavier = sum(
        math.comb(bits, weight) * rate**weight for weight in range(max(patterns) + 1, max(patterns) + 20)
    )
    return exact + CHANCE * (heavier + bits * rate * unsure)


def compare_few_bits(frames: Sequence[bytes], rounds: int, seed: int) -> list[Shortened]:
    """Damage frames in each way and compare a checksum folded to 8 bits: 1 in 256 must pass, and of 32 bits none."""
    return [_compared(kind, frames, rounds, SeededRandom(seed, number)) for number, kind in enumerate(DAMAGE)]


def _compared(kind: FaultKind, frames: Sequence[bytes], rounds: int, rng: SeededRandom) -> Shortened:
    reached = passed = 0
    for number in range(rounds):
        frame = frames[number % len(frames)]
        original = cobs.decode(frame.strip(b"\0"))
        for body in _bodies(DAMAGE[kind](frame, rng)):
            if body == original:
                continue
            difference = zlib.crc32(body[: -CRC.size]) ^ CRC.unpack(body[-CRC.size :])[0]
            if difference == 0:
                raise AssertionError(f"a CRC-32 that passes by chance: {body.hex()}")
            reached += 1
            passed += _folded(difference) == 0
    return Shortened(kind, reached, passed)


def _folded(difference: int) -> int:
    """Return 8 bits in which every one of the 32 counts: leaving 24 out would let all damage to those pass."""
    folded = difference ^ difference >> 16
    return (folded ^ folded >> 8) & 0xFF


RATES = (1e-5, 1e-4)


@dataclass(frozen=True)
class Throughput:
    """Verifications of the right board at a bit error rate; times are multiples of ``clean_s``."""

    rate: float
    verifies: int
    passes: int
    clean_s: float
    median: float
    worst: float


def measure_throughput(bench: LinkBench, rate: float, verifies: int, seed: int) -> Throughput:
    """Verify again and again, each time with other bits hit."""
    clean_s = run_schedule(bench, bench.plans[0], 0, CLEAN, seed).elapsed_s
    seen = [
        run_schedule(bench, bench.plans[0], 0, Schedule("noise", (), rate, seed + number), seed + number)
        for number in range(verifies)
    ]
    passes = [
        item.outcome
        for item in seen
        if isinstance(item.outcome, VerifyResult) and item.outcome.verdict is Verdict.PASS
    ]
    times = sorted(item.elapsed_s / clean_s for item in seen)
    return Throughput(rate, verifies, len(passes), clean_s, times[len(times) // 2], times[-1])
