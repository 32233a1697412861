"""How each oracle rounds acc * si * sw / so, worked out with whole numbers and fractions: no float, no NumPy.

`python tests/kernels/rounding_reference.py` writes tests/vectors/rounding.txt.
"""

import random
from fractions import Fraction
from itertools import product
from pathlib import Path

HALF = Fraction(1, 2)
FLOAT32, FLOAT64 = 24, 53  # bits of a significand
INT32_MAX = 2**31 - 1
VECTORS = Path(__file__).parents[1] / "vectors/rounding.txt"
HEADER = """\
# si | sw | so | scales of the weights | accumulator | litert | litert-ref | tflm
# Scales are whole numbers times a power of two. The results are before zero point and clamp.
"""


def half_even(x: Fraction) -> int:
    return round(x)


def half_away(x: Fraction) -> int:
    whole = (abs(x) + HALF).__floor__()
    return whole if x >= 0 else -whole


def half_up(x: Fraction) -> int:
    return (x + HALF).__floor__()


def in_float(x: Fraction, bits: int) -> Fraction:
    """Round to a float with so many bits, ties to even; exponents are never at their limits here."""
    if x == 0:
        return x
    unit = Fraction(2) ** (exponent_of(x) - bits)
    return half_even(x / unit) * unit


def exponent_of(x: Fraction) -> int:
    """Return e with 2^(e-1) <= |x| < 2^e, as C's frexp does."""
    e = abs(x.numerator).bit_length() - x.denominator.bit_length() - 1
    while abs(x) >= Fraction(2) ** e:
        e += 1
    return e


def litert(acc: int, si: Fraction, sw: Fraction, so: Fraction) -> int:
    factor = in_float(in_float(si * sw, FLOAT32) / so, FLOAT32)
    return half_even(in_float(in_float(Fraction(acc), FLOAT32) * factor, FLOAT32))


def litert_ref(acc: int, si: Fraction, sw: Fraction, so: Fraction) -> int:
    factor = in_float(in_float(si * sw, FLOAT64) / so, FLOAT64)
    return half_away(in_float(acc * factor, FLOAT64))


def tflm(acc: int, si: Fraction, sw: Fraction, so: Fraction) -> int:
    real = in_float(in_float(si * sw, FLOAT64) / so, FLOAT64)
    shift = exponent_of(real)
    multiplier = half_up(real / Fraction(2) ** shift * 2**31)
    if multiplier == 2**31:
        multiplier, shift = multiplier // 2, shift + 1
    if shift < -31:
        return 0
    first = half_up(Fraction(acc * 2 ** max(shift, 0) * multiplier, 2**31))
    return half_away(Fraction(min(first, INT32_MAX), 2 ** max(-shift, 0)))


def row(acc: int, si: Fraction, sw: Fraction, so: Fraction, per_tensor: bool) -> str:
    results = litert(acc, si, sw, so), litert_ref(acc, si, sw, so), tflm(acc, si, sw, so)
    scales = " | ".join(map(written, (si, sw, so)))
    return f"{scales} | {'one' if per_tensor else 'each'} | {acc} | {' | '.join(map(str, results))}"


def written(scale: Fraction) -> str:
    """Return a float32 as ``m*2^e``."""
    e = exponent_of(scale) - FLOAT32
    return f"{scale / Fraction(2) ** e}*2^{e}"


def exact_ties() -> list[str]:
    """Factors that are powers of two: every second odd accumulator is a tie, exactly, for all three."""
    one = Fraction(1)
    cases = product((1, 3, 8, 20), (1, 3, 5, 7, 201), (1, -1))
    return [
        row(sign * odd * 2 ** (shift - 1), one, one, Fraction(2**shift), False) for shift, odd, sign in cases
    ]


def near_ties(count: int = 160) -> list[str]:
    """Random scales, and accumulators whose exact product is as near to a tie as one of 400 comes.

    Half of the rows are such that the three results are not all the same.
    """
    source, rows, apart = random.Random(1), [], 0
    while len(rows) < count:
        si, so = (in_float(Fraction(source.uniform(1e-3, 0.2)), FLOAT32) for _ in "io")
        sw = in_float(so / si * Fraction(source.choice((3.0, 1.3, 0.1, 1e-2, 1e-3, 1e-5, 1e-7))), FLOAT32)
        exact, per_tensor = si * sw / so, bool(source.getrandbits(1))
        tried = [half_even((source.randrange(-110, 110) + HALF) / exact) for _ in range(400)]
        acc = min(tried, key=lambda one: distance_to_tie(one * exact))
        if abs(acc) >= 2**30:
            continue
        results = {litert(acc, si, sw, so), litert_ref(acc, si, sw, so), tflm(acc, si, sw, so)}
        if len(results) == 1 and len(rows) - apart >= count // 2:
            continue
        apart += len(results) > 1
        rows.append(row(acc, si, sw, so, per_tensor))
    return rows


def distance_to_tie(x: Fraction) -> Fraction:
    return abs(x - x.__floor__() - HALF)


def text() -> str:
    return HEADER + "\n".join([*exact_ties(), *near_ties()]) + "\n"


if __name__ == "__main__":
    VECTORS.write_text(text())
