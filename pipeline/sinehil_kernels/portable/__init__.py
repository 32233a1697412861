"""The kernel in plain C, for every board. Imports the package's own files."""
