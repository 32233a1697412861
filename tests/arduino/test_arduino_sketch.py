import os
from pathlib import Path

import pytest

from sinehil.arduino import stage_sketch
from sinehil.arduino.sketch import STAGED
from sinehil.base.folders import resource
from sinehil.base.manifest import KERNEL
from sinehil.errors import ArtefactError, UsageError


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != STAGED}


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_staged_sketch_is_the_sources_and_the_kernel(tmp_path: Path) -> None:
    before = stamps(resource("arduino_sketch"))
    staged = stage_sketch({KERNEL: "int kernel;\n"}, tmp_path)
    assert (staged / f"{staged.name}.ino").is_file(), "Arduino wants the folder named as its .ino file"
    assert contents(staged) == {**contents(resource("arduino_sketch")), KERNEL: b"int kernel;\n"}
    assert stamps(resource("arduino_sketch")) == before


def test_only_what_changed_is_written_again(tmp_path: Path) -> None:
    staged = stage_sketch({KERNEL: "int kernel;\n"}, tmp_path)
    before = stamps(staged)
    assert stamps(stage_sketch({KERNEL: "int kernel;\n"}, tmp_path)) == before
    (staged / "sinehil_engine.h").write_text("spoiled")
    after = stamps(stage_sketch({KERNEL: "int other;\n"}, tmp_path))
    assert {name for name in after if after[name] != before[name]} == {KERNEL, "sinehil_engine.h"}


def test_files_of_an_earlier_staging_go_and_the_user_s_stay(tmp_path: Path) -> None:
    staged = stage_sketch({KERNEL: "int kernel;\n"}, tmp_path)
    for name in ("old.cpp", "mine.cpp"):
        (staged / name).touch()
    with (staged / STAGED).open("a") as listing:
        listing.write("old.cpp\n")
    stage_sketch({KERNEL: "int kernel;\n"}, tmp_path)
    assert not (staged / "old.cpp").exists()
    assert (staged / "mine.cpp").exists()


def test_the_source_is_never_staged_into(tmp_path: Path) -> None:
    source = resource("arduino_sketch")
    (tmp_path / "link").symlink_to(source.parent)
    for out in (source.parent, tmp_path / "link"):
        with pytest.raises(UsageError, match="is the sketch's own source"):
            stage_sketch({KERNEL: "int kernel;\n"}, out)
    assert not (source / KERNEL).exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "arduino_sketch").write_text("a file where the folder should be")
    with pytest.raises(ArtefactError, match=r"cannot write .*arduino_sketch"):
        stage_sketch({KERNEL: "int kernel;\n"}, tmp_path)


def test_a_read_only_source_can_be_staged_and_staged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "arduino_sketch.ino").write_text("void setup() {}\n")
    (source / "arduino_sketch.ino").chmod(0o444)
    source.chmod(0o555)
    monkeypatch.setattr("sinehil.arduino.sketch.resource", lambda _: source)
    try:
        staged = stage_sketch({KERNEL: "int kernel;\n"}, tmp_path / "out")
        assert os.access(staged / "arduino_sketch.ino", os.W_OK)
        stage_sketch({KERNEL: "int other;\n"}, tmp_path / "out")
        assert sorted(path.name for path in source.iterdir()) == ["arduino_sketch.ino"]
    finally:
        source.chmod(0o755)
