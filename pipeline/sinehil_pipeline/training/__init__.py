"""Both trainers, their optimizers and initial weights, and the quality gate."""
