"""The portable trainer's weights are the same with another NumPy, and without its SIMD code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import cpu

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("portable_hashes.py")
REQUIREMENTS = Path(__file__).with_name("requirements-oldest-numpy.txt")
TIMEOUT_S = 600

# What every x86-64 machine and every NumPy makes of the book's models and of what is not the book's.
PINNED = {
    "model_1": "bbd06910c93bbe60bccbad21811d00fc4cadb372098b21e5ec2bfc017ae9a26a",
    "model_2": "edb8ceed7ab4004f91a5937639c2f413d5fd4648cafa5f322697e77c6321c5b2",
    "adam cosine relu6": "bb6a08933325ebb5aa0d77efb753a857b1cd7740b7f4c6cae8b46430e6444941",
    "sgd constant relu": "24ec4a114460360c61a7885d6057a1e5063257bb76691eb7e44eeff76833b666",
}

pytestmark = pytest.mark.slow


def hashes(python: Path, **environment: str) -> dict[str, Any]:
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "hil", "pipeline"))
    done = subprocess.run(
        [python, PROGRAM],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """What the NumPy of the lock makes of the recipes."""
    return hashes(Path(sys.executable))


@pytest.fixture(scope="module")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the oldest NumPy and nothing else."""
    folder = tmp_path_factory.mktemp("oldest") / "venv"
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=TIMEOUT_S)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--require-hashes", "--only-binary=:all:", "-r", REQUIREMENTS], check=True, timeout=TIMEOUT_S
    )
    return python


def test_the_weights_are_those_of_every_other_machine(here: dict[str, Any]) -> None:
    assert {name: here["weights"][name] for name in PINNED} == PINNED
    assert len(set(here["weights"].values())) == len(here["weights"]), "other recipes, other weights"


@pytest.fixture(scope="module")
def there(other_python: Path) -> dict[str, Any]:
    """What the oldest NumPy makes of them."""
    return hashes(other_python)


def test_another_numpy_gives_the_same_weights(here: dict[str, Any], there: dict[str, Any]) -> None:
    assert there["numpy"] != here["numpy"] == np.__version__
    assert there["weights"] == here["weights"]


@pytest.mark.parametrize("version", ["this", "oldest"])
def test_no_simd_gives_the_same_weights(
    here: dict[str, Any], there: dict[str, Any], other_python: Path, version: str
) -> None:
    python, known = (Path(sys.executable), here) if version == "this" else (other_python, there)
    found = hashes(python, **cpu.OLD, **cpu.without_simd(known["levels"]))
    assert found["levels"] == [], "the switches must have worked"
    assert found["weights"] == here["weights"]
