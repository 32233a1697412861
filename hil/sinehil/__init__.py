"""Hardware-in-the-loop bench for the TinyML sine model: compile, flash, verify, report."""

from importlib.metadata import version

__version__ = version("sinehil")
