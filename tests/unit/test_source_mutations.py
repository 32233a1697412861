"""The mutation tool on a planted tree: a wrong sum is noticed, a message nobody checks is not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = "def double(x: int) -> int:\n    note(1)\n    return x + x\n\n\ndef note(level: int) -> None:\n    del level\n"
TEST = "from sinehil.planted import double\n\n\ndef test_double() -> None:\n    assert double(3) == 6\n"
PLANTED = [
    ["double", "arithmetic", "x + x", 0],
    ["double", "deleted", "note(1)", 0],
    ["moved", "deleted", "x", 0],
]


def tool(tree: Path, out: Path, step: str) -> str:
    command = [sys.executable, ROOT / "tests/source_mutations.py", step, "--tree", tree, "--out", out]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_planted_mutant_is_killed_and_another_survives(tmp_path: Path) -> None:
    tree, out = tmp_path / "tree", tmp_path / "out"
    for path, text in {"hil/sinehil/planted.py": SOURCE, "tests/unit/test_planted.py": TEST}.items():
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_text(text)
    (tree / "hil/sinehil/__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tree)
    author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "planted"]):
        subprocess.run(["git", *author, *words], cwd=tree, check=True)
    tool(tree, out, "map")
    (out / "chosen.jsonl").write_text(
        "".join(json.dumps({"room": "sinehil", "key": key}) + "\n" for key in PLANTED)
    )
    tool(tree, out, "run")
    results = [json.loads(line)["result"] for line in (out / "results.jsonl").read_text().splitlines()]
    assert results == ["killed", "survived", "gone"]
    assert "| all | 2 | 1 | 1 |" in tool(tree, out, "compare")
