"""A .tflite as data, each oracle's arithmetic, the real interpreters, target functions, array types.

May import base.
"""
