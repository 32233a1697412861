"""Requantization of one neuron as a plan: integer form or comparisons, tests, clamps, cycles."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.form16 import Form16
from sinehil_kernels.speed.registers import BYTE, FACTOR, INPUT, THIRD, is_upper
from sinehil_kernels.speed.wide_forms import Form24, Form32

FAR = 128  # with more steps, jumps to the end do not reach from everywhere


@dataclass(frozen=True)
class StepSearch:
    """``bytes_[i]`` from u = ``starts[i]`` on (the first from anywhere); u is signed unless it is a single byte."""

    starts: tuple[int, ...]
    bytes_: tuple[int, ...]

    @classmethod
    def through(cls, u: Int64s, wanted: Int64s) -> "StepSearch":
        """Return the steps through points in ascending order of u."""
        first = np.flatnonzero(np.diff(wanted, prepend=wanted[0] - 1))
        return cls(tuple(u[first].tolist()), tuple(wanted[first].tolist()))

    @property
    def cycles(self) -> int:
        """About what it costs."""
        return 8 * len(self.starts).bit_length()

    def __call__(self, u: Int64s) -> Int64s:
        """Return the bytes."""
        index = np.searchsorted(np.array(self.starts[1:], np.int64), u, side="right")
        return np.array(self.bytes_, np.int64)[index]

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        return f"{len(self.starts)} steps by comparison"

    def emit(self, assembly: Assembly, u: Sequence[str]) -> str:
        """Write it; return the register of the byte. Leaves u alone."""
        done = assembly.new_label("byte")
        self._emit_between(assembly, u, 0, len(self.starts), done)
        assembly.label(done)
        return BYTE

    def _emit_between(self, assembly: Assembly, u: Sequence[str], first: int, end: int, done: str) -> None:
        if end - first == 1:
            assembly.op("ldi", BYTE, self.bytes_[first])
            if end < len(self.starts):
                assembly.op("rjmp", done)
            return
        middle = (first + end) // 2
        upper = assembly.new_label("from")
        _compare(assembly, u, self.starts[middle])
        assembly.op("brge" if len(u) > 1 else "brsh", upper)
        if end - first > FAR:
            near = assembly.new_label("near_byte")
            self._emit_between(assembly, u, first, middle, near)
            assembly.label(near)
            assembly.op("rjmp", done)
        else:
            self._emit_between(assembly, u, first, middle, done)
        assembly.label(upper)
        self._emit_between(assembly, u, middle, end, done)


def _compare(assembly: Assembly, u: Sequence[str], value: int) -> None:
    for index, register in enumerate(u):
        byte = value >> 8 * index & 0xFF
        if index == 0 and is_upper(register):
            assembly.op("cpi", register, byte)
            continue
        assembly.op("ldi", FACTOR, byte)
        assembly.op("cpc" if index else "cp", register, FACTOR)


Exceptions = tuple[tuple[int, int], ...]  # accumulator, byte
Form = Form16 | Form24 | Form32
GUARD_CYCLES, CHECK_CYCLES, SPLIT_CYCLES = 3, 9, 20  # LOOK: to get there and back
WORDS_A_FORM, WORDS_A_STEP = 100, 10
CLAMP_CYCLES, SIGN_CYCLES, COMPARE_CYCLES, BETWEEN_CYCLES, WIDE_CYCLES = 3, 2, 3, 4, 8


@dataclass(frozen=True)
class Requantization:
    """u = accumulator - offset, in ``width`` bytes; for a negative u the neuron is inactive, its byte 0.

    ``inactive_test``: how an inactive neuron is recognized: "" (there is none, or its byte comes out as 0), "sign",
    or the high byte from which on it is inactive; or "codes": it is active from u = ``codes[0]`` to ``codes[1]`` - 1
    of the input, None if that is an end of the region. ``largest``: the largest byte before the clamp. ``limit``: u
    >> 8 from which on the byte is the top, where the form does not go so far. ``exceptions``: accumulators with bytes
    of their own. Where the low byte of p is below ``guard``, ``fallback`` decides instead, which may have an offset
    of its own, and a guard and a fallback too.
    """

    form: "Form | StepSearch | SplitForm"
    offset: int
    width: int
    inactive_test: str
    from_high_byte: int
    largest: int
    limit: int | None = None
    exceptions: Exceptions = ()
    codes: tuple[int | None, int | None] = (None, None)
    guard: int = 0
    fallback: "Requantization | None" = None

    @property
    def forms(self) -> tuple[Form | StepSearch, ...]:
        """All forms that may decide without a further check."""
        return self.form.forms if isinstance(self.form, SplitForm) else (self.form,)

    @property
    def checks(self) -> tuple["Requantization", ...]:
        """This and what decides behind it, one after the other; the last is exact."""
        return (self,) if self.fallback is None else (self, *self.fallback.checks)

    @property
    def most_words(self) -> int:
        """How long it is at most, with all further forms and tests."""
        forms = [each for check in self.checks for each in check.forms]
        steps = sum(len(each.starts) for each in forms if isinstance(each, StepSearch))
        return WORDS_A_FORM * len(forms) + WORDS_A_STEP * steps

    def cycles(self, top: int) -> float:
        """Return what it costs an active neuron on average, as if all low bytes were equally frequent.

        The second form is asked where the low byte is below the guard, and the third for the same share of all bytes.
        """
        again = pairwise(self.checks)
        return self._own_cycles(top) + sum(
            check.guard / 256 * (CHECK_CYCLES + after._own_cycles(top)) for check, after in again
        )

    def _own_cycles(self, top: int) -> float:
        """Return what it costs until another form has to decide."""
        if isinstance(self.form, StepSearch):
            return self.form.cycles
        between = BETWEEN_CYCLES if None not in self.codes else SIGN_CYCLES
        test = {"": 0, "sign": SIGN_CYCLES, "compare": COMPARE_CYCLES, "codes": between}[self.inactive_test]
        return (
            self.form.cycles
            + test
            + CLAMP_CYCLES * (self.largest > top)
            + 2 * self.width * (self.limit is not None)
            + (2 * self.width + 2) * len(self.exceptions)
            + WIDE_CYCLES * (self.width == 3)
            + GUARD_CYCLES * (self.fallback is not None)
        )


@dataclass(frozen=True)
class SplitForm:
    """A line for negative accumulators and one for the others, each with an offset of its own: TFLM rounds so."""

    negative: Requantization
    other: Requantization

    @property
    def forms(self) -> tuple[Form | StepSearch, ...]:
        """All forms that may decide."""
        return (*self.negative.forms, *self.other.forms)

    @property
    def cycles(self) -> float:
        """About what it costs, with all tests and clamps."""
        return SPLIT_CYCLES + max(part.form.cycles for part in (self.negative, self.other))

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        parts = (f"(u - ({part.offset})): {part.form.text()}" for part in (self.negative, self.other))
        return "below 0 and from there on, with {} and {}".format(*parts)


def scratch(form: Form | StepSearch | SplitForm) -> tuple[str, ...]:
    """Return the registers that a form needs beside those that every one may use."""
    if isinstance(form, SplitForm):
        parts = (scratch(part) for part in form.forms)
        return max(parts, key=len)
    return (THIRD, INPUT) if isinstance(form, Form32) else (THIRD,) if isinstance(form, Form24) else ()
