"""Mutants of small nets: who notices them, and that the audit itself can find a check that notices nothing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from nets import variety, wider_variety

from sinehil.errors import ArtefactError
from sinehil.model.interpreters import open_oracle
from sinehil.model.targets import TARGETS, Aim
from sinehil.model.tflite import QuantizedModel
from sinehil.verify import Mode
from sinehil.verify import comparison as verify_run
from sinehil.verify.comparison import Inputs
from sinehil.verify.probes import all_codes, evenly_spaced, exhaustive_floats, input_range
from sinehil.verify.result import CodeComparison, FloatComparison
from sinehil_audit.mutants.damaged_image import Image
from sinehil_audit.mutants.interpreter_answers import EVERY_CODE, InterpreterAnswers, around_every_step
from sinehil_audit.mutants.kernel_audit import KernelAudit, Subject
from sinehil_audit.mutants.mutant import CODE, FLIPS, Mutant, MutantKind, MutantOutcome, Patch
from sinehil_audit.mutants.mutants_report import share
from sinehil_audit.mutants.parallel_audit import AuditedKernel, audit_alone
from sinehil_kernels import generate_kernel
from sinehil_kernels.avr.isa import encode

PER_KIND = 8
Sabotage = Callable[[pytest.MonkeyPatch], None]


def model() -> QuantizedModel:
    return variety()["plain 4"].model()


def subject(engine: str, seed: int = 137) -> Subject:
    loaded = model()
    low, high = input_range(loaded.input, None)
    aim = Aim(None, "made by hand")
    return Subject(
        loaded,
        generate_kernel(loaded, "litert", engine),
        Inputs(Mode.EXHAUSTIVE, exhaustive_floats(loaded.input), aim, all_codes()),
        Inputs(Mode.TEST_SET, evenly_spaced(20, low, high), aim),
        seed,
    )


@pytest.fixture(scope="module", params=["portable", "speed"])
def audited(request: pytest.FixtureRequest) -> AuditedKernel:
    return audit_alone(subject(request.param), PER_KIND)


def test_exhaustive_notices_all_that_is_visible_and_identity_every_flip(audited: AuditedKernel) -> None:
    assert audited.survivors == []
    total = audited.total
    assert total.exhaustive == total.visible > 20
    assert all(counts.identity == counts.mutants for kind, counts in audited.by_kind.items() if kind in FLIPS)


def test_what_nobody_can_see_is_neither_noticed_nor_counted_as_such(audited: AuditedKernel) -> None:
    assert audited.total.false_alarms == 0
    unseen = [outcome for *_, outcome in audited.outcomes if not outcome.visible and not outcome.breaks_out]
    assert unseen and not any(outcome.exhaustive or outcome.test_set for outcome in unseen)


def test_weaker_checks_notice_less(audited: AuditedKernel) -> None:
    total = audited.total
    assert total.test_set < total.exhaustive and total.four <= total.codes < total.exhaustive


def blind_comparisons(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FloatComparison, "equal", property(lambda self: np.ones(self.x.shape, np.bool_)))
    patch.setattr(CodeComparison, "error_lsb", property(lambda self: np.zeros(self.x_q.shape, np.int16)))


def blind_codes_and_last_float(patch: pytest.MonkeyPatch) -> None:
    """Not one that sees nothing: one that does not look at the last code and at steps from below."""
    honest = FloatComparison.equal.fget  # type: ignore[attr-defined]
    patch.setattr(
        FloatComparison, "equal", property(lambda self: honest(self) | (np.arange(len(self.x)) % 2 == 0))
    )
    patch.setattr(CodeComparison, "error_lsb", property(lambda self: np.zeros(self.x_q.shape, np.int16)))


def blind_identity(patch: pytest.MonkeyPatch) -> None:
    honest = verify_run.check_identity
    patch.setattr(
        verify_run,
        "check_identity",
        lambda reply, expected, port: honest(
            reply, replace(expected, checksum_of=lambda _: reply.weights_crc32), port
        ),
    )


@pytest.mark.parametrize(
    ("sabotage", "survived"),
    [
        (blind_comparisons, "the exhaustive comparison"),
        (blind_codes_and_last_float, "the exhaustive comparison"),
        (blind_identity, "the identity"),
    ],
)
def test_a_sabotaged_verify_leaves_survivors(
    sabotage: Sabotage, survived: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    found = audit_alone(subject("portable"), 25)
    assert found.survivors and all(line.endswith(f"survives {survived}") for line in found.survivors)


def test_the_truth_is_the_interpreters_and_finer_than_what_verify_sends() -> None:
    loaded = model()
    oracle = open_oracle("litert", loaded)
    truth = InterpreterAnswers(loaded, oracle, Aim(None))
    codes, floats = oracle.predict_codes(EVERY_CODE), oracle.predict(truth.x)
    assert not truth.visible(codes, floats)
    one_bit = floats.copy()
    one_bit.view(np.uint32)[5] ^= 1
    assert truth.visible(codes, one_bit)
    off = codes.copy()
    off[200] += 1
    assert truth.visible(off, floats)
    sent = exhaustive_floats(loaded.input)
    steps = sent[: 2 * 255]
    assert np.isin(steps, around_every_step(loaded)).all()


def test_a_check_is_held_against_the_target_only_where_the_sound_model_passes() -> None:
    loaded = model()  # which is no sine
    truth = InterpreterAnswers(loaded, open_oracle("litert", loaded), Aim(TARGETS["sin"]))
    assert {check.against for check in (truth.codes, truth.twenty, truth.four)} == {"the interpreter"}


@pytest.mark.parametrize(
    ("at", "word"),
    [(0, encode("rjmp", (-1,))), (0, 0xFFFF), (0, encode("rjmp", (-9,)))],
)
def test_a_kernel_that_does_not_come_back_breaks_out_and_is_no_visible_one(at: int, word: int) -> None:
    audit = KernelAudit(subject("speed"))
    patch = Patch(CODE, 2 * at, word.to_bytes(2, "little"))
    assert audit.outcome(Mutant(MutantKind.INSTRUCTIONS, "by hand", (patch,))) == MutantOutcome(
        True, False, True, *[False] * 5
    )


def test_codes_that_do_not_meet_the_damage_need_not_run() -> None:
    """All 256 codes of a few damaged images, run one by one without that knowledge."""
    made = subject("speed").kernel
    assert made.program is not None
    image = Image(made.program)
    every = Image(made.program)
    every._meets = [{*range(len(made.program.words))}] * 256
    for bit in range(5, 8 * len(made.program.image), 1511):
        damaged = bytearray(made.program.image)
        damaged[bit // 8] ^= 1 << bit % 8
        quick, slow = image.answers_of(bytes(damaged)), every.answers_of(bytes(damaged))
        assert (quick is None) == (slow is None) and (quick is None or np.array_equal(quick, slow))


def test_outputs_left_to_chance_are_known() -> None:
    audit = KernelAudit(subject("speed"))
    program = audit.subject.kernel.program
    assert program is not None
    loads = [at for at, word in enumerate(program.words) if word >> 12 == 0b1110]  # ldi
    nop = (0).to_bytes(2, "little")
    chance = [
        audit.is_left_to_chance(Mutant(MutantKind.INSTRUCTIONS, "no ldi", (Patch(CODE, 2 * at, nop),)))
        for at in loads[::40]
    ]
    assert any(chance)
    right = Patch(CODE, 2 * loads[0], program.image[2 * loads[0] :][:2])
    assert not audit.is_left_to_chance(Mutant(MutantKind.IMMEDIATES, "none", (right,)))


def test_patches_are_undone() -> None:
    audit = KernelAudit(subject("portable"))
    before = audit.patchable.functions.weights_crc32()
    for number in audit.chosen(2):
        audit.outcome(audit.mutants[number])
    assert audit.patchable.functions.weights_crc32() == before == audit.subject.kernel.weights_crc32


def test_a_model_with_several_inputs_is_refused() -> None:
    wide = next(net.model() for net in wider_variety().values() if net.model().inputs > 1)
    with pytest.raises(ArtefactError, match="inputs and"):
        KernelAudit(replace(subject("portable"), model=wide, kernel=generate_kernel(wide)))


def test_an_outcome_survives_being_a_number() -> None:
    assert all(MutantOutcome.of_number(number).as_number() == number for number in range(256))


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0 of 0"), (0, 9, "0.0 %"), (9, 9, "100 %"), (9999, 10000, "99.9 %"), (1, 9999, "0.1 %")],
)
def test_a_percentage_is_never_rounded_to_all_or_nothing(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text
