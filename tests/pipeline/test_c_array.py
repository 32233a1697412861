import subprocess
from pathlib import Path

import pytest
from training_runs import Run

from sinehil.errors import ArtefactError, ToolError
from sinehil_pipeline.conversion.c_array import c_array, check_c_array, parse_c_array

TIMEOUT_S = 60
MAIN = """
#include <stdio.h>
int main(void) { return fwrite({name}, 1, {name}_len, stdout) == {name}_len ? 0 : 1; }
"""
NAME = "sine_model_quantized_tflite"


def test_the_array_is_what_xxd_prints(book_run: Run) -> None:
    printed = subprocess.run(
        ["xxd", "-i", "sine_model_quantized.tflite"],
        cwd=book_run.folder,
        capture_output=True,
        check=True,
        timeout=TIMEOUT_S,
    ).stdout
    assert (book_run.folder / "sine_model_quantized.cc").read_bytes() == printed


@pytest.mark.parametrize(("compiler", "language"), [("gcc", "c"), ("g++", "c++")])
def test_it_compiles_and_holds_the_file(book_run: Run, tmp_path: Path, compiler: str, language: str) -> None:
    array = (book_run.folder / "sine_model_quantized.cc").read_text()
    (tmp_path / "main.c").write_text(array + MAIN.replace("{name}", NAME))
    flags = ["-Wall", "-Wextra", "-Werror", "-x", language]
    command = [compiler, *flags, "main.c", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=TIMEOUT_S)
    written = subprocess.run([tmp_path / "main"], capture_output=True, check=True, timeout=TIMEOUT_S).stdout
    assert written == (book_run.folder / "sine_model_quantized.tflite").read_bytes()


def test_one_changed_byte_is_noticed(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(bytes(range(256)))
    source = c_array(model)
    assert parse_c_array(source, model.name) == ("model_tflite", bytes(range(256)))
    with pytest.raises(ArtefactError, match=r"is not byte for byte model\.tflite"):
        check_c_array(source.replace(b"0x41", b"0x40"), model)


@pytest.mark.parametrize("damage", [b"", b"0x00, ", b"_len = 256", b"unsigned char", b"};"])
def test_anything_but_one_whole_array_is_refused(tmp_path: Path, damage: bytes) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(bytes(range(256)))
    source = c_array(model)
    broken = source.replace(damage, b"", 1) if damage else b""
    with pytest.raises(ArtefactError, match="cannot be read back"):
        parse_c_array(broken, model.name)


def test_a_missing_xxd_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="xxd is not installed") as found:
        c_array(tmp_path / "model.tflite")
    assert "apt-get install xxd" in found.value.next_step


def test_xxds_own_words_are_kept(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"xxd -i missing\.tflite failed") as found:
        c_array(tmp_path / "missing.tflite")
    assert "No such file" in found.value.output
