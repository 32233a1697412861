"""Training samples: generated from a noisy target function, or read from a CSV file. May import config only."""
