"""``.keras`` files whose bytes repeat: Keras writes the time and memory addresses into them."""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16


def saved_bytes(model: Any) -> bytes:
    """Return the ``.keras`` file of a Keras model; equal models give equal bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return normalized(path.read_bytes())


def normalized(archive: bytes) -> bytes:
    """Return the same model without dates, and with its shared objects numbered instead of addressed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(target, "w") as out:
        for name in sorted(source.namelist()):
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.external_attr = READABLE
            data = source.read(name)
            out.writestr(entry, _normalized_json(data) if name.endswith(".json") else data)
    return target.getvalue()


def _normalized_json(data: bytes) -> bytes:
    document = json.loads(data)
    document.pop("date_saved", None)
    return json.dumps(_numbered(document, {}), indent=1, sort_keys=True).encode()


def _numbered(node: Any, numbers: dict[int, int]) -> Any:
    """Replace each ``shared_object_id`` by 1, 2, ... in the order of the file."""
    if isinstance(node, list):
        return [_numbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: numbers.setdefault(value, len(numbers) + 1)
        if key == "shared_object_id"
        else _numbered(value, numbers)
        for key, value in node.items()
    }
