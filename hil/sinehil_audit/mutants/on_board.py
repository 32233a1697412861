"""Flip the mutants' bits in a virtual Uno's flash, verify over its port, and compare with this process."""

import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sinehil.arduino import upload
from sinehil.base.console import Console
from sinehil.base.tools import run, tail
from sinehil.board.device import Device
from sinehil.board.transport import SerialTransport
from sinehil.errors import IdentityError, LinkError, ToolError, UsageError
from sinehil.jobs import firmware
from sinehil.jobs.selection import Selection
from sinehil.verify import Verdict
from sinehil.verify.comparison import verify
from sinehil.verify.result import VerifyResult
from sinehil.virtual import ControlClient, VirtualUno
from sinehil_audit.mutants.kernel_audit import KernelAudit, Subject
from sinehil_audit.mutants.mutant import Mutant, MutantKind, Patch

SYMBOL = re.compile(r"^([0-9a-f]+) [0-9a-f]+ \w (\w+?)(?:\.\w+)*$", re.MULTILINE)
SOUND, BREAKS_OUT = "sound", "breaks out"
BREAKING_OUT = 20  # one in so many of those on the board is one that nothing here can run


@dataclass(frozen=True)
class Ending:
    """How the run of one mutant ended: verdicts with the honest and with the forged expectation, what was answered.

    ``answers``: all codes and floats that came back where the forged run came to its end.
    """

    honest: str
    forged: str
    answers: bytes = b""


@dataclass(frozen=True)
class ComparedMutant:
    """One mutant here and on the board. ``here`` is None for one that breaks out, which nothing here can run."""

    number: int
    kind: MutantKind
    name: str
    here: Ending | None
    there: Ending

    @property
    def agrees(self) -> bool:
        """Whether verdicts and all answers are the same; one that breaks out must lose its identity at least."""
        return self.there.honest == "IDENTITY" if self.here is None else self.here == self.there


@dataclass(frozen=True)
class MutantBoard:
    """A virtual board with the sound firmware on it; ``reflash`` puts it there again."""

    port: str
    control: ControlClient
    elf: Path
    reflash: Callable[[], None]


def drawn(audit: KernelAudit, count: int, breaking_out: int = 0) -> list[int]:
    """Return the numbers of ``count`` seeded mutants that have outputs, and of up to so many that break out.

    Only bytes in flash that the linker leaves alone can be the same here and there, and only outputs that do not depend
    on what lies in registers and RAM. Each kind gets an equal share as far as it has so many.
    """
    draw = random.Random(audit.subject.seed)  # noqa: S311 - a sample, not a secret
    queues: dict[MutantKind, list[int]] = {}
    for number, mutant in enumerate(audit.mutants):
        if mutant.patches and mutant.kind is not MutantKind.ADDRESS:
            queues.setdefault(mutant.kind, []).append(number)
    for queue in queues.values():
        draw.shuffle(queue)
    chosen: list[int] = []
    broken: list[int] = []
    while len(chosen) < count and any(queues.values()):
        for queue in filter(None, queues.values()):
            number = queue.pop()
            mutant = audit.mutants[number]
            breaks = audit.subject.kernel.program is not None and audit.answers(mutant) is None
            if breaks or not audit.is_left_to_chance(mutant):
                (broken if breaks else chosen).append(number)
    return sorted(chosen[:count] + broken[:breaking_out])


def meet(
    audit: KernelAudit, numbers: Sequence[int], bench: MutantBoard, progress: Callable[[int], None]
) -> list[ComparedMutant]:
    """Run the mutants on the board, one after the other; the board is sound before each, and at the end."""
    addresses = symbols(bench.elf)
    met: list[ComparedMutant] = []
    transport = _sound(audit, bench)
    try:
        for number in numbers:
            mutant = audit.mutants[number]
            flips = [flip for patch in mutant.patches for flip in _flips(audit, patch, addresses)]
            here, checksum = _here(audit, mutant)
            _flip(bench.control, flips)
            there = _there(audit, transport, checksum)
            _flip(bench.control, flips)
            met.append(ComparedMutant(number, mutant.kind, mutant.name, here, there))
            if here is None or there.forged == "LINK":
                transport.close()
                transport = _sound(audit, bench)
            progress(len(met))
        transport.close()
        transport = _sound(audit, bench)
    finally:
        transport.close()
    return met


def endings(met: Sequence[ComparedMutant]) -> dict[str, dict[str, int]]:
    """Return how often each end occurred: of those with outputs, and of those that break out."""
    result: dict[str, Counter[str]] = {SOUND: Counter(), BREAKS_OUT: Counter()}
    for item in met:
        result[BREAKS_OUT if item.here is None else SOUND][f"{item.there.honest}, {item.there.forged}"] += 1
    return {name: dict(sorted(counts.items())) for name, counts in result.items()}


def symbols(elf: Path) -> dict[str, int]:
    """Return the flash addresses of what is in an image, by name without what the linker has added to it."""
    done = run(["avr-nm", "-S", elf])
    if done.code != 0:
        raise ToolError("avr-nm does not read the image", "run `sinehil doctor`", tail(done.stderr))
    return {name: int(address, 16) for address, name in SYMBOL.findall(done.stdout)}


def _here(audit: KernelAudit, mutant: Mutant) -> tuple[Ending | None, int]:
    """Return how it ends in this process, and the checksum that it has."""
    answers, patchable = audit.answers(mutant), audit.patchable
    breaks_out = answers is None and audit.subject.kernel.program is not None
    with patchable.changed(mutant.patches, answers):
        checksum = patchable.functions.weights_crc32()
        if breaks_out:
            return None, checksum
        return _ending(audit, audit.device(patchable), checksum), checksum


def _there(audit: KernelAudit, transport: SerialTransport, checksum: int) -> Ending:
    return _ending(audit, Device(transport), checksum)


def _ending(audit: KernelAudit, device: Device, checksum: int) -> Ending:
    try:
        honest = _verdict(audit, device, audit.subject.kernel.weights_crc32)[0]
        forged, result = _verdict(audit, device, checksum)
    except LinkError:
        return Ending("LINK", "LINK")
    return Ending(honest, forged, b"" if result is None else _answers(result))


def _verdict(audit: KernelAudit, device: Device, checksum: int) -> tuple[str, VerifyResult | None]:
    try:
        result = verify(device, audit.expected(checksum), audit.oracle, audit.subject.exhaustive)
    except IdentityError:
        return "IDENTITY", None
    except LinkError:
        return "LINK", None
    return str(result.verdict), result


def _answers(result: VerifyResult) -> bytes:
    assert result.codes is not None
    return result.codes.device_y_q.tobytes() + result.floats.device_y.tobytes()


def _sound(audit: KernelAudit, bench: MutantBoard) -> SerialTransport:
    """Return an open port behind which the sound kernel passes; flashed again where a mutant has spoilt more."""
    for _ in range(2):
        transport = SerialTransport(bench.port)
        bench.control.reset()
        verdict, _ = _verdict(audit, Device(transport), audit.subject.kernel.weights_crc32)
        if verdict == Verdict.PASS:
            return transport
        transport.close()
        bench.reflash()
    raise ToolError(
        f"the board on {bench.port} is not sound again after a flash ({verdict})", "start another one"
    )


def _flips(audit: KernelAudit, patch: Patch, addresses: dict[str, int]) -> list[tuple[int, int]]:
    old, start = audit.patchable.read_at(patch), addresses[patch.symbol] + patch.offset
    return [
        (start + at, bit)
        for at, (before, after) in enumerate(zip(old, patch.new, strict=True))
        for bit in range(8)
        if (before ^ after) >> bit & 1
    ]


def _flip(control: ControlClient, flips: Sequence[tuple[int, int]]) -> None:
    for address, bit in flips:
        control.flip_flash_bit(address, bit)


def audit_on_board(
    console: Console, subject: Subject, selection: Selection, port: str | None, count: int
) -> dict[str, Any]:
    """Run some mutants on a virtual Uno and hold each against its run in this process."""
    audit = KernelAudit(subject)
    with _bench(console, subject, selection, port) as bench, console.stage("board", with_eta=True) as stage:
        numbers = drawn(audit, count, count // BREAKING_OUT)
        met = meet(
            audit,
            numbers,
            bench,
            lambda done: stage.update(f"{done} of {len(numbers)} mutants", done / len(numbers)),
        )
        comparable = [item for item in met if item.here is not None]
        agreeing = sum(item.agrees for item in comparable)
        stage.note = (
            f"{agreeing} of {len(comparable)} mutants end on the board as they do here, answer by answer"
        )
    wrong = [item for item in met if not item.agrees]
    return {
        "mutants": len(met),
        "comparable": len(comparable),
        "agreeing": agreeing,
        "endings": endings(met),
        "disagreements": [
            f"{item.number}, {item.kind}: {item.name} ends otherwise on the board" for item in wrong
        ],
    }


@contextlib.contextmanager
def _bench(
    console: Console, subject: Subject, selection: Selection, port: str | None
) -> Iterator[MutantBoard]:

    kernel = subject.kernel
    with contextlib.ExitStack() as stack:
        if port is None:
            port = stack.enter_context(VirtualUno.start()).port
        control = ControlClient(Path(f"{port}.ctl"))
        if not control.answers():
            raise UsageError(
                f"{port} is not a virtual board's",
                "bits are flipped in simulated flash only: leave --port out",
            )
        built = firmware.compile_firmware(console, replace(selection, optimize=kernel.engine))

        def flash() -> None:
            upload(built.environment, built.firmware, port)

        flash()
        yield MutantBoard(port, control, built.firmware.elf, flash)
