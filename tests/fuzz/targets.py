"""All that is fuzzed: how each is started, what it starts from, and its corpus, one input a line."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import readers

import firmware

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
TEXTS = ("manifest", "recipe", "csv")  # readable in the corpus; the others are hexadecimal
NAMES = (*firmware.SHAPES, *readers.CHECKS)
FLAGS = ["-max_len=4096", "-timeout=20", "-rss_limit_mb=1024", "-print_final_stats=1", "-seed=1"]
WORDS = {
    "manifest": [f'"{key}":' for key in ("schema", "recipe", "trainer", "init_seed", "tries", "input", "scale")]
    + ["NaN", "Infinity", "1e999", "null", "true", '{"', '"}', '"../', '"/', '\\u0000', '"files": {', '"bytes": '],
    "recipe": [*(f"{key} = " for key in ("name", "seed", "samples", "hidden", "epochs", "file", "step", "budget")),
               "[data]\n", "[[after]]\n", "[final.optimizer]\n", "nan", "inf", "1e999", '"""', "0x", "1979-05-27"],
    "csv": ["x,y\n", ",split\n", ",test\n", "nan", "1e999", "\n0,", '"', "\r\n"],
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a run came to; ``crash`` is the input that broke the target, and the words it left."""

    executions: int
    edges: int
    features: int
    seconds: float
    crash: bytes | None
    words: str


def seeds(name: str) -> list[bytes]:
    """Return what a target starts from."""
    return [*(firmware.SEEDS if name in firmware.SHAPES else readers.SEEDS[name]), *corpus(name)]


def command(name: str, folder: Path, coverage: bool = False) -> list[str]:
    """Return how the target is started; the firmware is compiled first."""
    if name in firmware.SHAPES:
        return [str(firmware.build(folder / "build", name, coverage=coverage))]
    return [sys.executable, str(HERE / "python_target.py"), name]


def corpus(name: str) -> list[bytes]:
    path = CORPUS / f"{name}.txt"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line).encode("latin-1") if name in TEXTS else bytes.fromhex(line) for line in lines]


def save_corpus(name: str, inputs: Iterable[bytes]) -> None:
    ordered = sorted(set(inputs), key=lambda data: (len(data), data))
    lines = [json.dumps(data.decode("latin-1")) if name in TEXTS else data.hex() for data in ordered]
    (CORPUS / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def unpack(inputs: Iterable[bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / sha256(data).hexdigest()[:16]).write_bytes(data)
    return folder


def run(words: list[str], name: str, folder: Path, *flags: str) -> Outcome:
    """Run a target over ``folder/corpus`` until its flags say so, or something breaks it."""
    unpack(seeds(name), folder / "corpus")
    if name in WORDS:
        escaped = ("".join(f"\\x{byte:02x}" for byte in word.encode()) for word in WORDS[name])
        (folder / "words").write_text("".join(f'"{word}"\n' for word in escaped))
        flags = (f"-dict={folder / 'words'}", *flags)
    done = subprocess.run(
        [*words, str(folder / "corpus"), *FLAGS, f"-artifact_prefix={folder}/", *flags],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},  # libFuzzer ends without cleaning up
    )
    return outcome(done, folder)


def outcome(done: subprocess.CompletedProcess[str], folder: Path) -> Outcome:
    found = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr)
    edges, features = map(int, found[-1]) if found else (0, 0)
    executions = re.findall(r"stat::number_of_executed_units: (\d+)|^#(\d+)\s", done.stderr, re.MULTILINE)
    seconds = re.findall(r"runs in (\d+) second", done.stderr)
    broken = [path for kind in ("crash", "timeout", "oom", "leak") for path in folder.glob(f"{kind}-*")]
    assert done.returncode == 0 or broken, done.stderr[-3000:]
    return Outcome(
        int(next(filter(None, executions[-1]))) if executions else 0,
        edges,
        features,
        float(seconds[-1]) if seconds else 0.0,
        broken[0].read_bytes() if broken else None,
        done.stdout + done.stderr,
    )
