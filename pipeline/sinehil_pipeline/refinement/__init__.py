"""After training: change constants of the int8 file until it is as close to its target as int8 can be."""
