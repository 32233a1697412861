"""Facts that stand in two places because they must, held together."""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from sinehil import __version__
from sinehil.board.protocol.frame import MIN_REPLY_PAYLOAD
from sinehil.board.protocol.messages import VERSION
from sinehil.errors import ExitCode

ROOT = Path(__file__).parents[2]


def test_the_firmware_has_the_package_version() -> None:
    source = (ROOT / "arduino_sketch/commands.cpp").read_text()
    assert f'SINEHIL_FIRMWARE_VERSION "{__version__}"' in source


def test_python_and_cpp_agree_on_the_protocol() -> None:
    header = (ROOT / "arduino_sketch/sinehil_protocol.h").read_text()
    assert (
        f"kProtocolVersion = {VERSION};" in header
        and f"kMaxReplyPayload = larger({MIN_REPLY_PAYLOAD}," in header
    )


def test_readme_lists_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [int(row) for row in rows] == [int(code) for code in ExitCode]


def test_locks_carry_hashes_and_no_addresses() -> None:
    locks = sorted((ROOT / "docker").glob("requirements-*.txt"))
    assert len(locks) == 8
    for lock in locks:
        text = lock.read_text()
        pins = re.findall(r"^[a-z0-9][\w.-]*==", text, re.MULTILINE)
        assert pins and text.count("--hash=sha256:") >= len(pins)
        assert "://" not in text and "--index" not in text


def test_help_needs_no_heavy_import() -> None:
    code = (
        "import sys, sinehil.cli; print(sorted({'numpy', 'tensorflow', 'rich', 'serial'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_bench_side_never_loads_tensorflow() -> None:
    code = "import sys, sinehil.jobs.verification; print('tensorflow' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody without sudo")
def test_without_root_and_sudo_the_missing_packages_are_named() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        folder.chmod(0o755)
        script, packages = folder / "install.sh", folder / "list.txt"
        script.write_bytes((ROOT / "docker/install-debian-packages.sh").read_bytes())
        packages.write_text("# a comment\nbash\nno-such-package\n")
        done = as_nobody("bash", script, packages)
        assert done.returncode == 5 and "are missing: no-such-package\n" in done.stderr
        packages.write_text("bash\n")
        assert as_nobody("bash", script, packages).returncode == 0


def as_nobody(*command: object) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(
        words, capture_output=True, text=True, user=65534, group=65534, check=False, cwd="/"
    )


def classes_defined_twice(sources: Iterable[str]) -> set[str]:
    names = Counter(re.findall(r"^ *class (\w+)", "\n".join(sources), re.MULTILINE))
    return {name for name, count in names.items() if count > 1}


def test_a_class_name_means_one_thing() -> None:
    packages = ("hil/sinehil", "hil/sinehil_audit", "pipeline/sinehil_kernels", "pipeline/sinehil_pipeline")
    sources = [path.read_text() for package in packages for path in (ROOT / package).rglob("*.py")]
    assert classes_defined_twice(sources) == set()
    assert classes_defined_twice([*sources, "class Transport(Protocol):\n"]) == {"Transport"}, "the control"
