"""Train, convert and export a model: recipes, data, training, conversion, refinement, page, sweep.

May import sinehil_kernels and what lies below it.
"""
