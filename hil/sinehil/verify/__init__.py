"""Comparing a board with the interpreter it claims to equal."""
