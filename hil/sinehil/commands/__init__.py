"""One module for each command: options in, one line per stage out. Heavy imports happen when a command runs."""
