"""Run a damaged image of an assembled kernel in ``Machine``, on the input codes that execute or read the damage."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from sinehil.model.arrays import Codes
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.chip import Chip, ConventionError
from sinehil_kernels.avr.handlers import Handler
from sinehil_kernels.avr.machine import Machine

SLOWER = 20  # times as slow as the slowest sound call, and it counts as one that does not come back


class Image:
    """A sound image, and which of its words each input code meets, executed or read."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.answers = np.zeros(256, np.int8)
        self._meets: list[set[int]] = []
        machine, worst = _Tracing(program), 0
        for at in range(256):
            machine.met = set()
            call = machine.call([at - 128], 1)
            self.answers[at] = call.y_q[0]
            self._meets.append(machine.met)
            worst = max(worst, call.cycles)
        self._max_cycles = SLOWER * worst

    def answers_of(self, image: bytes) -> Codes | None:
        """Return the output codes [256] of a changed image of the same length, or None if it breaks out."""
        return self._run(image, Machine)

    def is_left_to_chance(self, image: bytes) -> bool:
        """Return whether the output codes change with what a caller has left in registers and RAM."""
        first, second = self._run(image, Machine), self._run(image, _OtherwiseFilled)
        return first is not None and (second is None or not np.array_equal(first, second))

    def _run(self, image: bytes, kind: type[Machine]) -> Codes | None:
        words = tuple(int.from_bytes(image[at : at + 2], "little") for at in range(0, len(image), 2))
        pairs = enumerate(zip(self.program.words, words, strict=True))
        changed = {at for at, (old, new) in pairs if old != new}
        machine = kind(replace(self.program, words=words), self._max_cycles)
        answers = self.answers.copy()
        try:
            for at in self._concerned(changed):
                answers[at] = machine.call([at - 128], 1).y_q[0]
        except ConventionError:
            return None
        return answers

    def _concerned(self, changed: set[int]) -> Iterable[int]:
        """Yield the codes that meet a changed word: on all others the two images do the same."""
        return (at for at, met in enumerate(self._meets) if not changed.isdisjoint(met))


class _Tracing(Machine):
    """A machine that notes which words of the program it meets."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.met: set[int] = set()
        self._steps = [
            (self._noting(at, handler), first, second, cycles)
            for at, (handler, first, second, cycles) in enumerate(self._steps)
        ]

    def flash(self, address: int) -> int:
        """Return a byte of the program."""
        self.met.add(address // 2)
        return super().flash(address)

    def _noting(self, at: int, handler: Handler) -> Handler:
        def noting(chip: Chip, first: int, second: int) -> None:
            self.met.add(at)
            handler(chip, first, second)

        return noting


class _OtherwiseFilled(Machine):
    """A machine with other bytes in registers and RAM before each call, and another caller's addresses."""

    x_at, y_at = 0x3A7, 0x4C9

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self.ram = bytearray(255 - value for value in self.ram)
        self.registers = bytearray(255 - value for value in self.registers)
        self.registers[1] = 0
