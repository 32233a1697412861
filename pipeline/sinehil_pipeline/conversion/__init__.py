"""Convert trained weights to .tflite files and a C array, and evaluate them.

May import training, refinement and data.
"""
