"""Check verify's verdict against known answers and the boards' request logs."""

import math

import numpy as np

from sinehil.errors import IdentityError, LinkError
from sinehil.verify import Verdict
from sinehil.verify.result import VerifyResult
from sinehil_audit.link.case import ObservedRun
from sinehil_audit.link.fixtures import LinkBench, LinkPlan
from sinehil_audit.link.reference_parser import ERROR, IDENTIFY, INFER_F32, INFER_I8
from sinehil_audit.link.simulated_line import AnsweredRequest

CODES_A_REQUEST, FLOATS_A_REQUEST = 18, 4
# What hil/PROTOCOL.md promises, once more: a check does not take it from the code that it checks.
HANDSHAKE_S, DIAGNOSIS_S, SILENCE_S = 5.0, 2.5, 5.0
PATIENCE_S, PACE_S = 10.0, 0.5
SLACK_S = 0.1  # for what is on the line when a deadline passes


def longest_s(plan: LinkPlan) -> float:
    """Return how long a verification may take at most, in seconds."""
    floats, codes = len(plan.inputs.x), 0 if plan.inputs.codes is None else len(plan.inputs.codes)
    sizes = [1] * floats if plan.streamed else [math.ceil(floats / FLOATS_A_REQUEST)]
    sizes += [math.ceil(codes / CODES_A_REQUEST)] if codes else []
    exchanges_s = sum(PATIENCE_S + PACE_S * size + SILENCE_S for size in sizes)
    return HANDSHAKE_S + max(DIAGNOSIS_S, exchanges_s + SILENCE_S)


def violations(bench: LinkBench, seen: ObservedRun, slack_s: float = SLACK_S) -> list[str]:
    """Return everything that must not be; nothing if the run was as it should be."""
    found = [*seen.surprises, *_wrong_values(seen)]
    limit_s = longest_s(seen.plan) + slack_s
    if seen.elapsed_s > limit_s:
        found.append(f"took {seen.elapsed_s:.1f} s, at most {limit_s:.1f} s are promised")
    outcome = seen.outcome
    if isinstance(outcome, VerifyResult):
        found += _untrue_verdict(bench, seen, outcome)
    elif isinstance(outcome, IdentityError):
        found += _untrue_identity(bench, seen)
    elif not isinstance(outcome, LinkError):
        found.append(f"ended in {outcome!r}")
    return found


def _untrue_identity(bench: LinkBench, seen: ObservedRun) -> list[str]:
    """Once a board has answered the handshake, an identity is wrong only where a board with another model was."""
    right = all(asked.firmware.model_sha256 == bench.expected.model.sha256 for asked in seen.request_log)
    return [f"said {seen.outcome}, and every board was right"] if right and _inferences(seen) else []


def wrong_values(seen: ObservedRun) -> int:
    """Return how many replies were accepted that no board gave, or gave to something else."""
    return len(_wrong_values(seen))


def _wrong_values(seen: ObservedRun) -> list[str]:
    """Return what counted although no board that was asked just that, in one of the run's sessions, answers so."""
    true: dict[tuple[int, bytes], set[bytes]] = {}
    for asked in _inferences(seen):
        key = asked.request.kind, asked.request.payload
        true.setdefault(key, set()).add(asked.firmware.answer(*key))
    return [
        f"accepted {item.reply.hex()} as the answer to {item.payload.hex()} (type {item.kind})"
        for item in seen.accepted
        if item.kind in (INFER_I8, INFER_F32) and item.reply not in true.get((item.kind, item.payload), set())
    ]


def _inferences(seen: ObservedRun) -> list[AnsweredRequest]:
    """Return the inferences that boards made for this run: not those that they refused."""
    return [
        asked
        for asked in seen.request_log
        if asked.request.kind in (INFER_I8, INFER_F32)
        and asked.request.session in seen.sessions
        and asked.reply[2] != ERROR
    ]


def _untrue_verdict(bench: LinkBench, seen: ObservedRun, result: VerifyResult) -> list[str]:
    lives = {asked.epoch: asked.firmware for asked in _inferences(seen)}
    if len(lives) != 1:
        return [f"a verdict over {len(lives)} lives of boards"]
    [(epoch, firmware)] = lives.items()
    found = []
    last = [asked for asked in seen.request_log if asked.request.kind == IDENTIFY][-1]
    if last.epoch != epoch:
        found.append("the board was not the same at the end")
    model = bench.expected.model
    if firmware.model_sha256 != model.sha256 or result.identity.model_sha256 != firmware.model_sha256:
        found.append(f"a verdict about {firmware.name}")
    codes, floats = bench.known_answers[firmware.name, seen.plan.name]
    if not _same(result.floats.x, seen.plan.inputs.x) or not _same(result.floats.device_y, floats):
        found.append("the report's y are not the board's")
    if codes is not None and (
        result.codes is None
        or not _same(result.codes.x_q, seen.plan.inputs.codes)
        or not _same(result.codes.device_y_q, codes)
    ):
        found.append("the report's codes are not the board's")
    if not _all_asked(seen):
        found.append("something was never asked")
    expected = Verdict.PASS if is_right(bench, firmware.name, seen.plan) else Verdict.FAIL
    if result.verdict is not expected:
        found.append(f"said {result.verdict}, true is {expected}")
    return found


def is_right(bench: LinkBench, firmware: str, plan: LinkPlan) -> bool:
    """Return whether the firmware's true answers to the plan are the interpreter's."""
    codes, floats = bench.known_answers[firmware, plan.name]
    inputs = plan.inputs
    return _same(floats, bench.oracle.predict(inputs.x)) and (
        inputs.codes is None or _same(codes, bench.oracle.predict_codes(inputs.codes))
    )


def _all_asked(seen: ObservedRun) -> bool:
    """Return whether a board was asked for every input of the plan."""
    asked = {kind: set[bytes]() for kind in (INFER_I8, INFER_F32)}
    for item in _inferences(seen):
        size = 4 if item.request.kind == INFER_F32 else 1
        payload = item.request.payload
        asked[item.request.kind] |= {payload[at : at + size] for at in range(0, len(payload), size)}
    inputs = seen.plan.inputs
    wanted_codes = set() if inputs.codes is None else {bytes([code & 0xFF]) for code in inputs.codes.tolist()}
    raw = inputs.x.astype("<f4").tobytes()
    wanted_floats = {raw[at : at + 4] for at in range(0, len(raw), 4)}
    return wanted_codes <= asked[INFER_I8] and wanted_floats <= asked[INFER_F32]


def _same(left: "np.ndarray | None", right: "np.ndarray | None") -> bool:
    """Return whether both are the same bits."""
    return left is not None and right is not None and left.tobytes() == right.tobytes()
