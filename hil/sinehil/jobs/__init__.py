"""The jobs behind the commands, which join board, kernels and pipeline; here the defaults of their options."""

from pathlib import Path

DEFAULT_ARTIFACTS = Path("artifacts")
DEFAULT_BUILD = Path("build")
DEFAULT_FQBN = "arduino:avr:uno"
DEFAULT_ORACLE = "litert"
DEFAULT_RECIPE = "book"
