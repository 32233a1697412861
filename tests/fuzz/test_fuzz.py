"""A bounded run of every fuzz target, its corpus first, and firmware that is wrong on purpose."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import readers
import targets

import firmware
from sinehil.board.protocol import Frame, SentRequests

# Executions, not seconds: equal on every machine. Compiling and starting takes longer than these.
RUNS = {"firmware_one": 6000, "firmware_wide": 3000, "firmware_odd": 1500, "tflite": 300}
READER_RUNS = 800


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(targets.NAMES))
def test_nothing_breaks_it(name: str, tmp_path: Path) -> None:
    """Its corpus comes first, whole, before libFuzzer makes inputs of its own."""
    runs = RUNS.get(name, READER_RUNS)
    found = targets.run(targets.command(name, tmp_path), name, tmp_path, f"-runs={runs}")
    assert found.crash is None, f"{found.words[-3000:]}\ninput: {found.crash!r}"
    assert found.executions >= runs and found.edges > 30


@pytest.mark.parametrize("name", readers.CHECKS)
def test_every_input_of_the_corpus_is_read_well(name: str) -> None:
    for data in targets.seeds(name):
        readers.CHECKS[name](data)


class AllAlone(SentRequests):
    def crc_before(self, *_: int) -> int:
        return 0


class NoneAlone(SentRequests):
    def crc_before(self, _: int, seq: int) -> int:
        return super().crc_before(0x86, seq)


class FirstCounts(SentRequests):
    def add(self, request: Frame) -> None:
        if self.crc_before(0x86, request.seq) == 0:
            super().add(request)


class AnyNumber(SentRequests):
    """The last request counts, whatever its number."""

    def add(self, request: Frame) -> None:
        super().add(request)
        self._crcs = dict.fromkeys(range(256), self._crcs[request.seq])


@pytest.mark.parametrize("wrong", [AllAlone, NoneAlone, FirstCounts, AnyNumber])
def test_replies_that_are_bound_wrongly_are_noticed(
    wrong: type[SentRequests], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "SentRequests", wrong)
    with pytest.raises(AssertionError):
        for data in readers.BOUND_SEEDS:
            readers.check_frames(data)


MUTANTS = {
    "any checksum": ("protocol.cpp", "!= load_u32(frame_ + body)", "!= load_u32(frame_ + body) && body == 0"),
    "one byte too many": ("protocol.cpp", "length_ == kMaxRequestFrame", "length_ > kMaxRequestFrame"),
    "any session": ("commands.cpp", "header.session == session_ ?", "header.session != 0 ?"),
}


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_firmware_that_is_wrong_is_noticed(mutant: str, tmp_path: Path) -> None:
    name, right, wrong = MUTANTS[mutant]
    sketch = tmp_path / "sketch"
    shutil.copytree(firmware.SKETCH, sketch)
    source = (sketch / name).read_text()
    assert right in source
    (sketch / name).write_text(source.replace(right, wrong))
    words = [str(firmware.build(tmp_path / "build", "firmware_one", sketch))]
    found = targets.run(words, "firmware_one", tmp_path, "-runs=100000")
    assert found.crash is not None
    assert "BROKEN: " in found.words or "AddressSanitizer" in found.words or "runtime error" in found.words


def test_a_reader_that_writes_or_runs_something_is_noticed(tmp_path: Path) -> None:
    """In a process of its own: an audit hook cannot be taken away again."""
    script = (
        "import os, readers, subprocess\n"
        "found = []\n"
        "readers.forbid(found.append)()\n"
        "open('made', 'w').close(); open('made').close(); eval('1 + 1'); subprocess.run(['true'])\n"
        "with readers.guarded_off(): open('made too', 'w').close()\n"
        "readers.check_manifest(readers.MANIFEST_SEED)\n"
        "print([text.split()[0] for text in found])\n"
    )
    paths = f"{Path(__file__).parent}:{Path(__file__).parents[1] / 'kernels'}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    events = done.stdout.strip()
    assert events.startswith("['open', 'compile', 'exec', 'subprocess.Popen'"), events
    assert events.count("'open'") == 1, "reading is no offence, nor is what the harness does"
