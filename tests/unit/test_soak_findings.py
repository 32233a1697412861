"""A soak's verdict on records made up here: flat is PASS, and everything that grows, fails or is missing is FAIL."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import MountTmpfs

from sinehil.errors import ArtefactError
from sinehil.verify import Verdict
from sinehil_audit.soak.actions import actions
from sinehil_audit.soak.findings import MOST_GROWTH_BYTES_PER_HOUR, Counted, findings_of, slope_bytes_per_hour
from sinehil_audit.soak.soak_log import Log, read_log
from sinehil_audit.soak.soak_page import page_html

Records = list[dict[str, Any]]
HOUR_S = 3600.0
SAMPLES = 400
MB, GB = 1 << 20, 1 << 30
KINDS = "flash", "verify", "reset", "stream"


def soak(
    growth_bytes: float = 0.0,
    descriptors: int = 9,
    children: int = 0,
    phase: str = "end",
    kinds: Sequence[str] = KINDS,
    step_at: float = 2.0,
    step_bytes: int = GB,
    hours: float = 1.0,
) -> Records:
    """Return an hour on one board whose process begins with 9 descriptors and without children.

    It takes ``step_bytes`` at once after the fraction ``step_at`` of the time.
    """
    rng = np.random.default_rng(1)
    records: Records = [{"kind": "board", "board": 0, "port": "<b>uno", "seed": 1, "at": 0.0}]
    for number in range(SAMPLES + 1):
        at, ends = number * hours * HOUR_S / SAMPLES, number == SAMPLES
        size = int(50 * MB + growth_bytes * at / HOUR_S + rng.integers(0, 4096 * 20))
        size += step_bytes if number >= step_at * SAMPLES else 0
        held = (descriptors, children) if ends else (9, 0)
        records += [
            {"kind": "process", "board": 0, "who": "worker", "at": at, "rss_bytes": size}
            | {"descriptors": held[0], "children": held[1]}
            | ({"phase": phase} if ends else {}),
            {
                "kind": "action",
                "board": 0,
                "number": number,
                "action": kinds[number % len(kinds)],
                "at": at,
                "seconds": 0.2,
            }
            | {"frames": 9, "retries": 0, "crc_errors": 0, "compared": 790, "round_trips_ms": [1.0, 2.0]},
        ]
    return records


FAILURE = {"kind": "failure", "board": 0, "action": "verify", "number": 7, "seed": 1, "at": 9.0}
FAILURE |= {"seconds": 1.0, "error": "<script>alert(1)</script>", "exit_code": 3, "output": ""}


def test_flat_is_a_pass() -> None:
    found = findings_of(soak())
    assert found.verdict is Verdict.PASS and not found.leaks and not found.unfinished
    assert (found.actions, found.compared) == (SAMPLES + 1, 790 * (SAMPLES + 1))


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (soak(growth_bytes=2 * MOST_GROWTH_BYTES_PER_HOUR), "worker 0 grew by 4.2 MB an hour"),
        (soak(descriptors=10), "worker 0 ended with 10 descriptors, and began with 9"),
        (soak(children=1), "worker 0 ended with 1 child processes, and began with 0"),
        (soak(step_at=0.05), "worker 0 ended 1073.7 MB above its start"),
        *(
            (soak(step_at=at), "MB above its level after the warm-up")
            for at in (0.25, 0.4, 0.5, 0.7, 0.95, 0.985)
        ),
        (soak(step_at=0.24, step_bytes=12 * MB), "worker 0 ended 12.6 MB above its level after the warm-up"),
        (soak(kinds=KINDS[:2]), "board 0 on &lt;b&gt;uno did no reset"),
        (soak(kinds=KINDS[:3]), "board 0 on &lt;b&gt;uno did no stream"),
        (soak(phase="middle"), "worker 0 did not come to its end"),
        (soak()[:1], "board 0 on &lt;b&gt;uno did nothing"),
        ([*soak(), FAILURE], "board 0, verify (action 7), seed 1: &lt;script&gt;"),
    ],
    ids=["memory", "descriptors", "children", "warm-up"]
    + [f"step at {at}" for at in (0.25, 0.4, 0.5, 0.7, 0.95, 0.985)]
    + ["small step", "no reset", "no stream", "no end", "idle", "failure"],
)
def test_what_is_wrong_is_a_fail_and_on_the_page(records: Records, words: str) -> None:
    found = findings_of(records)
    assert found.verdict is Verdict.FAIL
    page = page_html(found, "soak.jsonl", [])
    assert words in page and "<script>" not in page and "<b>uno" not in page


def test_what_boards_counted_is_on_the_page() -> None:
    records = soak()
    silent = findings_of(records)
    done = [record for record in records if record["kind"] == "action"]
    for number, record in enumerate(done):
        record |= {"least_free_ram_bytes": 1300 - number % 7, "overruns": number % 5}
    done[0] |= {"least_free_ram_bytes": None, "overruns": None}
    assert findings_of(records).counted == {0: Counted(1294, 4)} and silent.counted == {
        0: Counted(None, None)
    }
    assert "1,294" in page_html(findings_of(records), "x", []) and "not asked" in page_html(silent, "x", [])


def test_a_soak_too_short_for_a_round_says_what_it_left_undone() -> None:
    found = findings_of(soak(kinds=KINDS[:2], hours=0.01))
    assert found.verdict is Verdict.PASS
    assert found.remarks == ["board 0 on <b>uno did no reset", "board 0 on <b>uno did no stream"]
    assert "Too short: board 0 on &lt;b&gt;uno did no stream." in page_html(found, "x", [])


def test_a_level_that_comes_with_the_warm_up_and_one_that_goes_again_are_no_leak() -> None:
    warmed, hump = soak(step_at=0.05, step_bytes=20 * MB), soak()
    for record in hump[len(hump) // 2 : len(hump) * 2 // 3]:
        record["rss_bytes"] = record.get("rss_bytes", 0) + GB
    assert findings_of(warmed).verdict is findings_of(hump).verdict is Verdict.PASS


@pytest.mark.parametrize("flash_once_in", [2, 3, 4, 13])
def test_every_kind_of_action_has_its_turn(flash_once_in: int) -> None:
    drawn = list(islice(actions(np.random.default_rng(1), flash_once_in), 4 * flash_once_in))
    assert [index for index, name in enumerate(drawn) if name == "flash"] == [
        times * flash_once_in for times in range(4)
    ]
    others = [name for name in drawn if name != "flash"]
    assert all(len(set(others[at : at + 3])) == 3 for at in range(0, len(others) - 2, 3))
    assert set(drawn[:6]) == set(KINDS) and drawn != list(
        islice(actions(np.random.default_rng(2), 13), len(drawn))
    )


def test_records_that_are_missing_are_a_fail() -> None:
    assert "3 records could not be written" in page_html(
        findings_of(soak()), "x", ["3 records could not be written"]
    )


def test_the_slope_survives_outliers_and_sees_a_steady_leak() -> None:
    at_s = np.linspace(0.0, HOUR_S, SAMPLES)
    size = np.full(SAMPLES, 50.0 * MB)
    size[::7] += 30 * MB
    flat, leaking = slope_bytes_per_hour(at_s, size), slope_bytes_per_hour(at_s, size + 1000 * at_s)
    assert flat == 0 and leaking == pytest.approx(1000 * HOUR_S)
    assert slope_bytes_per_hour(at_s[:3], size[:3]) is None


def test_a_log_is_read_up_to_where_its_writer_was_killed(tmp_path: Path) -> None:
    with Log(tmp_path / "new" / "log") as log:
        for record in soak():
            log.keep(record)
        whole = log.path.read_bytes()
        assert read_log(log.path) == soak() and not log.missing
    log.path.write_bytes(whole[:-9])
    assert read_log(log.path) == soak()[:-1]
    log.path.write_bytes(b"nonsense\n" + whole)
    with pytest.raises(ArtefactError, match="line 1 of"):
        read_log(log.path)


def test_a_full_disk_tears_no_line_and_is_counted(mount_tmpfs: MountTmpfs) -> None:
    folder = mount_tmpfs("size=16k")
    with Log(folder / "log") as log:
        records = soak()
        for record in records:
            log.keep(record)
        kept = read_log(log.path)
        assert 10 < len(kept) < len(records) and log.unwritten == len(records) - len(kept)
        assert log.path.read_bytes().endswith(b"\n") and "could not be written" in log.missing[0]


def test_a_log_in_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtefactError, match="cannot write"):
        Log(tmp_path / "file" / "log")
