"""Train models with either trainer, under the quality gate. May import data and config."""
