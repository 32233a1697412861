"""Run the mutants of one kernel behind the real protocol and the real ``verify``, and say which checks notice each."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sinehil.board.device import Device
from sinehil.errors import ArtefactError, IdentityError
from sinehil.model.arrays import Codes, Float32s
from sinehil.model.interpreters import CachedOracle, open_oracle
from sinehil.model.tflite import QuantizedModel
from sinehil.native import NativeTransport
from sinehil.verify import Verdict
from sinehil.verify.comparison import Expected, Inputs, verify
from sinehil.verify.result import VerifyResult
from sinehil_audit.mutants import flips, structure
from sinehil_audit.mutants.damaged_image import Image
from sinehil_audit.mutants.interpreter_answers import EVERY_CODE, InterpreterAnswers
from sinehil_audit.mutants.loaded_kernel import PatchableKernel, constants_of
from sinehil_audit.mutants.mutant import CODE, Mutant, MutantKind, MutantOutcome
from sinehil_kernels import GeneratedKernel


@dataclass(frozen=True)
class Subject:
    """A sound kernel and what ``verify`` sends: ``exhaustive`` and, where there is one, the test set's inputs."""

    model: QuantizedModel
    kernel: GeneratedKernel
    exhaustive: Inputs
    test_set: Inputs | None
    seed: int


class KernelAudit:
    """All mutants of a kernel, and what becomes of each."""

    def __init__(self, subject: Subject) -> None:
        """Compile the kernel; ArtefactError for several inputs or outputs, or a neuron computed by its steps."""
        model, kernel = subject.model, subject.kernel
        if (model.inputs, model.outputs) != (1, 1):
            raise ArtefactError(
                f"{model.name} has {model.inputs} inputs and {model.outputs} outputs",
                "mutants are audited of a model with one input and one output, over all its 256 codes",
            )
        self.subject = subject
        self.constants = constants_of(kernel.source)
        if any(name.endswith("_start") for name in self.constants):
            raise ArtefactError(
                f"the {kernel.engine} kernel of {model.name} searches steps, and a flipped one reads beyond memory",
                "audit another kernel: --optimize speed or size",
            )
        self.oracle = CachedOracle(open_oracle(kernel.oracle, model))
        self.truth = InterpreterAnswers(model, self.oracle, subject.exhaustive.aim)
        self._image = None if kernel.program is None else Image(kernel.program)
        self.patchable = _patchable(kernel, self._image)

    @cached_property
    def mutants(self) -> list[Mutant]:
        """All of them, in an order that never changes."""
        return list(self._generated())

    def chosen(self, count: int | None) -> list[int]:
        """Return the numbers of all mutants, or of at most ``count`` of each kind, which the seed draws."""
        draw = random.Random(self.subject.seed)  # noqa: S311 - a sample, not a secret
        by_kind: dict[MutantKind, list[int]] = {}
        for number, mutant in enumerate(self.mutants):
            by_kind.setdefault(mutant.kind, []).append(number)
        return sorted(
            number
            for numbers in by_kind.values()
            for number in (numbers if count is None else draw.sample(numbers, min(count, len(numbers))))
        )

    def _generated(self) -> Iterator[Mutant]:
        model, kernel, patchable = self.subject.model, self.subject.kernel, self.patchable
        yield from flips.constant_flips(patchable, self.constants)
        yield from flips.scales_beside(patchable)
        yield from structure.roundings_of_x(kernel)
        yield from structure.kernels_for_other_oracles(kernel, model)
        if kernel.program is None:
            yield from structure.swapped_constants(patchable, self.constants, model)
            yield from structure.loops_in_c(kernel)
            yield from structure.roundings_of_sums(self.constants, model, kernel.oracle)
        else:
            kinds = flips.bit_kinds(kernel.program, kernel.engine, model, kernel.oracle)
            yield from flips.image_flips(kernel.program, kinds)
            yield from structure.loops_of_the_stream(kernel, model)
            yield from structure.swapped_in_the_model(kernel, model, self.subject.seed)

    def outcome(self, mutant: Mutant) -> MutantOutcome:
        """Return who notices a mutant."""
        if mutant.make is not None:
            return self._judged(_patchable(mutant.make()))
        answers = self.answers(mutant)
        if answers is None and self._image is not None:
            with self.patchable.changed(mutant.patches, None):
                return MutantOutcome(True, False, self._noticed_by_identity(self.patchable), *[False] * 5)
        with self.patchable.changed(mutant.patches, answers):
            return self._judged(self.patchable)

    def is_left_to_chance(self, mutant: Mutant) -> bool:
        """Return whether the outputs depend on what lies in registers and RAM: then they say nothing of a board."""
        return self._image is not None and self._image.is_left_to_chance(self._patched(mutant))

    def answers(self, mutant: Mutant) -> Codes | None:
        """Return what a kernel in assembly gives for each code; None if it breaks out, or is in C."""
        if self._image is None:
            return None
        return self._image.answers_of(self._patched(mutant))

    def _patched(self, mutant: Mutant) -> bytes:
        """Return the image with a mutant's patches."""
        assert self.subject.kernel.program is not None
        image = bytearray(self.subject.kernel.program.image)
        for patch in mutant.patches:
            if patch.symbol == CODE:
                image[patch.offset : patch.offset + len(patch.new)] = patch.new
        return bytes(image)

    def forged(self, patchable: PatchableKernel, inputs: Inputs) -> VerifyResult:
        """Verify with the checksum expected that the damaged kernel has."""
        return self._verify(patchable, inputs, patchable.functions.weights_crc32())

    def _judged(self, patchable: PatchableKernel) -> MutantOutcome:
        functions = patchable.functions
        y_q = functions.infer(EVERY_CODE.reshape(-1, 1)).ravel()

        def y(x: Float32s) -> Float32s:
            return functions.dequantize(functions.infer(functions.quantize(x).reshape(-1, 1)).ravel())

        test_set, truth = self.subject.test_set, self.truth
        return MutantOutcome(
            breaks_out=False,
            visible=truth.visible(y_q, y(truth.x)),
            identity=self._noticed_by_identity(patchable),
            exhaustive=_failed(self.forged(patchable, self.subject.exhaustive)),
            test_set=test_set is not None and _failed(self.forged(patchable, test_set)),
            codes=truth.codes.notices(y(truth.codes.x)),
            twenty=truth.twenty.notices(y(truth.twenty.x)),
            four=truth.four.notices(y(truth.four.x)),
        )

    def _noticed_by_identity(self, patchable: PatchableKernel) -> bool:
        """Return whether an honest board is refused before anything is compared."""
        first = replace(self.subject.exhaustive, x=self.subject.exhaustive.x[:1], codes=None)
        try:
            self._verify(patchable, first, self.subject.kernel.weights_crc32)
        except IdentityError:
            return True
        return False

    def _verify(self, patchable: PatchableKernel, inputs: Inputs, checksum: int) -> VerifyResult:
        return verify(self.device(patchable), self.expected(checksum), self.oracle, inputs)

    def device(self, patchable: PatchableKernel) -> Device:
        """Return a board of this process with a kernel on it, not yet connected."""
        return Device(NativeTransport(patchable.board()))

    def expected(self, checksum: int) -> Expected:
        """Return what the board must say of itself, with a checksum that is ours or a mutant's."""
        kernel = self.subject.kernel
        return Expected(
            self.subject.model, kernel.oracle, lambda engine: checksum if engine == kernel.engine else None
        )


def outcomes(audit: KernelAudit, numbers: Sequence[int]) -> Iterator[tuple[int, MutantOutcome]]:
    """Yield what becomes of each of the numbered mutants."""
    for number in numbers:
        yield number, audit.outcome(audit.mutants[number])


def _failed(result: VerifyResult) -> bool:
    return result.verdict is Verdict.FAIL


def _patchable(kernel: GeneratedKernel, image: Image | None = None) -> PatchableKernel:
    if kernel.program is None:
        return PatchableKernel(kernel.sources, None, None)
    return PatchableKernel(kernel.sources, kernel.program, (image or Image(kernel.program)).answers)
