"""Kernels in AVR assembly: instructions as data, assembled, counted and run in Python, then by the real tools."""
