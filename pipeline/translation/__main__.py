"""Run ``make translations``: update the catalogues, then the notebooks and README.ko.md."""

import sys
from pathlib import Path

from sinehil.errors import SinehilError
from translation.documents import generated_files, renew_catalogues

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Write what is generated, or say which block has no translation."""
    renew_catalogues(ROOT)
    try:
        files = list(generated_files(ROOT))
    except SinehilError as error:
        sys.stderr.write(f"{error.message}\n  next: {error.next_step}\n")
        return error.exit_code
    for path, text in files:
        (ROOT / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
