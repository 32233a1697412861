"""Files from anywhere: nothing is written outside, memory stays bounded, and what is endless is not read to its end."""

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from sinehil.base.files import sha256_of, write_atomically
from sinehil.base.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    checked_file,
    read_manifest,
    read_manifest_file,
)
from sinehil.errors import ArtefactError, ExitCode
from sinehil.jobs.firmware import BUILD_RECORD, recorded_size
from sinehil.model.tflite import load_quantized_model
from sinehil.model.tflite.limits import MAX_FILE_BYTES
from sinehil.verify.probes import test_set as x_of_test_set
from sinehil_audit.soak.soak_log import Log, read_log
from sinehil_pipeline.data.csv_samples import read_csv
from sinehil_pipeline.recipes import load_recipe

HUGE = 8 << 30  # sparse: it takes no space
GOOD = {
    "schema": 1, "recipe": {}, "trainer": "portable", "init_seed": 1, "tries": [], "oracle": "litert",
    "input": {"scale": 0.5, "zero_point": 0}, "output": {"scale": 0.5, "zero_point": 0}, "versions": {},
}  # fmt: skip
READERS: dict[str, Callable[[Path], object]] = {
    "manifest.json": read_manifest_file,
    "x.tflite": load_quantized_model,
    "samples.csv": x_of_test_set,
    "x.csv": read_csv,
    "x.toml": lambda path: load_recipe(str(path)),
}


def with_files(folder: Path, **files: object) -> Path:
    (folder / MANIFEST).write_text(json.dumps({**GOOD, "files": files}))
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "//x",
        "..",
        "",
        ".",
        "a\\..\\..\\x",
        "C:\\x",
        "a\0b",
        "\x1b[2J",
        "a\u202eb",
        "x" * 201,
        "a\nb",
    ],
)
def test_a_name_that_is_none_of_an_artefact_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtefactError, match="file name") as found:
        read_manifest(with_files(tmp_path, **{name: {"sha256": "", "bytes": 0}}))
    assert len(found.value.message) < 500 + len(str(tmp_path))
    assert read_manifest(with_files(tmp_path, **{"plots/a b.png": {"sha256": "", "bytes": 0}})).files


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["endless", "huge"])
def test_what_is_too_large_is_refused_before_it_is_in_memory(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.touch()
        os.truncate(path, HUGE)
    tracemalloc.start()
    try:
        with pytest.raises(ArtefactError):
            READERS[name](path)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()


def test_memory_that_is_not_bounded_would_be_noticed(tmp_path: Path) -> None:
    """The control: what the measurement sees of a file that is read whole."""
    path = tmp_path / "large"
    path.write_bytes(bytes(100 << 20))
    tracemalloc.start()
    content = path.read_bytes()
    assert tracemalloc.get_traced_memory()[1] > 80 << 20
    tracemalloc.stop()
    assert len(content) > MAX_MANIFEST_BYTES + MAX_FILE_BYTES


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "terminal", "folder"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, name: str, kind: str) -> None:
    path, ends = tmp_path / name, list[int]()
    if kind == "folder":
        path.mkdir()
    elif kind == "terminal":
        ends += os.openpty()
        path.symlink_to(os.ttyname(ends[1]))
    else:
        pipe = path if kind == "pipe" else tmp_path / "pipe"
        os.mkfifo(pipe)
        if pipe != path:
            path.symlink_to(pipe)
    with pytest.raises(ArtefactError, match=r"cannot be read: (it is a pipe or a device|Is a directory)"):
        READERS[name](path)
    for end in ends:
        os.close(end)


@pytest.mark.timeout(20)
def test_a_pipe_in_place_of_a_file_of_ours_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / BUILD_RECORD)
    assert recorded_size(tmp_path) is None
    with pytest.raises(ArtefactError, match="cannot write"):
        Log(tmp_path / BUILD_RECORD)
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_log(tmp_path / BUILD_RECORD)
    with pytest.raises(OSError, match="a pipe"):
        sha256_of(tmp_path / BUILD_RECORD)


@pytest.mark.parametrize(
    "words",
    [
        ["compile", "--artifacts", "a"],
        ["verify", "--artifacts", "a", "--port", "none"],
        ["train", "--recipe", "./pipe"],
        ["train", "--data", "pipe"],
        ["compile", "--model", "pipe"],
    ],
    ids=" ".join,
)
def test_a_command_says_that_it_was_given_a_pipe(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / MANIFEST)
    os.mkfifo(tmp_path / "pipe")
    done = subprocess.run(
        [sys.executable, "-m", "sinehil", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.ARTEFACT
    assert "cannot be read: it is a pipe or a device, not a file" in done.stderr


@pytest.mark.timeout(20)
@pytest.mark.parametrize("target", ["/dev/zero", "pipe", "nowhere", "."])
def test_a_listed_file_that_is_no_file_is_not_read(tmp_path: Path, target: str) -> None:
    """Its size says 0, as the manifest does: reading it would never end."""
    folder = with_files(tmp_path, x={"sha256": "", "bytes": 0})
    if target == "pipe":
        os.mkfifo(folder / "x")
    else:
        (folder / "x").symlink_to(target)
    with pytest.raises(ArtefactError, match=r"not the file that|cannot be read"):
        checked_file(folder, read_manifest(folder), "x")


def test_writing_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("mine")
    (tmp_path / "report.html").symlink_to(tmp_path / "theirs")
    write_atomically(tmp_path / "report.html", b"new")
    assert (tmp_path / "theirs").read_text() == "mine" and (tmp_path / "report.html").read_bytes() == b"new"
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    (tmp_path / "link").write_text("new")
    assert (tmp_path / "theirs").read_text() == "new", "the control: what a plain write does"


@pytest.mark.parametrize("row", ["", "nan,test\n", "1e999,test\n", "1e39,test\n", "\xff,test\n", ",test\n"])
def test_samples_that_are_none_are_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "samples.csv").write_text(f"x,split\n{row}", encoding="latin-1")
    with pytest.raises(ArtefactError, match=r"samples\.csv"):
        x_of_test_set(tmp_path / "samples.csv")
    (tmp_path / "samples.csv").write_text("split,x\ntest\n")
    with pytest.raises(ArtefactError, match=r"samples\.csv"):
        x_of_test_set(tmp_path / "samples.csv")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float("nan"), "scale nan"),
        (-1.0, "scale -1"),
        (0, "scale 0"),
        ("x" * 100_000, "not a manifest this version"),
    ],
)
def test_a_manifest_whose_numbers_are_none_is_refused_in_a_few_words(
    tmp_path: Path, value: object, words: str
) -> None:
    (tmp_path / MANIFEST).write_text(
        json.dumps({**GOOD, "files": {}, "input": {"scale": value, "zero_point": 0}})
    )
    with pytest.raises(ArtefactError, match=words) as found:
        read_manifest(tmp_path)
    assert len(found.value.message) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("terminal", [True, False])
def test_a_recipe_is_printed_as_text_on_a_terminal_and_as_it_is_into_a_file(
    tmp_path: Path, terminal: bool
) -> None:
    recipe = tmp_path / "x.toml"
    recipe.write_text("# \x1b]0;owned\x07\n")
    ours, theirs = os.openpty() if terminal else os.pipe()
    command = [sys.executable, "-m", "sinehil", "train", "--print-recipe", "--recipe", recipe]
    subprocess.run(command, stdout=theirs, check=True)
    printed = os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert printed == (b"# \\x1b]0;owned\\x07\r\n" if terminal else recipe.read_bytes())


def test_a_terminal_gets_no_control_characters_of_a_files_name_or_content(tmp_path: Path) -> None:
    (tmp_path / "\x1b]0;owned\x07\u202e.tflite").write_bytes(b"no model")
    (model,) = tmp_path.iterdir()
    done = subprocess.run(
        [sys.executable, "-m", "sinehil", "compile", "--model", model],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 6 and "\\x1b]0;owned\\x07\\u202e.tflite" in done.stderr
    assert all(char.isprintable() for line in done.stderr.split("\n") for char in line)
    assert "\x1b" in str(model), "the control: it is there to be shown"
