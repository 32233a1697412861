"""Train one recipe from many seeds, and report how often it learns and with which error. May import all other rooms."""

from sinehil_pipeline.sweep.seed_sweep import Sweep, sweep
from sinehil_pipeline.sweep.seeds import parse_seeds

__all__ = ["Sweep", "parse_seeds", "sweep"]
