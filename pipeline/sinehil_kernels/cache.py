"""Keep proven kernels, and refusals, in the cache folder by what decides them, so that each is generated once.

An entry is a file: its content's SHA-256 on the first line, then JSON. Whatever is wrong with one (damaged, foreign,
unreadable), it is as if it were not there; whatever keeps one from being written only costs time.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sinehil import model as model_package
from sinehil import native, verify
from sinehil.base.files import bounded_bytes, write_atomically
from sinehil.base.folders import cache_dir, resource
from sinehil.errors import ArtefactError, SinehilError
from sinehil.verify.result import Proof
from sinehil_kernels.generated import CompilerEstimate, Figures, ProvenKernel

MAX_ENTRY_BYTES = 4 << 20
MAX_FOLDER_BYTES = 64 << 20  # some hundred kernels; the oldest go
INTERPRETERS = ("ai-edge-litert", "tflite-micro", "numpy")  # what kernels are proven with
PACKAGES = (Path(__file__).parent, *(Path(room.__path__[0]) for room in (model_package, native, verify)))
KERNEL, REFUSAL = "json", "refusal"  # endings of entries
NOT_USABLE = (OSError, SinehilError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KernelKey:
    """What a kernel follows from, beside the generator."""

    model_sha256: str
    oracle: str
    kind: str

    def entry(self, ending: str) -> Path:
        """Return where the kernel or its refusal is kept; raise OSError if there is no cache folder."""
        text = json.dumps([generator_version(), self.model_sha256, self.oracle, self.kind])
        return cache_dir() / "kernels" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.{ending}"


def load_kernel(key: KernelKey) -> ProvenKernel | None:
    """Return the kernel that was kept, None if there is none that can be believed."""
    with contextlib.suppress(*NOT_USABLE):
        kernel = _kernel(_read(key.entry(KERNEL)))
        if (kernel.model_sha256, kernel.oracle, kernel.engine) == (key.model_sha256, key.oracle, key.kind):
            log.info("kernel %s for %s found in the cache: %s", key.kind, key.oracle, key.entry(KERNEL))
            return kernel
    return None


def load_refusal(key: KernelKey, model_name: str) -> ArtefactError | None:
    """Return what was said when this model, under this name, was refused; None if nothing can be believed."""
    with contextlib.suppress(*NOT_USABLE):
        document = _read(key.entry(REFUSAL))
        message, next_step = document["message"], document["next_step"]
        said_of = KernelKey(**document["key"]), document["model_name"]
        if said_of == (key, model_name) and isinstance(message, str) and isinstance(next_step, str):
            log.info("refusal of %s for %s found in the cache: %s", key.kind, key.oracle, key.entry(REFUSAL))
            return ArtefactError(message, next_step)
    return None


def keep_kernel(key: KernelKey, kernel: ProvenKernel) -> None:
    """Write the kernel's entry whole or not at all, and remove the oldest ones beyond the bound."""
    _write(key, KERNEL, asdict(kernel))


def keep_refusal(key: KernelKey, model_name: str, error: ArtefactError) -> None:
    """Keep the sentences of a refusal, which name the model, in the same way."""
    said = {"message": error.message, "next_step": error.next_step}
    _write(key, REFUSAL, {"key": asdict(key), "model_name": model_name, **said})


def _read(path: Path) -> Mapping[str, Any]:
    """Return an entry's document and mark it as used; raise one of NOT_USABLE if it is not whole."""
    digest, _, content = (bounded_bytes(path, MAX_ENTRY_BYTES) or b"").partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise ValueError("not what was written")
    document: Mapping[str, Any] = json.loads(content)
    path.touch()  # the oldest go first
    return document


def _write(key: KernelKey, ending: str, document: Mapping[str, Any]) -> None:
    content = json.dumps(document, indent=1).encode()
    data = hashlib.sha256(content).hexdigest().encode() + b"\n" + content
    if len(data) > MAX_ENTRY_BYTES:
        return
    try:
        path = key.entry(ending)
        write_atomically(path, data)
        _remove_oldest(path.parent)
    except (OSError, SinehilError) as error:
        log.info("kernel or refusal not kept: %s", error)


@cache
def generator_version() -> str:
    """Return a hash over all code that decides a kernel's bytes or its proof, and the interpreters' versions."""
    files = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
    files += sorted(resource("arduino_sketch").glob("*.[ch]"))
    digest = hashlib.sha256(" ".join(map(_version, INTERPRETERS)).encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _kernel(document: Mapping[str, Any]) -> ProvenKernel:
    figures, compiled = document["figures"], document["compiled"]
    sources = {str(name): str(text) for name, text in document["sources"].items()}
    return ProvenKernel(
        engine=document["engine"],
        oracle=document["oracle"],
        model_sha256=document["model_sha256"],
        sources=sources,
        weights_crc32=int(document["weights_crc32"]),
        constant_bytes=int(document["constant_bytes"]),
        core_bytes=int(document["core_bytes"]),
        figures=None if figures is None else Figures(**figures),
        compiled=None if compiled is None else CompilerEstimate(**compiled),
        proof=Proof(**document["proof"]),
    )


def _remove_oldest(folder: Path) -> None:
    """Remove the entries that were used longest ago until the folder is within its bound."""
    entries = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            found = path.stat()
            entries.append((found.st_mtime_ns, found.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= MAX_FOLDER_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= size
