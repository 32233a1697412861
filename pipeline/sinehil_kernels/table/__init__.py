"""A table of all answers: for models with one input, which has 256 codes."""
