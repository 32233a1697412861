"""A folder is replaced as one: whatever fails or ends the process, what is there is the old set or the new one."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from publishing import NEW_FILES
from tests.conftest import MountTmpfs

from sinehil.base.staging import staged_folder
from sinehil.errors import ArtefactError

OLD_FILES = {"manifest.json": "old", "a": "old a", "sub/b": "old b", "theirs": "no artefact"}
NOW_NEW = {**OLD_FILES, **NEW_FILES}
UNTOUCHED = "files from an earlier run are untouched"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "artifacts")


def fill(folder: Path) -> Path:
    for name, text in OLD_FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def content(folder: Path) -> dict[str, str]:
    """Return every file but those being staged, by name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    named = {path.relative_to(folder).as_posix(): path.read_text() for path in files}
    return {name: text for name, text in named.items() if not name.startswith(".staging-")}


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


def publish(folder: Path, how: str, at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(Path(__file__).with_name("publishing.py")), str(folder), how, str(at)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def moments(folder: Path) -> range:
    """Return the number of each rename of a run that succeeds."""
    return range(1, int(publish(fill(folder), "never", 0).stdout) + 1)


def begin_and_give_up(folder: Path) -> None:
    """Do what every run does first, and nothing else."""
    with contextlib.suppress(KeyboardInterrupt), staged_folder(folder, last="manifest.json"):
        raise KeyboardInterrupt


def test_success_replaces_what_is_new_and_leaves_the_rest(folder: Path) -> None:
    assert publish(folder, "never", 0).returncode == 0
    assert content(folder) == NOW_NEW and leftovers(folder) == []


def test_an_exception_inside_leaves_the_folder_as_it_was(folder: Path) -> None:
    begin_and_give_up(folder)
    assert content(folder) == OLD_FILES and leftovers(folder) == []


def test_a_rename_that_fails_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    for at in moments(tmp_path / "counted"):
        folder = fill(tmp_path / f"fails-{at}")
        done = publish(folder, "once", at)
        assert done.returncode == 1 and "No space left" in done.stderr and UNTOUCHED in done.stderr, at
        assert content(folder) == OLD_FILES and leftovers(folder) == [], at
        assert not (folder / "made").exists()


def test_after_sigkill_the_next_run_puts_the_old_set_back(tmp_path: Path) -> None:
    for at in moments(tmp_path / "counted"):
        folder = fill(tmp_path / f"killed-{at}")
        assert publish(folder, "kill", at).returncode == -signal.SIGKILL
        left = content(folder)
        assert left == OLD_FILES or "manifest.json" not in left, f"a reader may believe {left}"
        assert leftovers(folder) != []
        begin_and_give_up(folder)
        assert content(folder) == OLD_FILES and leftovers(folder) == [], at


def test_after_sigkill_behind_the_last_rename_the_new_set_counts(folder: Path) -> None:
    assert publish(folder, "kill-late", 0).returncode == -signal.SIGKILL
    assert content(folder) == NOW_NEW and leftovers(folder) != []
    begin_and_give_up(folder)
    assert content(folder) == NOW_NEW and leftovers(folder) == []


def test_what_cannot_be_put_back_is_kept_and_said(tmp_path: Path) -> None:
    counted = moments(tmp_path / "counted")
    for at in counted[2:]:  # the first is the plan's, and the second moves nothing yet
        folder = fill(tmp_path / f"fails-{at}")
        done = publish(folder, "on", at)
        assert done.returncode == 1 and UNTOUCHED not in done.stderr, done.stderr
        assert "the next `sinehil train` into that folder puts them back" in done.stderr
        begin_and_give_up(folder)
        assert content(folder) == OLD_FILES and leftovers(folder) == [], at


def test_a_run_under_way_is_left_alone_and_both_can_finish(folder: Path) -> None:
    with staged_folder(folder, last="manifest.json") as slow:
        (slow / "a").write_text("slow a")
        assert publish(folder, "never", 0).returncode == 0
        assert (slow / "a").read_text() == "slow a"
        (slow / "manifest.json").write_text("slow")
    assert content(folder) == {**NOW_NEW, "a": "slow a", "manifest.json": "slow"} and leftovers(folder) == []


@pytest.mark.parametrize("name", [".staging-of-an-older-version", ".staging-link", ".staging-file"])
def test_only_folders_that_nobody_holds_are_removed(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("")
    if name.endswith("link"):
        (folder / name).symlink_to(tmp_path / "elsewhere")
    elif name.endswith("file"):
        (folder / name).write_text("")
    else:
        (folder / name / "plots").mkdir(parents=True)
    begin_and_give_up(folder)
    assert [path.name for path in leftovers(folder)] == ([] if "version" in name else [name])
    assert (tmp_path / "elsewhere" / "kept").exists()


@pytest.mark.parametrize("name", ["../theirs", "sub/../../theirs", "{outside}/theirs"])
def test_a_plan_from_elsewhere_moves_nothing_outside(folder: Path, tmp_path: Path, name: str) -> None:
    """An artefact folder may come from anywhere, with a staging folder in it that no run of ours has left."""
    theirs = tmp_path / "theirs"
    theirs.write_text("mine")
    staging = folder / ".staging-hostile"
    (staging / "new").mkdir(parents=True)
    (staging / "new" / "manifest.json").touch()
    (staging / "plan").write_text(f"{name.format(outside=tmp_path)}\nmanifest.json")
    begin_and_give_up(folder)
    assert theirs.read_text() == "mine" and content(folder) == OLD_FILES and not staging.exists()


@pytest.mark.parametrize("link", ["sub", ".staging-hostile/new", ".staging-hostile/old"])
def test_a_link_in_a_folder_from_elsewhere_moves_nothing_outside(
    folder: Path, tmp_path: Path, link: str
) -> None:
    """The plan's names stay inside; the folders that they lead through do not."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("b", "manifest.json", "sub"):
        (theirs / name).write_text("mine")
    staging = folder / ".staging-hostile"
    (staging / "new" / "sub").mkdir(parents=True)
    (staging / "new" / "manifest.json").touch()
    (staging / "plan").write_text("sub/b\nmanifest.json")
    if (folder / link).is_dir():
        (folder / link).rename(tmp_path / "away")
    (folder / link).symlink_to(theirs)
    begin_and_give_up(folder)
    assert content_of(theirs) == {"b": "mine", "manifest.json": "mine", "sub": "mine"}
    assert not staging.exists()


def test_files_are_not_published_through_a_link_that_leads_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "b").write_text("mine")
    (folder / "sub" / "b").unlink()
    (folder / "sub").rmdir()
    (folder / "sub").symlink_to(tmp_path / "theirs")
    done = publish(folder, "never", 0)
    assert "a link leads out of the folder" in done.stderr and done.returncode != 0
    assert content_of(tmp_path / "theirs") == {"b": "mine"} and leftovers(folder) == []
    (folder / "sub").unlink()
    (folder / "inside").mkdir()
    (folder / "sub").symlink_to("inside")
    assert publish(folder, "never", 0).returncode == 0, "the control: a link within the folder"


@pytest.mark.parametrize("plan", [b"a\0b\nmanifest.json", b"\xff\xfe\nmanifest.json", b"x" * 5000, b"\n" * 9])
def test_a_plan_that_no_run_of_ours_wrote_is_no_plan(folder: Path, plan: bytes) -> None:
    staging = folder / ".staging-hostile"
    (staging / "new").mkdir(parents=True)
    (staging / "new" / "manifest.json").touch()
    (staging / "plan").write_bytes(plan)
    begin_and_give_up(folder)
    assert content(folder) == OLD_FILES and not staging.exists()


def content_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("name", list(NEW_FILES))
def test_a_folder_in_the_place_of_a_file_is_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / "precious").write_text("theirs")
    done = publish(tmp_path, "never", 0)
    assert f"cannot write {tmp_path / name}: a folder is in its place" in done.stderr
    assert content(tmp_path) == {f"{name}/precious": "theirs"} and leftovers(tmp_path) == []


def test_a_file_in_the_place_of_a_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "sub").write_text("theirs")
    assert f"cannot write {tmp_path}: File exists" in publish(tmp_path, "never", 0).stderr
    assert content(tmp_path) == {"sub": "theirs"} and leftovers(tmp_path) == []


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtefactError, match="cannot write"), staged_folder(tmp_path / "file", last="x"):
        pytest.fail("it begins where it cannot end")


def test_a_full_file_system_leaves_the_folder_as_it_was(mount_tmpfs: MountTmpfs) -> None:
    """With every number of free inodes, so that each thing made is once the one that finds no place."""
    folder = fill(mount_tmpfs("nr_inodes=100") / "artifacts")
    filler, codes = folder.parent / "filler", []
    filler.mkdir()
    for number in range(os.statvfs(folder).f_ffree):
        (filler / str(number)).write_text("")
    while not codes or codes[-1] != 0:
        (filler / str(len(codes))).unlink()
        done = publish(folder, "never", 0)
        codes.append(done.returncode)
        if codes[-1] != 0:
            assert "No space left" in done.stderr, done.stderr
            assert content(folder) == OLD_FILES and leftovers(folder) == [], len(codes)
    assert len(codes) > len(NEW_FILES) and content(folder) == NOW_NEW


def test_a_file_system_that_becomes_read_only(mount_tmpfs: MountTmpfs) -> None:
    mount = mount_tmpfs("size=1m")
    folder = fill(mount / "artifacts")
    with (
        pytest.raises(ArtefactError, match="Read-only file system"),
        staged_folder(folder, last="manifest.json") as staging,
    ):
        (staging / "manifest.json").write_text("new")
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
    subprocess.run(["mount", "-o", "remount,rw", mount], check=True)
    assert content(folder) == OLD_FILES and len(leftovers(folder)) == 1
    begin_and_give_up(folder)
    assert content(folder) == OLD_FILES and leftovers(folder) == []
