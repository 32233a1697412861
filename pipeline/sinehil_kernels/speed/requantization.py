"""A way from a neuron's accumulator to its byte: form, tests and clamps, and what it costs."""

from dataclasses import dataclass
from itertools import pairwise

from sinehil_kernels.speed.form16 import Form16
from sinehil_kernels.speed.form24 import Form24
from sinehil_kernels.speed.form32 import Form32
from sinehil_kernels.speed.registers import INPUT, THIRD
from sinehil_kernels.speed.slope import Exceptions
from sinehil_kernels.speed.steps import Steps

Form = Form16 | Form24 | Form32
GUARD_CYCLES, LOOK_CYCLES, SPLIT_CYCLES = 3, 9, 20  # LOOK: to get there and back
WORDS_A_FORM, WORDS_A_STEP = 100, 10
CLAMP_CYCLES, SIGN_CYCLES, COMPARE_CYCLES, BETWEEN_CYCLES, WIDE_CYCLES = 3, 2, 3, 4, 8


@dataclass(frozen=True)
class Requantization:
    """u = accumulator - offset, in ``width`` bytes; negative u rest at 0.

    ``rest``: how a resting neuron is told: "" (none rests, or its byte comes out as 0), "sign", or the high byte
    from which on it rests; or "codes": it is active from u = ``codes[0]`` to ``codes[1]`` - 1 of the input, None if
    that is an end of the region. ``largest``: the largest byte before the clamp. ``limit``: u >> 8 from which on the
    byte is the top, where the form does not go so far. ``exceptions``: accumulators with bytes of their own.
    Where the low byte of p is below ``guard``, ``fallback`` decides instead, which may have an offset of its own, and
    a guard and a fallback too.
    """

    form: "Form | Steps | Split"
    offset: int
    width: int
    rest: str
    from_high_byte: int
    largest: int
    limit: int | None = None
    exceptions: Exceptions = ()
    codes: tuple[int | None, int | None] = (None, None)
    guard: int = 0
    fallback: "Requantization | None" = None

    @property
    def forms(self) -> tuple[Form | Steps, ...]:
        """All forms that may decide without a further look."""
        return self.form.forms if isinstance(self.form, Split) else (self.form,)

    @property
    def looks(self) -> tuple["Requantization", ...]:
        """This and what decides behind it, one after the other; the last is exact."""
        return (self,) if self.fallback is None else (self, *self.fallback.looks)

    @property
    def most_words(self) -> int:
        """How long it is at most, with all looks and tests."""
        forms = [each for look in self.looks for each in look.forms]
        steps = sum(len(each.starts) for each in forms if isinstance(each, Steps))
        return WORDS_A_FORM * len(forms) + WORDS_A_STEP * steps

    def cycles(self, top: int) -> float:
        """Return what it costs an active neuron on average, as if all low bytes were equally frequent.

        Who looks for the second time has a low byte below the guard: the same share of all looks for the third time.
        """
        again = pairwise(self.looks)
        return self._own_cycles(top) + sum(
            look.guard / 256 * (LOOK_CYCLES + after._own_cycles(top)) for look, after in again
        )

    def _own_cycles(self, top: int) -> float:
        """Return what it costs until somebody else has to decide."""
        if isinstance(self.form, Steps):
            return self.form.cycles
        between = BETWEEN_CYCLES if None not in self.codes else SIGN_CYCLES
        test = {"": 0, "sign": SIGN_CYCLES, "compare": COMPARE_CYCLES, "codes": between}[self.rest]
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
class Split:
    """A line for negative accumulators and one for the others, each with an offset of its own: TFLM rounds so."""

    negative: Requantization
    other: Requantization

    @property
    def forms(self) -> tuple[Form | Steps, ...]:
        """All forms that may decide."""
        return (*self.negative.forms, *self.other.forms)

    @property
    def cycles(self) -> float:
        """About what it costs, with all tests and clamps."""
        return SPLIT_CYCLES + max(part.form.cycles for part in (self.negative, self.other))

    def words(self) -> str:
        """Return the form for a reader of the assembly."""
        parts = (f"(u - ({part.offset})): {part.form.words()}" for part in (self.negative, self.other))
        return "below 0 and from there on, with {} and {}".format(*parts)


def scratch(form: Form | Steps | Split) -> tuple[str, ...]:
    """Return the registers that a form needs beside those that every one may use."""
    if isinstance(form, Split):
        parts = (scratch(part) for part in form.forms)
        return max(parts, key=len)
    return (THIRD, INPUT) if isinstance(form, Form32) else (THIRD,) if isinstance(form, Form24) else ()
