"""The jobs behind the commands (train, firmware, verify): the only joint of bench, kernels and pipeline."""
