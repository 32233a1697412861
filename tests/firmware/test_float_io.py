"""The firmware's own conversions between float32 and codes against the interpreters' rules, written here in NumPy."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sinehil.model.arrays import Codes, Float32s, Int64s

HERE = Path(__file__).parent
SKETCH = HERE.parents[1] / "arduino_sketch"
ZERO_POINTS = [-128, -127, -3, -1, 0, 1, 64, 127]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    target = tmp_path_factory.mktemp("float_io") / "float_io.so"
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-shared", "-fPIC"]
    sources = [SKETCH / "float_io.c", HERE / "float_io_probe.c"]
    subprocess.run(["gcc", *flags, f"-I{SKETCH}", *sources, "-o", target], check=True)
    library = ctypes.CDLL(str(target))
    library.sinehil_real.argtypes = [ctypes.c_int8, ctypes.c_int8, ctypes.c_float]
    library.sinehil_real.restype = ctypes.c_float
    return library


def codes(library: ctypes.CDLL, rule: str, scaled: Float32s, zero_point: int) -> Codes:
    result = np.empty(len(scaled), np.int8)
    function = getattr(library, rule)
    function(
        scaled.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
        result.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        ctypes.c_uint32(len(scaled)),
        ctypes.c_int8(zero_point),
    )
    return result


def half_even(scaled: Float32s, zero_point: int) -> Int64s:
    exact = np.nan_to_num(scaled.astype(np.float64), nan=1e9)
    return np.clip(np.rint(np.clip(exact, -1e9, 1e9)) + zero_point, -128, 127).astype(np.int64)


def half_away(scaled: Float32s, zero_point: int) -> Int64s:
    exact = scaled.astype(np.float64)
    beyond = ~(np.abs(exact) < 2.0**31)
    inside = np.where(beyond, 0, exact)
    rounded = np.sign(inside) * np.floor(np.abs(inside) + 0.5)
    overflow = 127 if zero_point < 0 else -128
    return np.where(beyond, overflow, np.clip(rounded + zero_point, -128, 127)).astype(np.int64)


RULES = {"half_even": half_even, "half_away": half_away}


def probes() -> Float32s:
    """Every multiple of a quarter up to 600 with its neighbours, powers of two, the edges, and a million patterns."""
    quarters = np.arange(-2400, 2401, dtype=np.float32) / 4
    powers = np.float32(2.0) ** np.arange(-126, 128, dtype=np.float32)
    special = np.array([0, np.inf, np.nan, np.finfo(np.float32).max, 1e-45, 2.0**31], np.float32)
    regular = np.concatenate([quarters, powers, -powers, special, -special])
    with np.errstate(over="ignore", under="ignore"):
        up, down = (np.nextafter(regular, np.float32(end)) for end in (np.inf, -np.inf))
    patterns = np.random.default_rng(5).integers(0, 2**32, 1_000_000, dtype=np.uint32).view(np.float32)
    small = np.random.default_rng(6).uniform(-300, 300, 300_000).astype(np.float32)
    return np.concatenate([regular, up, down, patterns, small]).astype(np.float32)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("zero_point", ZERO_POINTS)
def test_codes_are_rounded_as_the_oracles_do(library: ctypes.CDLL, rule: str, zero_point: int) -> None:
    x = probes()
    with np.errstate(invalid="ignore"):  # there are signalling NaNs among the patterns
        expected = RULES[rule](x, zero_point)
    np.testing.assert_array_equal(codes(library, rule, x, zero_point), expected)


def test_the_two_rules_are_not_one(library: ctypes.CDLL) -> None:
    """Negative control: they differ where they must, at ties, at NaN and far out."""
    x = np.array([0.5, 2.5, -0.5, np.nan, -np.inf, 3e9, 1.5, 0.49], np.float32)
    differ = codes(library, "half_even", x, 3) != codes(library, "half_away", x, 3)
    assert differ.tolist() == [True, True, True, True, False, True, False, False]
    assert np.any(codes(library, "half_even", x, 3) != half_away(x, 3))


@pytest.mark.parametrize("scale", [0.0123, 1.0, 1e-30, 3.3e30, 0.1, 1.9999999])
def test_codes_become_the_float_that_one_multiplication_gives(library: ctypes.CDLL, scale: float) -> None:
    pairs = [(code, zero) for code in range(-128, 128) for zero in ZERO_POINTS]
    found = np.array([library.sinehil_real(code, zero, scale) for code, zero in pairs], np.float32)
    whole = np.array([code - zero for code, zero in pairs], np.float32)
    assert found.tobytes() == (whole * np.float32(scale)).tobytes()
