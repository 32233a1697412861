"""The jobs behind the commands (train, firmware, verify): the only joint of bench, kernels and pipeline."""

from pathlib import Path

DEFAULT_ARTIFACTS = Path("artifacts")
DEFAULT_BUILD = Path("build")
DEFAULT_FQBN = "arduino:avr:uno"
DEFAULT_ORACLE = "litert"
DEFAULT_RECIPE = "book"
