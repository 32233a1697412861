"""The kernel in plain C, for every board."""
