"""The engines comparison: our kernels and others' for one net, on one board. May import all but commands."""
