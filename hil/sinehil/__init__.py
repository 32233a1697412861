"""Hardware-in-the-loop bench for the TinyML sine model: compile, flash, verify, report."""

__version__ = "0.1.0"
