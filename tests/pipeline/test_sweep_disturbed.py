"""``sinehil sweep``, interrupted, killed, twice at once, or on a full disk: what is done stays done."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Cli, MountTmpfs

from sinehil.errors import ArtefactError
from sinehil_pipeline.recipes import load_recipe, parse_override
from sinehil_pipeline.sweep.ledger import header_of, open_ledger
from sinehil_pipeline.sweep.seeds import SeedResult

KEYS = ["final.epochs=20", "final.hidden=[4]"]
SHORT = [word for key in KEYS for word in ("--set", key)]
HEADER = header_of(load_recipe("book", [parse_override(key) for key in KEYS]))
RESULT = SeedResult(3, 0.5, 0.25, 0.125, 0.5, 0.75)
MANY = 50_000  # seeds that no machine is through with before it is told to stop
HANGS_S = 300
BLOCK_BYTES = 4096


def results(folder: Path) -> Path:
    return folder / "results.jsonl"


def seeds_in(folder: Path) -> list[int]:
    return [json.loads(line)["seed"] for line in results(folder).read_text().splitlines()[1:]]


def trained(cli: Cli, *words: object) -> int:
    done = cli("sweep", *SHORT, "--jobs", 1, *words, "--json")
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["trained"])


def watch(terminal: int, until: str, seen: threading.Event) -> None:
    """Read what the terminal gets, to the end lest its writer wait, and tell when ``until`` was there."""
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while True:
            shown = shown[-1000:] + os.read(terminal, 4096)
            if re.search(until.encode(), shown):
                seen.set()


@contextlib.contextmanager
def sweeping(out: Path, until: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Yield a sweep of MANY seeds on a terminal whose bar has just shown ``until``."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sinehil", "sweep", *SHORT, "--seeds", f"0:{MANY}", "--jobs", "1"]
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    seen = threading.Event()
    watcher = threading.Thread(target=watch, args=(ours, until, seen))
    with subprocess.Popen(
        [*command, "--out", str(out)], stdout=theirs, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(theirs)
        watcher.start()
        try:
            assert seen.wait(HANGS_S)
            yield process
        finally:
            process.kill()
            watcher.join()
            os.close(ours)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_sweep_goes_on(cli: Cli, tmp_path: Path, number: signal.Signals) -> None:
    out, whole = tmp_path / "ended", tmp_path / "whole"
    with sweeping(out, until=rf"[1-9]\d* of {MANY} seeds") as process:
        process.send_signal(number)
        _, talk = process.communicate(timeout=HANGS_S)
    if number == signal.SIGINT:
        assert process.returncode == 130 and f" of {MANY} seeds are done, and kept in".encode() in talk
    kept = seeds_in(out)
    assert kept == list(range(len(kept))) and 0 < len(kept) < MANY, "it must have been in the middle"
    seeds = ("--seeds", f"0:{len(kept) + 1}", "--out")
    assert trained(cli, *seeds, out) == 1
    assert trained(cli, *seeds, whole) == len(kept) + 1
    for name in ("results.jsonl", "sweep.csv", "sweep.png"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_second_sweep_in_the_folder_is_refused(cli: Cli, tmp_path: Path) -> None:
    with sweeping(tmp_path, until="importing TensorFlow"):
        second = cli("sweep", *SHORT, "--seeds", "0:2", "--out", tmp_path)
        assert second.returncode == 2 and f"another sweep is at work in {tmp_path}" in second.stderr
    with open_ledger(tmp_path, HEADER):
        pass  # the lock went with its process


def fill(path: Path) -> None:
    """Take all blocks that the file system has left."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(bytes(BLOCK_BYTES)):
            pass


def fill_last_block(folder: Path) -> None:
    """Append results of other seeds until one more would need another block, of which it would fill a part."""
    with open_ledger(folder, HEADER) as ledger:
        seed = 1000
        while BLOCK_BYTES - results(folder).stat().st_size % BLOCK_BYTES > 100:
            ledger.append(replace(RESULT, seed=seed))
            seed += 1


def test_a_result_that_does_not_fit_is_taken_back(mount_tmpfs: MountTmpfs) -> None:
    folder = mount_tmpfs("size=64k")
    fill_last_block(folder)
    fill(folder / "filler")
    before = results(folder).read_bytes()
    with open_ledger(folder, HEADER) as ledger, pytest.raises(ArtefactError, match="No space left"):
        ledger.append(RESULT)
    assert results(folder).read_bytes() == before
    (folder / "filler").unlink()
    with open_ledger(folder, HEADER) as ledger:
        ledger.append(RESULT)
    assert results(folder).read_bytes().startswith(before) and seeds_in(folder)[-1] == RESULT.seed


def test_a_sweep_on_a_full_disk_goes_on_when_there_is_room(cli: Cli, mount_tmpfs: MountTmpfs) -> None:
    folder = mount_tmpfs("size=1m")
    fill_last_block(folder)
    fill(folder / "filler")
    before = results(folder).read_bytes()
    command = ["--seeds", "0:2", "--out", folder]

    def refused() -> None:
        done = cli("sweep", *SHORT, "--jobs", 1, *command)
        assert (done.returncode, done.stdout) == (6, ""), done.stderr
        assert re.search(r"^sinehil: cannot write .*No space left.*\n  next: ", done.stderr, re.MULTILINE)
        assert "Traceback" not in done.stderr

    refused()
    assert results(folder).read_bytes() == before
    os.truncate(folder / "filler", (folder / "filler").stat().st_size - 4 * BLOCK_BYTES)
    refused()  # room for the results, not for the plot
    assert seeds_in(folder)[-2:] == [0, 1]
    assert sorted(path.name for path in folder.iterdir()) == ["filler", "results.jsonl"]
    (folder / "filler").unlink()
    assert trained(cli, *command) == 0
    assert (folder / "sweep.png").exists()
