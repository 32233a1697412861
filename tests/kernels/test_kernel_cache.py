"""Kernels are proven, or refused, once: a kept one has the fresh one's bytes, and a bad entry counts for nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path

import pytest
from nets import random_net
from wide_models import wide_model

from sinehil.errors import ArtefactError, ToolError
from sinehil.model.arithmetic import ORACLES
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels import KINDS, Kernel, generate_kernel, kernel, proven_kernel
from sinehil_kernels import cache as kernel_cache
from sinehil_kernels.avr import trial
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.cache import KernelKey, load_kernel
from sinehil_kernels.check import check_kernel

KEY = "litert", "portable"


@pytest.fixture
def model() -> QuantizedModel:
    return random_net(3, width=3).model()


@pytest.fixture(autouse=True)
def generated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The kinds that were generated, in an empty cache."""
    kinds: list[str] = []

    def counted(model: QuantizedModel, oracle: str, kind: str) -> Kernel:
        kinds.append(kind)
        return generate_kernel(model, oracle, kind)

    monkeypatch.setenv("SINEHIL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kernel, "generate_kernel", counted)
    return kinds


def entry(model: QuantizedModel) -> Path:
    return KernelKey(model.sha256, *KEY).entry("json")


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_kernel_is_the_fresh_one(kind: str, model: QuantizedModel, generated: list[str]) -> None:
    for oracle in ORACLES:
        fresh, first, again = (
            generate_kernel(model, oracle, kind),
            proven_kernel(model, oracle, kind),
            proven_kernel(model, oracle, kind),
        )
        assert first == again
        for field in fields(Kernel):
            assert getattr(again, field.name) == getattr(fresh, field.name)
        assert again.proof.accumulators > again.proof.neurons > 0
    assert generated == [kind] * len(ORACLES)


def test_another_oracle_kind_or_model_is_another_kernel(model: QuantizedModel, generated: list[str]) -> None:
    checksums = {
        proven_kernel(each, oracle, kind).weights_crc32
        for each in (model, random_net(4, width=3).model())
        for oracle in ("litert", "tflm")
        for kind in ("portable", "table")
    }
    assert len(generated) == 8 and len(checksums) == 8


def as_it_was(content: bytes) -> bytes:
    return content


def with_a_bit_flipped(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


def cut_short(content: bytes) -> bytes:
    return content[:-9]


def with_digest(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode() + b"\n" + content


def of_another_oracle(content: bytes) -> bytes:
    return with_digest(content.partition(b"\n")[2].replace(b'"oracle": "litert"', b'"oracle": "tflm"'))


def deeply_nested(_: bytes) -> bytes:
    return with_digest(b"[" * 100_000)


def of_other_types(content: bytes) -> bytes:
    document = json.loads(content.partition(b"\n")[2])
    return with_digest(json.dumps({**document, "compiled": [1], "sources": None}).encode())


def too_large(content: bytes) -> bytes:
    return content + bytes(kernel_cache.MAX_ENTRY_BYTES)


@pytest.mark.parametrize(
    ("damage", "believed"),
    [
        (as_it_was, True),  # the control: what follows is believed only if it is whole
        (with_a_bit_flipped, False),
        (cut_short, False),
        (of_another_oracle, False),
        (deeply_nested, False),
        (of_other_types, False),
        (too_large, False),
        (lambda _: b"", False),
        (lambda _: b"\xff\xfe no digest", False),
    ],
)
def test_a_damaged_entry_is_made_again(
    damage: Callable[[bytes], bytes], believed: bool, model: QuantizedModel, generated: list[str]
) -> None:
    whole = proven_kernel(model, *KEY)
    path = entry(model)
    path.write_bytes(damage(path.read_bytes()))
    assert proven_kernel(model, *KEY) == whole
    assert len(generated) == (1 if believed else 2)
    assert load_kernel(KernelKey(model.sha256, *KEY)) == whole


@pytest.mark.parametrize("what", ["folder", "pipe", "link to nowhere"])
def test_what_is_no_file_is_no_entry(what: str, model: QuantizedModel, generated: list[str]) -> None:
    path = entry(model)
    path.parent.mkdir()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.parent / "nowhere")
    assert proven_kernel(model, *KEY).engine == "portable"
    assert generated == ["portable"]


def test_a_cache_that_cannot_be_written_only_costs_time(
    model: QuantizedModel, generated: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SINEHIL_CACHE", str(tmp_path / "file" / "below"))
    assert proven_kernel(model, *KEY) == proven_kernel(model, *KEY)
    assert len(generated) == 2


def test_another_generator_or_interpreter_finds_nothing(
    model: QuantizedModel, generated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    proven_kernel(model, *KEY)
    monkeypatch.setattr(kernel_cache, "generator_version", lambda: "another")
    proven_kernel(model, *KEY)
    assert len(generated) == 2


def test_the_generators_version_covers_its_code_and_the_sketch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = kernel_cache.generator_version.__wrapped__
    package = tmp_path / "package"
    package.mkdir()
    (package / "one.py").write_text("a = 1\n")
    monkeypatch.setattr(kernel_cache, "PACKAGES", (*kernel_cache.PACKAGES, package))
    before = version()
    assert version() == before
    (package / "one.py").write_text("a = 2\n")
    assert version() != before
    names = {path.name for room in kernel_cache.PACKAGES for path in room.rglob("*.py")}
    assert {"value_ranges.py", "gemmlowp.py", "interpreters.py", "probes.py", "library.py"} <= names


def test_a_kernel_that_is_wrong_is_not_kept(
    model: QuantizedModel, generated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(model: QuantizedModel, oracle: str, kind: str) -> Kernel:
        made = generate_kernel(model, oracle, kind)
        return replace(made, weights_crc32=made.weights_crc32 ^ 1)

    monkeypatch.setattr(kernel, "generate_kernel", spoiled)
    with pytest.raises(ToolError, match="differs from the interpreter in its checksum"):
        proven_kernel(model, *KEY)
    assert not entry(model).exists()
    assert not generated


@pytest.fixture
def wide() -> QuantizedModel:
    return replace(wide_model(2, 1), name="first.tflite")


def refused(model: QuantizedModel) -> tuple[str, str]:
    with pytest.raises(ArtefactError, match="a table of all answers") as caught:
        proven_kernel(model, "litert", "table")
    return caught.value.message, caught.value.next_step


def refusal_entry(model: QuantizedModel) -> Path:
    return KernelKey(model.sha256, "litert", "table").entry("refusal")


def test_a_refusal_is_no_kernel_and_is_found_again(wide: QuantizedModel, generated: list[str]) -> None:
    first, again = refused(wide), refused(wide)
    assert first == again and all(first)
    assert generated == ["table"]
    assert load_kernel(KernelKey(wide.sha256, "litert", "table")) is None


def test_a_refusal_is_of_one_model_s_name(wide: QuantizedModel, generated: list[str]) -> None:
    named = [refused(replace(wide, name=name))[0] for name in ("first.tflite", "other.tflite")]
    assert [message.partition(" ")[0] for message in named] == ["first.tflite", "other.tflite"]
    assert generated == ["table"] * 2


def test_a_refusal_is_of_one_oracle_kind_and_generator(
    wide: QuantizedModel, generated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(wide)
    assert proven_kernel(wide, "litert", "portable").engine == "portable"
    with pytest.raises(ArtefactError):
        proven_kernel(wide, "tflm", "table")
    assert generated == ["table", "portable", "table"]
    monkeypatch.setattr(kernel_cache, "generator_version", lambda: "another")
    refused(wide)
    assert len(generated) == 4


def without_a_next_step(content: bytes) -> bytes:
    document = json.loads(content.partition(b"\n")[2])
    return with_digest(json.dumps({**document, "next_step": None}).encode())


@pytest.mark.parametrize(
    ("damage", "believed"),
    [
        (as_it_was, True),
        (with_a_bit_flipped, False),
        (cut_short, False),
        (of_another_oracle, False),
        (deeply_nested, False),
        (without_a_next_step, False),
        (too_large, False),
        (lambda _: b"", False),
        (lambda _: with_digest(b"{}"), False),
    ],
)
def test_a_damaged_refusal_is_made_again(
    damage: Callable[[bytes], bytes], believed: bool, wide: QuantizedModel, generated: list[str]
) -> None:
    said, path = refused(wide), refusal_entry(wide)
    path.write_bytes(damage(path.read_bytes()))
    assert refused(wide) == said
    assert len(generated) == (1 if believed else 2)


def test_a_kernel_s_entry_is_no_refusal(wide: QuantizedModel, generated: list[str]) -> None:
    proven_kernel(wide, "litert", "portable")
    refusal_entry(wide).write_bytes(KernelKey(wide.sha256, "litert", "portable").entry("json").read_bytes())
    refused(wide)
    assert generated == ["portable", "table"]


def test_the_folder_stays_within_its_bound(model: QuantizedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    proven_kernel(model, *KEY)
    size = entry(model).stat().st_size
    monkeypatch.setattr(kernel_cache, "MAX_FOLDER_BYTES", 5 * size)
    for seed in range(10, 19):
        os.utime(entry(model))  # used between the others, so never the oldest
        proven_kernel(random_net(seed, width=3).model(), *KEY)
    assert entry(model).exists()
    kept = [path.stat().st_size for path in entry(model).parent.iterdir()]
    assert len(kept) >= 2 and sum(kept) <= 5 * size


def test_two_processes_at_once_leave_one_whole_entry(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(random_net(3, width=3).file())
    program = (
        "import pathlib, sys; from sinehil.model.tflite import load_quantized_model as load;"
        "from sinehil_kernels import proven_kernel;"
        "print(proven_kernel(load(pathlib.Path(sys.argv[1])), 'litert', 'table').weights_crc32)"
    )
    environment = {**os.environ, "SINEHIL_CACHE": str(tmp_path / "cache")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, file], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert len({process.communicate()[0] for process in running}) == 1
    assert [process.returncode for process in running] == [0, 0, 0]
    (kept,) = (tmp_path / "cache/kernels").iterdir()
    digest, _, content = kept.read_bytes().partition(b"\n")
    assert sha256(content).hexdigest().encode() == digest


def test_a_hit_imports_no_generator(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(random_net(3, width=3).file())
    program = (
        "import pathlib, sys; from sinehil.model.tflite import load_quantized_model as load;"
        "from sinehil_kernels import proven_kernel;"
        "proven_kernel(load(pathlib.Path(sys.argv[1])), 'litert', 'table');"
        "print('sinehil_kernels.table.table_kernel' in sys.modules, 'sinehil_kernels.check' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", program, file], check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [each.stdout for each in said] == ["True True\n", "False False\n"]


def test_the_generators_trial_is_not_run_again(
    model: QuantizedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = generate_kernel(model, "litert", "speed")
    assert made.program is not None and len(made.program.calls) == 256
    runs: list[int] = []

    class Counted(Machine):
        def call(self, *arguments: object) -> object:
            runs.append(1)
            return super().call(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trial, "Machine", Counted)
    check_kernel(made, model)
    assert not runs
    same = replace(made.program, words=made.program.words)
    check_kernel(replace(made, program=same), model)
    assert len(runs) == 256  # the control: other words, even equal ones, are run
