"""The folders sinehil keeps outside a project: built tools (cache) and running boards (runtime)."""

import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """Return where built tools are kept.

    ``$SINEHIL_CACHE``, else ``$XDG_CACHE_HOME/sinehil``, else ``~/.cache/sinehil``.
    """
    own = os.environ.get("SINEHIL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    path = Path(own) if own else (Path(base) if base else Path.home() / ".cache") / "sinehil"
    path.mkdir(parents=True, exist_ok=True)
    return path


def runtime_dir() -> Path:
    """Return where running virtual boards are listed: ``$SINEHIL_RUNTIME``, else a private folder in the temp dir."""
    own = os.environ.get("SINEHIL_RUNTIME")
    path = Path(own) if own else Path(tempfile.gettempdir()) / f"sinehil-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
