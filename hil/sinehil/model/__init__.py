"""A .tflite as data, each oracle's arithmetic, the real interpreters, and target functions."""
