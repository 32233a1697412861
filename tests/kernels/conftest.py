"""What tests of generated code share."""

from pathlib import Path

import pytest
from avr_tools import build_simulator


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program that runs a flash image on a simulated ATmega328P."""
    return build_simulator(tmp_path_factory.mktemp("simulator"))
