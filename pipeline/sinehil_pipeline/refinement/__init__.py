"""Reduce the int8 model's largest error by changing constants of the converted file. May import data and config."""
