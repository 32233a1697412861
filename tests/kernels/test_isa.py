"""Our assembler and our machine against tools that are not ours: the GNU assembler, simavr."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from avr_tools import CORE_FLAGS, assembled, call

from sinehil_kernels.avr.assembly import Assembly, Instruction, Program
from sinehil_kernels.avr.isa import (
    ALIASES,
    FORMS,
    INVERSE,
    POINTER_FORMS,
    REGISTER_RANGES,
    RENAMED,
    EncodingError,
    Operand,
    decode,
    encode,
)
from sinehil_kernels.avr.machine import Machine

HERE = Path(__file__).parent
JUMPS = {*INVERSE, "rjmp", "rcall"}
pytestmark = pytest.mark.board


def operands_of(letter: str, bits: str) -> list[Operand]:
    """Return every register, or the ends and some of the middle of a range of numbers."""
    if letter in REGISTER_RANGES:
        first, step, count = REGISTER_RANGES[letter]
        return [f"r{first + step * index}" for index in range(count)]
    top = 1 << bits.count(letter)
    return sorted({0, 1, top // 3, top // 2 - 1, top // 2, top - 2, top - 1})


def every_form() -> Iterator[tuple[str, tuple[Operand, ...]]]:
    """Every form, each operand over its range while the others stay at their first and last."""
    for name, form in FORMS.items():
        if name not in JUMPS:
            yield from ((name, chosen) for chosen in _choices(form.operands, form.bits))
    for (name, pointer), form in POINTER_FORMS.items():
        for chosen in _choices(form.operands, form.bits):
            at = f"{pointer}+{chosen[1]}" if len(chosen) == 2 else pointer
            yield name, (at, chosen[0]) if name.startswith("st") else (chosen[0], at)
    for alias in ALIASES:
        yield from ((alias, (f"r{number}",)) for number in range(32))


def _choices(letters: str, bits: str) -> Iterator[tuple[Operand, ...]]:
    ranges = [operands_of(letter, bits) for letter in letters]
    for fixed in (0, -1):
        for place, values in enumerate(ranges):
            for value in values:
                others = [other[fixed] for other in ranges]
                others[place] = value
                yield tuple(others)
    if not ranges:
        yield ()


def test_every_form_is_encoded_as_the_gnu_assembler_does_it(tmp_path: Path) -> None:
    forms = list(every_form())
    assert len(forms) > 2000
    lines = "\n".join(Instruction(name, operands).text() for name, operands in forms)
    words = np.frombuffer(assembled(f"        .text\n{lines}\n", tmp_path), "<u2").tolist()
    assert words == [encode(name, operands) for name, operands in forms]


@pytest.mark.parametrize("name", sorted(JUMPS | set(RENAMED)))
def test_jumps_are_encoded_as_the_gnu_assembler_does_it(name: str, tmp_path: Path) -> None:
    assembly = Assembly()
    assembly.label("back")
    for target in ("back", "on"):
        assembly.op(name, target)
        assembly.op("nop")
    assembly.label("on")
    assembly.op("ret")
    program = assembly.assemble()
    assert assembled(f"        .text\n{program.text()}", tmp_path) == program.image


def test_no_word_decodes_to_two_forms() -> None:
    for word in range(1 << 16):
        try:
            name, operands = decode(word)
        except EncodingError:
            continue
        assert FORMS.get(name) or tuple(name.split()) in POINTER_FORMS
        assert len(operands) <= 2


PLAIN = [name for name in FORMS if FORMS[name].operands in ("d", "dr", "eK", "fg", "eu", "pq", "db", "wK")]
NO_RANDOM = {"push", "pop"}
KEPT = ("r26", "r27")  # y_q, for the end
SAVED = [f"r{number}" for number in (*range(2, 18), 28, 29)]
SHOWN = [f"r{number}" for number in (*range(26), 28, 29, 30, 31)]


def random_program(seed: int, length: int) -> Program:
    """Return a function that computes at random and shows all registers but X; flags steer it, so they show too."""
    random = np.random.default_rng(seed)
    assembly = Assembly()
    for register in SAVED:
        assembly.op("push", register)
    assembly.op("movw", "r26", "r22")
    for number in (*range(16, 26), *range(28, 32)):
        assembly.op("ldi", f"r{number}", int(random.integers(256)))
    for number in range(0, 16, 2):
        assembly.op("movw", f"r{number}", f"r{random.choice([16, 18, 20, 22, 24, 28, 30])}")
    assembly.op("cp", "r0", "r16")  # flags and T as on every machine
    assembly.op("bst", "r0", 0)
    for _ in range(length):
        _random_step(assembly, random)
    for register in SHOWN:
        assembly.op("st", "X+", register)
    assembly.op("clr", "r1")
    for register in reversed(SAVED):
        assembly.op("pop", register)
    assembly.op("ret")
    return assembly.assemble()


def _random_step(assembly: Assembly, random: np.random.Generator) -> None:
    if random.random() < 0.25:
        over = assembly.new_label("over")
        assembly.op(str(random.choice(sorted(INVERSE))), over)
        assembly.op("inc", f"r{random.integers(26)}")
        assembly.label(over)
        return
    while True:
        name = str(random.choice(PLAIN))
        form = FORMS[name]
        chosen = tuple(
            operand if isinstance(operand, str) else int(operand)
            for operand in (_random_operand(letter, form.bits, random) for letter in form.operands)
        )
        if name not in NO_RANDOM and not set(chosen) & set(KEPT) and chosen[0] != "r26":
            assembly.op(name, *chosen)
            if name in ("sbrc", "sbrs", "cpse"):
                assembly.op("dec", f"r{random.integers(26)}")
            return


def _random_operand(letter: str, bits: str, random: np.random.Generator) -> Operand:
    values = operands_of(letter, bits) if letter in REGISTER_RANGES else range(1 << bits.count(letter))
    return values[int(random.integers(len(values)))]


MAIN = """
#include <avr/io.h>
void sinehil_infer(const int8_t *x_q, int8_t *y_q);
int main(void) {
  int8_t x_q = 0, shown[30];
  for (uint8_t twice = 0; twice < 2; ++twice) {
    GPIOR1 = 1;
    if (twice) sinehil_infer(&x_q, shown); /* the other time only what counting costs */
    GPIOR1 = 0;
  }
  for (uint8_t i = 0; i < 30; ++i) GPIOR0 = (uint8_t)shown[i];
  GPIOR2 = 1;
  for (;;) {
  }
}
"""
FUNCTION = "        .text\n        .global sinehil_infer\nsinehil_infer:\n"


@pytest.mark.parametrize("seed", range(6))
def test_random_programs_end_with_the_same_registers_on_simavr(
    seed: int, tmp_path: Path, simulator: Path
) -> None:
    program = random_program(seed, 400)
    (tmp_path / "main.c").write_text(MAIN)
    (tmp_path / "function.S").write_text(FUNCTION + program.text())
    elf, image = tmp_path / "program.elf", tmp_path / "program.bin"
    call("avr-gcc", *CORE_FLAGS.split(), tmp_path / "main.c", tmp_path / "function.S", "-o", elf)
    call("avr-objcopy", "-O", "binary", elf, image)
    done = subprocess.run([simulator, image, "100000"], capture_output=True, check=True)
    machine = Machine(program).call([0], len(SHOWN))
    assert list(np.frombuffer(done.stdout, np.int8)) == machine.y_q
    empty, counted = map(int, done.stderr.split())
    assert 0 <= counted - empty - machine.cycles <= 30  # call, return and the arguments of the call
