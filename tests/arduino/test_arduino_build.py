import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sinehil.arduino import ArduinoEnvironment, compile_sketch
from sinehil.arduino.build import errors_first, too_big, unfinished_mark
from sinehil.base.folders import resource
from sinehil.errors import ArtefactError, ExitCode, ToolError, UsageError

UNO = "arduino:avr:uno"
WriteSketch = Callable[..., Path]


def section_bytes(hex_file: Path) -> int:
    """Count the data bytes of an Intel HEX file, independently of what arduino-cli says."""
    records = hex_file.read_text().split()
    return sum(int(record[1:3], 16) for record in records if record[7:9] == "00")


def test_sizes_are_those_of_the_image(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    sketch = write_sketch("Serial.begin(115200);", "Serial.println(millis());")
    firmware = compile_sketch(environment, sketch, UNO, tmp_path / "out")
    assert firmware.flash_bytes == section_bytes(firmware.hex)
    assert (firmware.flash_max_bytes, firmware.ram_max_bytes) == (32256, 2048)
    assert 0 < firmware.ram_bytes < firmware.ram_max_bytes
    assert firmware.elf.is_file()
    assert (firmware.fqbn, firmware.upload_protocol) == (UNO, "arduino")


def test_a_larger_sketch_is_reported_larger(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    small = compile_sketch(environment, write_sketch("", name="small"), UNO, tmp_path / "small_out")
    sketch = write_sketch("static volatile char kept[500]; kept[millis()] = 1;", name="large")
    large = compile_sketch(environment, sketch, UNO, tmp_path / "large_out")
    assert large.ram_bytes - small.ram_bytes == 500
    assert large.flash_bytes > small.flash_bytes


def image_in(environment: ArduinoEnvironment, write_sketch: WriteSketch, folder: Path, setup: str) -> bytes:
    sketch = write_sketch(setup, folder=folder)
    return compile_sketch(environment, sketch, UNO, folder / "out").hex.read_bytes()


def test_the_image_does_not_depend_on_folders_or_caches(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    """With another home too, since the core is compiled through a link in it."""
    old = Path(environment.variables["ARDUINO_DIRECTORIES_DATA"]).parent
    new = shutil.copytree(old, tmp_path / "another" / "home", symlinks=True)
    moved = replace(
        environment,
        variables={key: value.replace(str(old), str(new)) for key, value in environment.variables.items()},
    )
    setup = "Serial.begin(115200); Serial.println(String(millis()));"
    near = image_in(environment, write_sketch, tmp_path / "a", setup)
    far = image_in(moved, write_sketch, tmp_path / "quite" / "another" / "folder", setup)
    assert near == far


def test_a_path_in_the_image_would_have_been_noticed(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    setup = "Serial.begin(115200); Serial.println(__FILE__);"
    images = [image_in(environment, write_sketch, tmp_path / name, setup) for name in ("a", "b")]
    assert images[0] != images[1]


def test_the_sketch_asks_for_no_path_and_no_time() -> None:
    for path in resource("arduino_sketch").iterdir():
        assert not re.search(r"__(FILE|DATE|TIME|TIMESTAMP)__", path.read_text()), path


def test_nothing_is_compiled_again_when_nothing_changed(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    def object_stamps() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.o")}

    sketch = write_sketch("")
    compile_sketch(environment, sketch, UNO, tmp_path / "out")
    first = object_stamps()
    compile_sketch(environment, sketch, UNO, tmp_path / "out")
    assert object_stamps() == first
    compile_sketch(environment, write_sketch("pinMode(13, OUTPUT);"), UNO, tmp_path / "out")
    changed = {name for name, stamp in object_stamps().items() if stamp != first[name]}
    assert changed == {"probe.ino.cpp.o"}


def test_what_an_unfinished_compilation_left_is_not_used(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    sketch, out = write_sketch(""), tmp_path / "out"
    whole = compile_sketch(environment, sketch, UNO, out).hex.read_bytes()
    assert not unfinished_mark(out).exists()
    (torn,) = (out / "sketch").glob("*.ino.cpp.o")
    torn.write_bytes(b"")
    with pytest.raises(ToolError) as found:  # the control: nobody has said that something was not finished
        compile_sketch(environment, sketch, UNO, out)
    assert "probe.ino.cpp.o: file not recognized: File truncated" in found.value.output
    assert unfinished_mark(out).exists()
    assert compile_sketch(environment, sketch, UNO, out).hex.read_bytes() == whole
    assert not unfinished_mark(out).exists()


def test_the_compiler_s_own_words_come_with_the_error(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    with pytest.raises(ToolError, match=f"does not compile for {UNO}") as caught:
        compile_sketch(environment, write_sketch("int a = nonsense;"), UNO, tmp_path / "out")
    first = caught.value.output.splitlines()[0]
    assert re.search(r"probe\.ino:2:9: error: .nonsense. was not declared", first)
    assert caught.value.next_step


def test_an_undefined_function_is_named(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path
) -> None:
    sketch = write_sketch("int missing(); missing();")
    with pytest.raises(ToolError, match="does not compile") as caught:
        compile_sketch(environment, sketch, UNO, tmp_path / "out")
    assert "undefined reference to `missing()'" in caught.value.output.splitlines()[0]


TOO_BIG = {  # the linker's region, which ends behind the boot loader; arduino-cli's limit, before it; RAM
    "static const PROGMEM char big[32700] = {1}; Serial.write(pgm_read_byte(&big[millis()]));": "flash",
    "static const PROGMEM char big[31000] = {1}; Serial.write(pgm_read_byte(&big[millis()]));": "flash",
    "static volatile char big[3000]; big[millis()] = 1;": "RAM",
}


@pytest.mark.parametrize("setup", TOO_BIG, ids=["region", "boot loader", "ram"])
def test_what_does_not_fit_is_refused_with_the_bytes_needed_and_available(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path, setup: str
) -> None:
    (array,) = re.findall(r"big\[(\d{4,})\]", setup)
    with pytest.raises(ArtefactError, match=f"does not fit on {UNO}: it takes") as caught:
        compile_sketch(environment, write_sketch(setup), UNO, tmp_path / "out")
    found = re.findall(r"(\d+) of (\d+) bytes (\w+)", caught.value.message)
    assert [(limit, kind) for _, limit, kind in found] == [("32256", "flash"), ("2048", "RAM")]
    needed = {kind: int(needed) for needed, _, kind in found}
    assert int(array) < needed[TOO_BIG[setup]] < int(array) + 2000
    assert caught.value.exit_code == ExitCode.ARTEFACT


def test_what_does_not_fit_and_cannot_be_measured_is_refused_with_the_linker_s_words() -> None:
    document = {"builder_result": {"build_properties": ["upload.maximum_size=1000"]}}
    error = too_big("a:b:c", "ld: note\nld: region `FLASH' overflowed by 12 bytes\n", document, None)
    assert "1000 bytes flash" in error.message
    assert "region `FLASH' overflowed by 12 bytes" in error.message


@pytest.mark.parametrize("fqbn", ["arduino:avr:nope", "foo:bar:baz", "xyz", ""])
def test_an_unknown_board_is_a_usage_error(
    environment: ArduinoEnvironment, write_sketch: WriteSketch, tmp_path: Path, fqbn: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(f"knows no board {fqbn!r}")):
        compile_sketch(environment, write_sketch(""), fqbn, tmp_path / "out")


def test_a_sketch_that_is_not_there(environment: ArduinoEnvironment, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"nowhere does not compile") as caught:
        compile_sketch(environment, tmp_path / "nowhere", UNO, tmp_path / "out")
    assert "no such file" in caught.value.output


def test_errors_come_before_their_context() -> None:
    words = [
        "a.c: In function 'f':",
        "a.c:3:1: warning: w",
        "a.c:4:2: error: e",
        "  code",
        "a.c:9: fatal error: g",
    ]
    assert errors_first(words) == [words[2], words[4], words[0], words[1], words[3]]
