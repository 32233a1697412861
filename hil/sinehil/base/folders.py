"""Paths of shipped data files, of built tools (prebuilt, cache) and of running boards (runtime)."""

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


def built(name: str) -> Path:
    """Return where a built tool is or goes: ``$SINEHIL_PREBUILT`` if somebody has put it there, else the cache.

    An image carries its tools in a folder that nobody has to be able to write to. Names carry a fingerprint of what
    they were built from, so a tool of another version is never taken.
    """
    prebuilt = os.environ.get("SINEHIL_PREBUILT")
    there = Path(prebuilt) / name if prebuilt else None
    return there if there is not None and there.exists() else cache_dir() / name


def runtime_dir() -> Path:
    """Return where running virtual boards are listed: ``$SINEHIL_RUNTIME``, else a private folder in the temp dir."""
    own = os.environ.get("SINEHIL_RUNTIME")
    path = Path(own) if own else Path(tempfile.gettempdir()) / f"sinehil-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


_PACKAGE = Path(__file__).resolve().parents[1]


def resource(relative: str) -> Path:
    """Return the path of a shipped file or folder, named as in the repository (``arduino_sketch``, ...)."""
    installed = _PACKAGE / "_data" / relative
    return installed if installed.exists() else _PACKAGE.parents[1] / relative
