"""Kernels made wrong in every small way there is, and which checks notice: what a PASS is worth, in figures."""
