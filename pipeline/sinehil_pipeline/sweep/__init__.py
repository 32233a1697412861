"""One recipe from many seeds: how often it learns, and what comes of it when it does."""

from sinehil_pipeline.sweep.seeds import parse_seeds
from sinehil_pipeline.sweep.sweep import Sweep, sweep

__all__ = ["Sweep", "parse_seeds", "sweep"]
