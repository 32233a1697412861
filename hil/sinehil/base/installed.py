"""Check that optional packages are installed, and return the versions that decide the artefacts' bytes."""

import importlib.util
from importlib.metadata import PackageNotFoundError, version

from sinehil.errors import ToolError

# One module, two names on the package index.
TENSORFLOW = ("tensorflow-cpu", "tensorflow")


def check_installed(*modules: str, extra: str = "train") -> None:
    """Raise ToolError if one of the modules, which ``extra`` brings, is missing; none is imported."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise ToolError(
                f"{name} is not installed", f'install what brings it: pip install "sinehil[{extra}]"'
            )


def versions() -> dict[str, str]:
    """Return the versions that decide the files' bytes, without importing anything."""
    names = ("ai-edge-litert", "keras", "numpy", "sinehil")
    return {"tensorflow": _tensorflow_version(), **{name: version(name) for name in names}}


def _tensorflow_version() -> str:
    for name in TENSORFLOW:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise PackageNotFoundError(TENSORFLOW[0])
