"""The smallest kernel: one assembly loop over a byte stream of constants. Imports avr."""
