"""The kernel that is a table of all 256 answers, for models with one input. Imports avr."""
