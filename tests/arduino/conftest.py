"""The real arduino-cli, built into the shared cache if this machine has none, and small sketches for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sinehil.arduino import ArduinoEnvironment, prepare_environment


@pytest.fixture(scope="session")
def environment() -> ArduinoEnvironment:
    return prepare_environment(lambda _: None)


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of this test's own, so that no other virtual board is seen."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("SINEHIL_RUNTIME", str(folder))
    return folder


@pytest.fixture
def write_sketch(tmp_path: Path) -> Callable[..., Path]:
    """Write a sketch of one .ino file and return its folder."""

    def write(setup: str, loop: str = "", name: str = "probe", folder: Path = tmp_path) -> Path:
        sketch = folder / name
        sketch.mkdir(parents=True, exist_ok=True)
        (sketch / f"{name}.ino").write_text(f"void setup() {{\n{setup}\n}}\nvoid loop() {{\n{loop}\n}}\n")
        return sketch

    return write
