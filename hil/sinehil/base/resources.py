"""Where the files that are not Python live, in a checkout and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resource(relative: str) -> Path:
    """Return the path of a shipped file or folder, named as in the repository (``arduino_sketch``, ...)."""
    installed = _PACKAGE / "_data" / relative
    return installed if installed.exists() else _PACKAGE.parents[1] / relative
