"""Our kernels and what else there is for the same net, measured on one board in one run."""
