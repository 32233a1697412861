"""Change our own source in small ways, one at a time, and count which changes the tests notice.

``map`` runs each test file once and notes the functions that it calls. ``choose`` picks mutations with a seed, evenly
over rooms and kinds; with ``--other TREE`` only those that both trees have. ``run`` tries them on a copy of the last
commit, each with the test files that call the changed function, the quickest first. ``compare`` sets two runs side by
side. A mutation is named by function, kind, original text and ordinal, so that it is found again in a moved file.
"""

import argparse
import ast
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from sinehil.base.folders import cache_dir

ROOT = Path(__file__).parents[1]
SOURCES = ("hil/sinehil", "hil/sinehil_audit", "pipeline/sinehil_kernels", "pipeline/sinehil_pipeline")
LEFT_OUT = ("container", "notebook", "supply", "fuzz")  # they concern no room, or start everything anew
NOT_CODE = ("test_docs.py", "test_repository.py", "test_code_map.py", "test_source_mutations.py")
MARKS = ("not board and not slow", "board and not slow")  # the second where the first notices nothing
SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Key(NamedTuple):
    """What names a mutation in any tree, wherever the function's file stands."""

    function: str
    kind: str
    original: str
    ordinal: int


class Mutation(NamedTuple):
    """One change: ``text`` in place of ``node`` in ``path``."""

    path: Path
    node: Any
    text: str

    def apply(self, source: str) -> str:
        lines = source.encode().splitlines(keepends=True)
        start = sum(map(len, lines[: self.node.lineno - 1])) + self.node.col_offset
        end = sum(map(len, lines[: self.node.end_lineno - 1])) + self.node.end_col_offset
        return (source.encode()[:start] + self.text.encode() + source.encode()[end:]).decode()


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST, str]]:
    """Yield the kind, the node to replace and the new text of each mutation of one node."""
    match node:
        case ast.Compare(left, [operator], [right]):
            yield (
                "comparison",
                node,
                f"({ast.unparse(ast.Compare(left, [SWAPS[type(operator)]()], [right]))})",
            )
        case ast.BinOp(left, operator, right) if type(operator) in SWAPS:
            yield "arithmetic", node, f"({ast.unparse(ast.BinOp(left, SWAPS[type(operator)](), right))})"
        case ast.BoolOp(operator, values):
            yield "and/or", node, f"({ast.unparse(ast.BoolOp(SWAPS[type(operator)](), values))})"
        case ast.UnaryOp(ast.Not(), operand):
            yield "not removed", node, f"({ast.unparse(operand)})"
        case ast.Constant(bool(value)):
            yield "boolean", node, str(not value)
        case ast.Constant(int(value)):
            yield "constant + 1", node, str(value + 1)
            yield "constant - 1", node, f"({value - 1})"
        case ast.If(test) | ast.While(test) | ast.IfExp(test):
            yield "not inserted", test, f"(not ({ast.unparse(test)}))"
            yield "condition false", test, "False"
            if not isinstance(node, ast.While):
                yield "condition true", test, "True"
        case ast.Return(value) if value is not None and ast.unparse(value) != "None":
            yield "return None", node, "return None"
        case ast.Expr(value) if not isinstance(value, ast.Constant):
            yield "deleted", node, "pass"
        case ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield "deleted", node, "pass"


def own_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what a function executes itself: no inner function or class, no annotation, no message."""
    for node in nodes:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.JoinedStr)):
            continue
        yield node
        if isinstance(node, ast.AnnAssign):
            yield from own_nodes([] if node.value is None else [node.value])
        elif not isinstance(node, ast.Raise):
            yield from own_nodes(ast.iter_child_nodes(node))


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Yield every function with its qualified name, as ``co_qualname`` has it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTIONS):
            yield prefix + child.name, child
            yield from functions(child, f"{prefix}{child.name}.<locals>.")
        else:
            yield from functions(
                child, f"{prefix}{child.name}." if isinstance(child, ast.ClassDef) else prefix
            )


def mutations_in(tree: Path) -> dict[Key, Mutation]:
    """Return all mutations of ``tree`` whose key is there once."""
    found: dict[Key, list[Mutation]] = defaultdict(list)
    for path in chain.from_iterable(sorted((tree / source).rglob("*.py")) for source in SOURCES):
        if path.name == "__main__.py":
            continue
        for name, function in functions(ast.parse(path.read_text())):
            counts: dict[tuple[str, str], int] = defaultdict(int)
            for kind, node, text in chain.from_iterable(map(changes, own_nodes(function.body))):  # type: ignore[attr-defined]
                original = ast.unparse(node)
                key = Key(name, kind, original, counts[kind, original])
                counts[kind, original] += 1
                found[key].append(Mutation(path.relative_to(tree), node, text))
    return {key: mutations[0] for key, mutations in found.items() if len(mutations) == 1}


def room(path: Path) -> str:
    return "/".join(path.parts[1:3] if len(path.parts) > 3 else path.parts[1:2])


def sample(mutations: dict[Key, Mutation], count: int, seed: int) -> list[Key]:
    """Take in turn from each room, and within a room in turn from each kind."""
    rooms: dict[str, dict[str, list[Key]]] = defaultdict(lambda: defaultdict(list))
    for key in sorted(mutations, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest()):
        rooms[room(mutations[key].path)][key.kind].append(key)
    in_turn = [chain.from_iterable(zip_longest(*kinds.values())) for _, kinds in sorted(rooms.items())]
    lists = [[key for key in keys if key is not None] for keys in in_turn]
    return [key for key in chain.from_iterable(zip_longest(*lists)) if key is not None][:count]


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def pytest_run(tree: Path, files: list[str], marks: str, timeout_s: float, **extra: str) -> int | None:
    """Return pytest's exit code for ``files``, or None if they took too long; nothing that it started stays."""
    path = [*filter(None, [extra.pop("first_path", "")]), *(str(tree / top) for top in ("hil", "pipeline"))]
    env = {**os.environ, **extra, "PYTHONPATH": ":".join(path), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", marks, *files]
    null = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=tree, env=env, stdout=null, stderr=null, start_new_session=True
    ) as process:
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def map_tests(tree: Path, out: Path) -> None:
    """Note for each test file how long it takes and which functions it calls; goes on where it was stopped."""
    done = {(row["file"], row["marks"]) for row in read(out)}
    files = [path for path in sorted((tree / "tests").glob("*/**/test_*.py")) if path.name not in NOT_CODE]
    for marks in MARKS:
        for path in files:
            file = str(path.relative_to(tree))
            if (file, marks) in done or path.parts[len(tree.parts) + 1] in LEFT_OUT:
                continue
            if marks == MARKS[1] and "mark.board" not in path.read_text():
                continue
            append(out, mapped(tree, file, marks))


def mapped(tree: Path, file: str, marks: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "calls")
        log.touch()
        roots = ":".join(str(tree / source) for source in SOURCES)
        start, tracer = time.monotonic(), str(ROOT / "tests/called_functions")
        settings = {"first_path": tracer, "SINEHIL_CALLS_LOG": str(log), "SINEHIL_CALLS_ROOTS": roots}
        code = pytest_run(tree, [file], marks, 600, **settings)
        called = sorted({line.removeprefix(f"{tree}/") for line in log.read_text().splitlines()})
    seconds = round(time.monotonic() - start, 2)
    return {"file": file, "marks": marks, "seconds": seconds, "code": code, "functions": called}


def fitting(rows: list[Any], function: str, marks: str, limit_s: float) -> tuple[list[str], float]:
    """Return the quickest test files that call ``function``, and their seconds: at least one, then up to the limit."""
    calling = [
        row for row in rows if row["code"] == 0 and row["marks"] == marks and function in row["functions"]
    ]
    files, seconds = list[str](), 0.0
    for row in sorted(calling, key=lambda row: row["seconds"]):
        if files and seconds + row["seconds"] > limit_s:
            break
        files.append(row["file"])
        seconds += row["seconds"]
    return files, seconds


def outcome(copy: Path, mutation: Mutation, rows: list[Any], function: str, limit_s: float) -> str:
    """Put the mutation into ``copy``, run what fits, and put the source back."""
    path = copy / mutation.path
    source, compiled = path.read_text(), Path(importlib.util.cache_from_source(str(path)))
    result = "not covered"
    try:
        path.write_text(mutation.apply(source))
        for marks in MARKS:
            compiled.unlink(missing_ok=True)  # it is trusted for a file of the same size and second
            files, seconds = fitting(rows, f"{mutation.path}:{function}", marks, limit_s)
            cache = str(copy.parent / "cache")
            code = pytest_run(copy, files, marks, 120 + 5 * seconds, SINEHIL_CACHE=cache) if files else 0
            if code != 0:
                return "timeout" if code is None else "killed"
            result = "survived" if files else result
        return result
    finally:
        path.write_text(source)
        compiled.unlink(missing_ok=True)


def link_cache(cache: Path) -> None:
    """Make ``cache`` a folder with the user's built tools, but with kernels of its own: those of mutants are wrong."""
    cache.mkdir()
    (cache / "kernels").mkdir()
    for entry in cache_dir().iterdir():
        if entry.name != "kernels":
            (cache / entry.name).symlink_to(entry.resolve())


def run(tree: Path, chosen: Path, rows: list[Any], out: Path, limit_s: float) -> None:
    """Try each chosen mutation that ``tree`` has; goes on where it was stopped."""
    mutations, done = mutations_in(tree), {Key(*row["key"]) for row in read(out)}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "tree")
        link_cache(copy.parent / "cache")
        subprocess.run(["git", "clone", "-q", "--shared", tree, copy], check=True)
        for row in read(chosen):
            key, start = Key(*row["key"]), time.monotonic()
            if key not in done:
                found = mutations.get(key)
                result = outcome(copy, found, rows, key.function, limit_s) if found else "gone"
                append(out, {**row, "result": result, "seconds": round(time.monotonic() - start, 1)})


def compare(before: list[Any], after: list[Any]) -> str:
    """Return a table by room of what both runs tried, and what only the first of them killed."""
    dead, results = {"killed", "timeout"}, {Key(*row["key"]): row["result"] for row in after}
    table: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    lost = []
    for row in before:
        new = results.get(Key(*row["key"]), "gone")
        if "gone" not in (new, row["result"]):
            counts = (1, row["result"] in dead, new in dead)
            table[row["room"]] = [old + more for old, more in zip(table[row["room"]], counts, strict=True)]
            lost += [f"{row['result']} -> {new}: {row['key']}"] if counts[1] and not counts[2] else []
    lines = [f"| {name} | {' | '.join(map(str, counts))} |" for name, counts in sorted(table.items())]
    totals = " | ".join(str(sum(column)) for column in zip(*table.values(), strict=True))
    return "\n".join(
        [
            "| room | mutants | killed before | after |",
            "|---|---|---|---|",
            *lines,
            f"| all | {totals} |",
            *lost,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=["map", "choose", "run", "compare"])
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--other", type=Path, help="choose only what this tree has too")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=137)
    parser.add_argument(
        "--limit", type=float, default=60, help="seconds of test files for a mutant (default 60)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build/mutations", help="folder of the results")
    parser.add_argument("--before", type=Path, help="results to compare with")
    options = parser.parse_args()
    calls, chosen, results = (options.out / name for name in ("calls.jsonl", "chosen.jsonl", "results.jsonl"))
    options.out.mkdir(parents=True, exist_ok=True)
    match options.step:
        case "map":
            map_tests(options.tree, calls)
        case "choose":
            here, there = mutations_in(options.tree), mutations_in(options.other or options.tree)
            both = {key: here[key] for key in here.keys() & there.keys()}
            rows = [
                {"room": room(here[key].path), "key": key}
                for key in sample(both, options.count, options.seed)
            ]
            chosen.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case "run":
            run(options.tree, chosen, read(calls), results, options.limit)
        case "compare":
            sys.stdout.write(compare(read(options.before or results), read(results)) + "\n")


if __name__ == "__main__":
    main()
