"""Run ``python -m sinehil`` like the console script."""

from sinehil.cli import main

if __name__ == "__main__":
    main()
