"""The mutants audit: kernels with one thing wrong each, and which checks notice. May import all but commands."""
