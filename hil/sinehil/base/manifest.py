"""Read, check and write ``manifest.json``: the sha256 of every artefact file, and how the model was made."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sinehil.base.files import bounded_bytes, sha256_of, write_atomically
from sinehil.base.untrusted_text import visible
from sinehil.errors import ArtefactError

SCHEMA = 1
MANIFEST = "manifest.json"
QUANTIZED_MODEL = "sine_model_quantized.tflite"
FLOAT_MODEL = "sine_model.tflite"
C_ARRAY = "sine_model_quantized.cc"
KERNEL = "sinehil_kernel.c"
METRICS = "metrics.json"
SAMPLES = "data/samples.csv"
PAGE = "training.html"
SOURCE_DATA = "data/input.csv"  # a user's own samples, as they were given
MAX_MANIFEST_BYTES = 1 << 20
MAX_NAME = 200  # characters of a file name; most file systems take 255 bytes a part


@dataclass(frozen=True)
class FileEntry:
    """One artefact as it was written."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class QuantizationEntry:
    """real = (code - zero_point) * scale; ``scale`` is a float32 value."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class TrainingTry:
    """One initialisation of model_2 and what the quality gate said of it."""

    seed: int
    val_mse: float
    accepted: bool


@dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` holds. It carries no time and no path, so equal runs give equal bytes."""

    recipe: Mapping[str, Any]
    trainer: str
    init_seed: int
    tries: tuple[TrainingTry, ...]
    oracle: str
    input: QuantizationEntry
    output: QuantizationEntry
    versions: Mapping[str, str]
    files: Mapping[str, FileEntry]
    schema: int = field(default=SCHEMA)


def describe_files(folder: Path) -> dict[str, FileEntry]:
    """Return an entry for every file below ``folder`` but the manifest, by POSIX relative name."""
    return {
        path.relative_to(folder).as_posix(): FileEntry(sha256_of(path), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` into ``folder``."""
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n"
    write_atomically(folder / MANIFEST, text.encode())


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``folder/manifest.json``; raise ArtefactError if it is missing, damaged or of another schema."""
    return read_manifest_file(folder / MANIFEST)


def read_manifest_file(path: Path) -> Manifest:
    """Read and check one file, as ``read_manifest`` does."""
    next_step = "run `sinehil train` to make the artefacts again"
    try:
        if not path.exists():
            raise ArtefactError(f"there is no {path}", next_step)
        content = bounded_bytes(path, MAX_MANIFEST_BYTES)
        if content is None:
            raise ArtefactError(
                f"{path} is larger than {MAX_MANIFEST_BYTES} bytes: not a manifest", next_step
            )
        document = json.loads(content.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise ArtefactError(f"{path} cannot be read: {str(error)[:200]}", next_step) from error
    return _checked(path, document)


def changed_files(earlier: Manifest, later: Manifest) -> list[str]:
    """Return the names of files that only one of the two has, or that have other bytes."""
    names = earlier.files.keys() | later.files.keys()
    return sorted(name for name in names if earlier.files.get(name) != later.files.get(name))


def checked_file(folder: Path, manifest: Manifest, name: str) -> Path:
    """Return ``folder/name`` if it is exactly the file the manifest describes; else raise ArtefactError."""
    entry, path = manifest.files.get(name), folder / name
    next_step = "run `sinehil train` to make the artefacts again"
    if entry is None:
        raise ArtefactError(f"{folder / MANIFEST} does not list {name}", next_step)
    try:
        # A link to a device or a pipe may have no end; one to a file must still be the file that is described.
        if not path.is_file() or path.stat().st_size != entry.bytes or sha256_of(path) != entry.sha256:
            raise ArtefactError(
                f"{path} is not the file that {MANIFEST} describes: altered or truncated", next_step
            )
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error.strerror}", next_step) from error
    return path


def _checked(path: Path, document: Any) -> Manifest:
    try:
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']!r}, this version reads {SCHEMA}")
        return Manifest(
            recipe=dict(document["recipe"]),
            trainer=str(document["trainer"]),
            init_seed=int(document["init_seed"]),
            tries=tuple(_try(item) for item in document["tries"]),
            oracle=str(document["oracle"]),
            input=_quantization(document["input"]),
            output=_quantization(document["output"]),
            versions={str(key): str(value) for key, value in document["versions"].items()},
            files={_safe(name): _file(item) for name, item in document["files"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ArtefactError(
            f"{path} is not a manifest this version understands: {str(error)[:200]}",
            "run `sinehil train` to make the artefacts again",
        ) from error


def _try(item: Mapping[str, Any]) -> TrainingTry:
    return TrainingTry(int(item["seed"]), float(item["val_mse"]), bool(item["accepted"]))


def _quantization(item: Mapping[str, Any]) -> QuantizationEntry:
    scale = float(item["scale"])
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale {scale}")
    return QuantizationEntry(scale, int(item["zero_point"]))


def _file(item: Mapping[str, Any]) -> FileEntry:
    return FileEntry(str(item["sha256"]), int(item["bytes"]))


def _safe(name: str) -> str:
    """Refuse names that leave the folder: a manifest may come from elsewhere."""
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name:
        raise ValueError(f"file name {name[:80]!r} leaves the folder")
    if len(name) > MAX_NAME or visible(name) != name:
        raise ValueError(f"file name {name[:80]!r} is no name of an artefact")
    return name
