"""Bad lines in front of real transports: the wrapper in this process, boards behind ports, and the proxy."""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinehil.errors import ExitCode, LinkError
from sinehil.jobs.selection import select
from sinehil.native import NativeTransport
from sinehil.verify import Verdict
from sinehil.verify.result import VerifyResult
from sinehil_audit.link.case import draw_case
from sinehil_audit.link.fault_schedule import CLEAN, ROWS, Direction, Fault, FaultKind, Schedule
from sinehil_audit.link.faulty_transport import FaultyTransport
from sinehil_audit.link.fixtures import LinkBench, make_link_bench
from sinehil_audit.link.link_audit import Tally
from sinehil_audit.link.recorded_boards import bench_of_boards, run_on_boards, tallies
from sinehil_audit.link.reference_parser import IDENTIFY, FrameSplitter, request
from sinehil_audit.link.verdict_check import violations
from tests.bench.conftest import DEADLINE_S, Bench, until
from tests.bench.test_audit_link import believe_every_checksum, compare_nothing, want_no_session

SEED = 11
ROUNDS = 8
OPENS = 7  # all that end a life, and two bit error rates
ON_BOARD, ON_BOARD_SEED = 60, 7  # with boards of all three kinds


@pytest.fixture(scope="module")
def known(trained: Path) -> LinkBench:
    return bench_of_boards(make_link_bench(select(trained).model, "litert"), 3)


def native(known: LinkBench) -> list[NativeTransport]:
    return [NativeTransport(firmware.image.board(), firmware.name) for firmware in known.firmwares]


def test_any_transport_can_be_wrapped(known: LinkBench) -> None:
    total = Tally()
    for tally in itertools.islice(tallies(known, native(known), SEED), ROUNDS * len(ROWS)):
        total.add(tally)
    assert total.found == []
    assert all(row.verifies == ROUNDS and row.faulted > 0 for row in total.rows.values())
    assert min(total.total.passes, total.total.fails, total.total.links, total.total.identities) > 0
    assert total.rows[FaultKind.DISCONNECTED].passes < ROUNDS


@pytest.mark.parametrize("sabotage", [believe_every_checksum, want_no_session, compare_nothing])
def test_the_recorder_at_the_board_would_notice(
    known: LinkBench, sabotage: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative controls: the code under test made careless."""
    sabotage(monkeypatch)  # type: ignore[operator]
    found = [
        text
        for number in range(20 * len(ROWS))
        for text in violations(known, run_on_boards(known, native(known), SEED, number))
    ]
    assert found


def test_the_same_case_strikes_the_same_requests(known: LinkBench) -> None:
    for number in (0, 7, 17):
        first, second = (run_on_boards(known, native(known), SEED, number) for _ in range(2))
        assert (first.requests, first.faulted, first.retries) == (
            second.requests,
            second.faulted,
            second.retries,
        )
    assert draw_case(known, SEED, 3) == draw_case(known, SEED, 3) != draw_case(known, SEED + 1, 3)


def test_what_is_delayed_holds_up_what_comes_behind_it(known: LinkBench) -> None:
    board = native(known)[0]
    late = Schedule("late", (Fault(Direction.TO_HOST, 0, FaultKind.DELAYED, 5),))
    line = FaultyTransport([board], late)
    plain = FaultyTransport([native(known)[0]], CLEAN)
    identify = request(IDENTIFY, 1, 0x01010101, b"")
    for each in (line, plain):
        each.write(identify)
        each.write(identify)
    assert plain.read(0.001) == b"".join(plain.heard)
    assert line.read(0.0005) == b""
    started_s = line.now()
    assert line.read(10.0) == b"".join(line.heard)
    assert line.now() > started_s
    assert line.faulted == {1}, "the last with this number and session"


def test_a_pulled_plug_stays_pulled(known: LinkBench) -> None:
    gone = Schedule("gone", (Fault(Direction.TO_BOARD, 0, FaultKind.DISCONNECTED, 5),))
    line = FaultyTransport(native(known)[:1], gone)
    line.write(b"\0\x01\0")
    for refused in (lambda: line.read(0.1), lambda: line.write(b"\0"), line.reopen):
        with pytest.raises(LinkError):
            refused()


def test_a_stream_is_cut_at_delimiters() -> None:
    cutter = FrameSplitter()
    assert cutter.feed(b"text\r\n\0\x01") == [b"text\r\n\0"]
    assert cutter.feed(b"\x02\0\0\x03\0") == [b"\x01\x02\0", b"\0\x03\0"]
    assert cutter.feed(b"more") == []
    assert (cutter.rest(), cutter.rest()) == (b"more", b"")


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.extended
def test_no_false_verdict_on_boards(
    pytestconfig: pytest.Config, trained: Path, build: Path, flashed: Bench
) -> None:
    """The same with ports: virtual Unos, or the real board, which then has the right firmware only."""
    real = pytestconfig.getoption("--port")
    words = ["--transactions", 1, "--on-board", ON_BOARD, "--seed", ON_BOARD_SEED, "--json"]
    words += ["--port", real] if real else []
    done = flashed.cli("audit", "link", "--artifacts", trained, "--build", build, *words)
    boards = json.loads(done.stdout)["on_boards"]
    assert done.returncode == ExitCode.OK, boards["violations"]
    assert boards["total"]["faulted"] >= ON_BOARD and boards["total"]["passes"] > 0
    if real:  # as it was, for the other tests
        assert flashed.cli("flash", "--port", flashed.port, *flashed.words()).returncode == ExitCode.OK
    else:
        assert min(boards["total"]["fails"], boards["total"]["identities"]) > 0


@pytest.mark.board
@pytest.mark.slow
def test_a_case_can_be_had_again_on_a_board(virtual: Bench, trained: Path, build: Path) -> None:
    case = ROWS.index(FaultKind.LOST)
    words = ["--port", virtual.port, "--on-board", 1, "--replay", f"{SEED}:{case}", "--json"]
    done = virtual.cli("audit", "link", "--artifacts", trained, "--build", build, *words)
    told = json.loads(done.stdout)
    assert done.returncode == ExitCode.OK, told
    assert (told["row"], told["violations"]) == (FaultKind.LOST, []) and told["requests"] > 0


def test_ports_that_cannot_be_meant_are_a_usage_error(flashed: Bench, trained: Path) -> None:
    for words, told in (
        (["--port", flashed.port], "--on-board"),
        (["--on-board", 1, *["--port", flashed.port] * 2], "each once"),
        (["--on-board", 1, *(word for name in "abcd" for word in ("--port", name))], "3 at most"),
    ):
        done = flashed.cli("audit", "link", "--artifacts", trained, *words)
        assert done.returncode == ExitCode.USAGE and told in done.stderr, done.stderr


@contextlib.contextmanager
def proxied(port: str, link: Path, *words: object) -> Iterator["subprocess.Popen[str]"]:
    command = [
        sys.executable,
        "-m",
        "sinehil",
        "audit",
        "proxy",
        "--port",
        port,
        "--link",
        str(link),
        "--json",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *map(str, words)], text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            until(lambda: link.exists() or process.poll() is not None, "the proxy's port")
            yield process
        finally:
            process.terminate()


@pytest.mark.board
@pytest.mark.slow
def test_verify_through_the_proxy(flashed: Bench, tmp_path: Path) -> None:
    """Before a right board: PASS or LINK, a case for each open, and the port comes back when its plug was pulled."""
    link, path, first = tmp_path / "bad", tmp_path / "wire.jsonl", ROWS.index(FaultKind.RESET)
    rows = ROWS[first : first + OPENS]
    with proxied(
        flashed.port, link, "--seed", SEED, "--case", first, "--opens", OPENS, "--trace", path
    ) as proxy:
        codes = {}
        for row in rows:
            until(link.exists, "the port, plugged in again")
            done = flashed.cli("verify", "--port", link, *flashed.words(), "--json")
            codes[row] = done.returncode
            assert done.returncode in (ExitCode.OK, ExitCode.LINK), (row, done.returncode, done.stderr)
            passed = json.loads(done.stdout).get("verdict") == Verdict.PASS
            assert (done.returncode == ExitCode.OK) == passed and "Traceback" not in done.stderr
        stdout, stderr = proxy.communicate(timeout=DEADLINE_S)
    assert proxy.returncode == ExitCode.OK, stderr
    traced = [json.loads(line) for line in path.read_text().splitlines()]
    assert {event["port"] for event in traced} == {flashed.port, str(link)}
    assert {event["event"] for event in traced} >= {"sent", "received", "dropped", "reset"}
    cases = json.loads(stdout)["cases"]
    assert [case["fault"] for case in cases] == list(rows)
    assert all(case["faulted"] > 0 for case in cases if codes[case["fault"]] == ExitCode.LINK)
    assert codes["bit error rate 1e-05"] == codes["bit error rate 0.0001"] == ExitCode.OK
    assert codes[FaultKind.RESET] == codes[FaultKind.DISCONNECTED] == ExitCode.LINK
    assert not link.is_symlink()


@pytest.mark.board
def test_one_kind_of_fault_and_the_proxys_end(flashed: Bench, tmp_path: Path) -> None:
    link = tmp_path / "bad"
    with proxied(flashed.port, link, "--fault", "bit error rate 0.0001", "--case", 3) as proxy:
        done = flashed.cli("verify", "--port", link, *flashed.words())
        assert done.returncode == ExitCode.OK, done.stderr
        assert flashed.cli("verify", "--port", flashed.port, *flashed.words()).returncode == ExitCode.LINK
        proxy.send_signal(signal.SIGTERM)
        stdout, stderr = proxy.communicate(timeout=DEADLINE_S)
    assert (proxy.returncode, "Traceback" in stderr) == (ExitCode.OK, False)
    [case] = json.loads(stdout)["cases"]
    assert case["case"] % len(ROWS) == ROWS.index("bit error rate 0.0001") and case["case"] > 3
    assert case["faulted"] > 0
    assert not link.is_symlink()


def test_what_the_proxy_refuses(flashed: Bench, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    (tmp_path / "port").symlink_to(flashed.port)
    for words, told in (
        (("--port", tmp_path / "none"), "there is no port"),
        (("--port", flashed.port, "--fault", "rust"), "bits flipped"),
        (("--port", flashed.port, "--link", file), "choose another --link"),
        (("--port", flashed.port, "--link", tmp_path / "port"), "choose another --link"),
        (("--port", flashed.port, "--link", tmp_path / "no" / "port"), "No such file"),
    ):
        done = flashed.cli("audit", "proxy", *words)
        assert done.returncode in (ExitCode.USAGE, ExitCode.LINK) and told in done.stderr, done.stderr
    assert file.read_text() == "mine"


def test_the_verdicts_are_the_boards_own(known: LinkBench) -> None:
    """A line without faults brings each board what it deserves, through wrapper and recorder too."""
    quiet = [number for number in range(400) if not draw_case(known, SEED, number).schedule.faults]
    seen = [run_on_boards(known, native(known), SEED, number) for number in quiet]
    verdicts = {item.outcome.verdict for item in seen if isinstance(item.outcome, VerifyResult)}
    assert verdicts == {Verdict.PASS, Verdict.FAIL}
