"""One recipe from many seeds: how often it learns, and what comes of it when it does."""

from sinehil_pipeline.sweep.seed_sweep import Sweep, sweep
from sinehil_pipeline.sweep.seeds import parse_seeds

__all__ = ["Sweep", "parse_seeds", "sweep"]
