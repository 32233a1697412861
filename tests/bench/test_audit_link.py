"""`sinehil audit link`: no false verdict over lines that fail on purpose, and a harness that would notice one."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest
from cobs import cobs

from sinehil.board import device, exchange, link
from sinehil.board.protocol import Frame, FrameDecoder, IdentifyReply
from sinehil.board.protocol.frame import CRC, HEADER
from sinehil.board.trace import TraceFile
from sinehil.commands.audit.proxy import PIECES
from sinehil.errors import ExitCode, IdentityError
from sinehil.jobs.selection import select
from sinehil.verify import Verdict
from sinehil.verify import comparison as run
from sinehil.verify.result import DeviceIdentity, VerifyResult
from sinehil_audit.link import verdict_check
from sinehil_audit.link.case import run_case, run_schedule
from sinehil_audit.link.fault_schedule import CLEAN, ROWS, FaultKind
from sinehil_audit.link.fixtures import LinkBench, make_link_bench
from sinehil_audit.link.link_audit import LinkAudit, Tally
from sinehil_audit.link.link_report import page
from sinehil_audit.link.residual import measure_throughput, reckon_residual
from sinehil_audit.link.verdict_check import SLACK_S, longest_s, violations

SEED, TRANSACTIONS = 11, 20_000
CASES = 400


@pytest.fixture(scope="module")
def bench(trained: Path) -> LinkBench:
    return make_link_bench(select(trained).model, "litert")


def audit(artifacts: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sinehil", "audit", "link", "--artifacts", str(artifacts), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_no_fault_brings_a_false_verdict(trained: Path) -> None:
    done = audit(trained, "--transactions", str(TRANSACTIONS), "--seed", str(SEED), "--json")
    document = json.loads(done.stdout)
    assert done.returncode == ExitCode.OK, document["violations"]
    total = document["total"]
    assert total["faulted"] >= TRANSACTIONS and document["elapsed_s"] > 0
    assert (total["wrong_accepts"], total["violations"], document["violations"]) == (0, 0, [])
    assert list(document["rows"]) == list(ROWS)
    assert all(row["faulted"] > 0 for row in document["rows"].values())
    for harmless in (FaultKind.GARBAGE, FaultKind.TWICE, "bit error rate 1e-05", "bit error rate 0.0001"):
        assert document["rows"][harmless]["links"] == 0, harmless
    assert all(total[verdict] > 0 for verdict in ("passes", "fails", "links", "identities"))
    assert document["rows"][FaultKind.DISCONNECTED]["links"] > 0


def test_a_case_can_be_had_again(trained: Path, bench: LinkBench) -> None:
    for case in (0, 8, 19):
        first, second = run_case(bench, SEED, case), run_case(bench, SEED, case)
        assert (first.requests, first.faulted, first.retries, first.elapsed_s) == (
            second.requests,
            second.faulted,
            second.retries,
            second.elapsed_s,
        )
        assert [item.reply for item in first.request_log] == [item.reply for item in second.request_log]
    done = audit(trained, "--replay", f"{SEED}:8", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == ExitCode.OK and told["row"] == ROWS[8]
    seen = run_case(bench, SEED, 8)
    assert (told["requests"], told["retries"]) == (seen.requests, seen.retries)


def test_a_trace_of_a_case_agrees_with_what_was_counted(
    trained: Path, bench: LinkBench, tmp_path: Path
) -> None:
    lost = 0
    for case in range(len(ROWS)):
        with TraceFile(tmp_path / "case.jsonl", 0.0) as trace:
            seen = run_case(bench, SEED, case, trace)
        events = [json.loads(line) for line in (tmp_path / "case.jsonl").read_text().splitlines()]
        kinds = Counter(event["event"] for event in events)
        assert kinds["lost"] == seen.retries, case
        assert seen.requests - kinds["sent"] in (0, 1, 2), "a question to the bootloader is no frame"
        lost += kinds["lost"]
    assert lost > len(ROWS)
    path = tmp_path / "replayed.jsonl"
    done = audit(trained, "--replay", f"{SEED}:8", "--trace", path, "--json")
    kinds = Counter(json.loads(line)["event"] for line in path.read_text().splitlines())
    assert kinds["lost"] == json.loads(done.stdout)["retries"]
    refused = audit(trained, "--trace", path)
    assert refused.returncode == ExitCode.USAGE and "--replay SEED:CASE" in refused.stderr


def test_what_is_no_case_is_a_usage_error(trained: Path) -> None:
    done = audit(trained, "--replay", "seven")
    assert done.returncode == ExitCode.USAGE
    assert "SEED:CASE" in done.stderr


def test_a_clean_line_brings_each_board_what_it_deserves(bench: LinkBench) -> None:
    for plan in bench.plans:
        verdicts = []
        for first in range(len(bench.firmwares)):
            seen = run_schedule(bench, plan, first, CLEAN, 1)
            assert violations(bench, seen) == []
            assert seen.retries == seen.faulted == 0
            is_result = isinstance(seen.outcome, VerifyResult)
            verdicts.append(seen.outcome.verdict if is_result else type(seen.outcome).__name__)
        assert verdicts[0] is Verdict.PASS and verdicts[-1] == "IdentityError"
        assert Verdict.FAIL in verdicts or plan.name == "streamed"


def believe_every_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(_self: FrameDecoder, encoded: bytes) -> Frame | None:
        try:
            body = cobs.decode(encoded)
        except cobs.DecodeError:
            return None
        whole = HEADER.size + CRC.size <= len(body)
        return Frame(*HEADER.unpack_from(body), body[HEADER.size : -CRC.size]) if whole else None

    monkeypatch.setattr(FrameDecoder, "_decode", decode)


def believe_every_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_it_says(reply: IdentifyReply, _expected: object, _port: str) -> DeviceIdentity:
        return DeviceIdentity(**{item.name: getattr(reply, item.name) for item in fields(DeviceIdentity)})

    monkeypatch.setattr(run, "check_identity", as_it_says)


def doubt_every_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LinkStatistics", raise_identity_error)


def raise_identity_error(*_: object) -> None:
    raise IdentityError("another board", "")


def believe_every_life(monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = IdentifyReply.unpack
    monkeypatch.setattr(IdentifyReply, "unpack", lambda payload: replace(unpack(payload), life=0))


def want_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the session that every board has after a reset, and no lives, so that none is noticed."""
    monkeypatch.setattr(link, "_random_session", lambda _choose: 0)
    believe_every_life(monkeypatch)


def compare_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VerifyResult, "verdict", property(lambda _: Verdict.PASS))


@pytest.mark.parametrize(
    ("sabotage", "told"),
    [
        (believe_every_checksum, r"accepted [0-9a-f]* as the answer"),
        (believe_every_identity, "a verdict about another model"),
        (want_no_session, "a verdict over 2 lives of boards"),
        (believe_every_life, "the board was not the same at the end"),
        (believe_every_life, "a verdict over 2 lives of boards"),
        (doubt_every_identity, "every board was right"),
        (compare_nothing, "said PASS, true is FAIL"),
    ],
)
def test_the_harness_would_notice(
    bench: LinkBench,
    sabotage: Callable[[pytest.MonkeyPatch], None],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative controls: the code under test made careless."""
    sabotage(monkeypatch)
    found = [text for case in range(CASES) for text in violations(bench, run_case(bench, SEED, case))]
    assert any(re.search(told, text) for text in found), found[:5]


def test_the_harness_notices_what_takes_too_long_or_ends_otherwise(bench: LinkBench) -> None:
    seen = run_schedule(bench, bench.plans[1], 0, CLEAN, 1)
    late = replace(seen, elapsed_s=longest_s(seen.plan) + SLACK_S + 0.01)
    assert re.search("took .* at most", violations(bench, late)[0])
    assert "ended in KeyError" in violations(bench, replace(seen, outcome=KeyError("x")))[0]
    never = (*seen.request_log[:5], *seen.request_log[6:])
    assert "something was never asked" in violations(bench, replace(seen, request_log=never))


def test_the_judges_limits_are_the_protocols(bench: LinkBench) -> None:
    assert (verdict_check.HANDSHAKE_S, verdict_check.PATIENCE_S, verdict_check.PACE_S) == (
        device.HANDSHAKE_S,
        exchange.PATIENCE_S,
        exchange.PACE_S,
    )
    assert link.REPLY_TIMEOUT_S * (1 + sum(link.PING_WAITS)) == verdict_check.SILENCE_S
    assert verdict_check.SILENCE_S == link.REPLY_TIMEOUT_S * link.IDENTIFY_AGAIN_WAITS
    for plan in bench.plans:
        codes = 0 if plan.inputs.codes is None else -(-256 // verdict_check.CODES_A_REQUEST)
        floats = -(-len(plan.inputs.x) // (1 if plan.streamed else verdict_check.FLOATS_A_REQUEST))
        assert plan.pieces == 1 + codes + floats + 1, "two identifications and what is between them"
    assert bench.plans[0].pieces == PIECES
    text = (Path(__file__).parents[2] / "hil/PROTOCOL.md").read_text()
    for mode, plan in zip(("exhaustive", "streamed"), (bench.plans[0], bench.plans[2]), strict=True):
        assert f"{longest_s(plan):.1f} s" in text, mode


def test_noise_costs_little_time(bench: LinkBench) -> None:
    quiet, noisy = (measure_throughput(bench, rate, 40, SEED) for rate in (1e-5, 1e-4))
    assert (quiet.passes, noisy.passes) == (40, 40)
    assert quiet.worst <= 2.0, "times that on a clean line"
    assert 1.0 < noisy.median < noisy.worst


def test_what_a_checksum_misses_is_as_its_theory_says(bench: LinkBench) -> None:
    residual = reckon_residual(bench.earlier[0], (1e-5, 1e-4), 5_000, SEED)
    assert [residual.patterns[weight] > 0 for weight in range(1, 7)] == [False] * 5 + [True]
    assert residual.rates[1e-5] < residual.rates[1e-4] < 1e-12
    reached, passed = (
        sum(getattr(item, name) for item in residual.shortened) for name in ("reached", "passed")
    )
    assert reached > 5_000
    assert passed == pytest.approx(reached / 256, abs=4 * (reached / 256) ** 0.5)
    noisy = [measure_throughput(bench, 1e-5, 2, SEED)]
    page_text = page(LinkAudit(SEED, Tally()), bench.expected.model, residual, noisy)
    assert f"1 in\n{reached / passed:.0f}," in page_text
