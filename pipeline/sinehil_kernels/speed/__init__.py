"""The fastest kernel: unrolled assembly for one model's weights. Imports avr."""
