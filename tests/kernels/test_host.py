"""Compiling and loading a kernel on this machine, and what is said where that cannot be."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from models import with_source
from nets import variety
from test_kernel import fails
from tests.conftest import MountTmpfs

from sinehil.errors import ToolError
from sinehil.native.library import load_library
from sinehil_kernels import generate_kernel
from sinehil_kernels.check import check_kernel

NETS = variety()


def test_a_kernel_that_does_not_compile_says_so() -> None:
    model = NETS["plain 4"].model()
    generated = generate_kernel(model)
    with pytest.raises(ToolError, match="does not compile") as caught:
        check_kernel(with_source(generated, generated.source + "\n#error here\n"), model)
    assert "here" in caught.value.output


def test_without_a_compiler_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    model = NETS["plain 4"].model()
    with pytest.raises(ToolError, match=r"^cc .*"):
        check_kernel(generate_kernel(model), model)


def test_the_check_runs_where_the_temp_folder_is_noexec(
    mount_tmpfs: MountTmpfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with a read-only root and a tmpfs on /tmp; two kernels, neither taken for the other."""
    folder = mount_tmpfs("size=16m,noexec")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # look at TMPDIR again
    library = folder / "direct.so"
    subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-o", str(library)], check=True)
    direct = subprocess.run(  # in another process, since the loader leaves half of it mapped
        [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(library)!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "failed to map" in direct.stderr
    for name in ("plain 4", "plain 5"):
        check_kernel(generate_kernel(NETS[name].model()), NETS[name].model())
    fails(generate_kernel(NETS["plain 4"].model()), NETS["plain 5"].model())
    assert [path.name for path in folder.iterdir()] == ["direct.so"]


def test_what_is_no_library_is_a_tool_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"cannot be loaded on this machine: .*too short"):
        load_library(b"no library", tmp_path / "loaded.so")
