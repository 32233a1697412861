"""What tests of generated code share."""

from pathlib import Path

import pytest
from avr_tools import call


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program that runs a flash image on a simulated ATmega328P."""
    program = tmp_path_factory.mktemp("simulator") / "avr_runner"
    source = Path(__file__).with_name("avr_runner.c")
    call("cc", "-O2", "-Wall", "-Wextra", source, "-o", program, "-lsimavr", "-lelf")
    return program
