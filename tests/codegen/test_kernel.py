"""Generated C, compiled for this machine: equal to the interpreter, and every check of it able to fail."""

import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import random_net, variety
from tests.conftest import MountTmpfs

from sinehil.arithmetic import infer_codes
from sinehil.errors import ArtefactError, ExitCode, ToolError, UsageError
from sinehil.tflite_model import QuantizedModel
from sinehil.verify.probes import all_codes, exhaustive_floats
from sinehil_pipeline.codegen import GeneratedKernel, check_kernel_on_host, generate_kernel, kernel
from sinehil_pipeline.codegen.check import load_library
from sinehil_pipeline.codegen.kernel import plan_layers
from sinehil_pipeline.codegen.requantization import Line, find_line, find_steps

HERE = Path(__file__).parent
SKETCH = HERE.parents[1] / "arduino_sketch"
NETS = variety()
CHECKED = [*list(NETS)[::2], "zero point 127", "symmetric", "huge scale"]
IDS = [name.replace(" ", "-") for name in CHECKED]
SANITIZED = "-O1 -g -std=gnu11 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all"


def fails(
    changed: GeneratedKernel, model: QuantizedModel, match: str = "differs from the interpreter"
) -> None:
    with pytest.raises(ToolError, match=match) as caught:
        check_kernel_on_host(changed, model)
    assert caught.value.exit_code == ExitCode.TOOL
    assert caught.value.next_step


def change_table(source: str, table: str, index: int, by: int) -> str:
    """Return the source with one number of one table changed."""
    head, body, tail = re.split(rf"( {table}\[\d+\] PROGMEM = {{[^}}]*}};)", source, maxsplit=1)
    start = body.index("{")
    numbers = list(re.finditer(r"-?\d+", body[start:]))
    number = numbers[index]
    at = start + number.start()
    return head + body[:at] + str(int(number.group()) + by) + body[start + number.end() :] + tail


def live_neuron(model: QuantizedModel, layer: int) -> int:
    """Return a neuron of which many codes lie on its line."""
    forms = plan_layers(model)[layer].forms
    return int(np.argmax([form.limit if isinstance(form, Line) else len(form.starts) for form in forms]))


@pytest.mark.parametrize("name", CHECKED, ids=IDS)
def test_the_kernel_equals_the_interpreter(name: str) -> None:
    model = NETS[name].model()
    check_kernel_on_host(generate_kernel(model), model)


def test_the_nets_reach_every_form_that_the_generator_has() -> None:
    assert len(CHECKED) >= 20
    plans = [plan for name in CHECKED for plan in plan_layers(NETS[name].model())]
    assert any(plan.narrow for plan in plans)
    assert any(not plan.narrow for plan in plans)
    forms = [form for plan in plans for form in plan.forms]
    lines = [form for form in forms if isinstance(form, Line)]
    assert any(line.limit < 0 for line in lines)  # only clamps
    assert sum(line.limit >= 0 for line in lines) > 100
    assert any(plan.lowest > -128 for plan in plans)
    assert any(plan.highest < 127 for plan in plans)


def test_the_steps_fall_back_is_exact_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "find_line", lambda *_arguments: None)
    widths = set()
    for name in ("plain 1", "per-tensor 11", "relu6 20", "narrow 40", "saturated 60"):
        model = NETS[name].model()
        generated = generate_kernel(model)
        assert "on_line" not in generated.source
        assert re.search(r"\d+ steps\n", generated.source)
        widths |= {plan.narrow for plan in plan_layers(model)}
        check_kernel_on_host(generated, model)
    assert widths == {True, False}


def test_lines_and_steps_give_the_codes_they_were_found_for() -> None:
    random = np.random.default_rng(4)
    found = 0
    for slope in random.uniform(1e-4, 1, 40):
        sums = np.sort(random.integers(-40_000, 40_000, 256))
        codes = np.clip(np.rint(sums.astype(np.float32) * np.float32(slope)).astype(np.int64), -100, 127)
        line = find_line(sums, codes, float(slope), -100, 127)
        if line is not None:
            found += 1
            np.testing.assert_array_equal(line(sums, -100, 127), codes)
        np.testing.assert_array_equal(find_steps(sums, codes)(sums), codes)
    assert found > 30


def test_no_line_is_found_where_there_is_none() -> None:
    sums = np.arange(100)
    assert find_line(sums, np.where(sums % 2, 10, 20), 0.1, -128, 127) is None
    assert find_line(sums, (sums * sums) // 100, 0.5, -128, 127) is None


def test_the_same_model_gives_the_same_bytes_and_another_other_ones() -> None:
    first, again = (generate_kernel(random_net(1).model()) for _ in range(2))
    assert first == again
    other = generate_kernel(random_net(2).model())
    assert other.source != first.source
    assert other.weights_crc32 != first.weights_crc32


def test_the_source_names_the_model_but_no_time_and_no_place() -> None:
    generated = generate_kernel(NETS["plain 1"].model())
    assert generated.model_sha256 in generated.source
    assert "oracle: litert" in generated.source
    assert str(HERE.parents[1]) not in generated.source
    assert not re.search(r"\b20\d\d-\d\d|\d\d:\d\d|/home|/tmp|__DATE__|__TIME__", generated.source)
    assert generated.source.isascii()


@pytest.mark.parametrize(
    ("table", "by"),
    [
        ("weights", 1),
        ("weights", -3),
        ("bias", 40),
        ("multiplier", 4000),
        ("offset", 1 << 22),
        ("limit", -30),
    ],
)
def test_one_changed_constant_of_a_line_is_noticed(table: str, by: int) -> None:
    model = NETS["plain 2"].model()
    generated = generate_kernel(model)
    neuron = live_neuron(model, 1)
    index = neuron * (16 if table == "weights" else 1)
    if table == "weights":
        codes = np.abs(plan_layers(model)[1].layer.weights[neuron].astype(int))
        live = [live_input for live_input in range(16) if codes[live_input] < 120]
        index += live[0]
    changed = change_table(generated.source, f"layer_2_{table}", index, by)
    assert changed != generated.source
    fails(replace(generated, source=changed), model)


@pytest.mark.parametrize(("table", "by"), [("start", 25), ("code", 1)])
def test_one_changed_constant_of_the_steps_is_noticed(
    table: str, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "find_line", lambda *_arguments: None)
    model = NETS["plain 2"].model()
    generated = generate_kernel(model)
    index = len(plan_layers(model)[2].forms[0].starts) // 2  # type: ignore[union-attr]
    fails(replace(generated, source=change_table(generated.source, f"layer_3_{table}", index, by)), model)


def test_the_float_ends_and_the_checksum_are_checked_too() -> None:
    model = NETS["plain 3"].model()
    generated = generate_kernel(model)
    bits = re.search(r"float_bits\[4\] PROGMEM = \{0x(\w+)", generated.source)
    assert bits is not None
    one_ulp = generated.source.replace(f"{{0x{bits[1]}", f"{{0x{int(bits[1], 16) + 1:08x}")
    fails(replace(generated, source=one_ulp), model, "float inputs|checksum")
    truncating = generated.source.replace("lrintf(scaled)", "lroundf(scaled)")
    assert truncating != generated.source
    fails(replace(generated, source=truncating), model, "float inputs")
    not_a_number = generated.source.replace("if (!(scaled < read_float(1)))", "if (scaled >= read_float(1))")
    assert not_a_number != generated.source
    fails(replace(generated, source=not_a_number), model, "float inputs")
    fails(replace(generated, weights_crc32=generated.weights_crc32 ^ 1), model, "checksum")


def test_a_kernel_of_another_model_fails() -> None:
    fails(generate_kernel(NETS["plain 4"].model()), NETS["plain 5"].model())


def test_a_kernel_that_does_not_compile_says_so() -> None:
    model = NETS["plain 4"].model()
    generated = generate_kernel(model)
    with pytest.raises(ToolError, match="does not compile") as caught:
        check_kernel_on_host(replace(generated, source=generated.source + "\n#error here\n"), model)
    assert "here" in caught.value.output


def test_without_a_compiler_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    model = NETS["plain 4"].model()
    with pytest.raises(ToolError, match=r"^cc .*"):
        check_kernel_on_host(generate_kernel(model), model)


def test_the_check_runs_where_the_temp_folder_is_noexec(
    mount_tmpfs: MountTmpfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with a read-only root and a tmpfs on /tmp; two kernels, neither taken for the other."""
    folder = mount_tmpfs("size=16m,noexec")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)  # look at TMPDIR again
    library = folder / "direct.so"
    subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-o", str(library)], check=True)
    direct = subprocess.run(  # in another process, since the loader leaves half of it mapped
        [sys.executable, "-c", f"import ctypes; ctypes.CDLL({str(library)!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "failed to map" in direct.stderr
    for name in ("plain 4", "plain 5"):
        check_kernel_on_host(generate_kernel(NETS[name].model()), NETS[name].model())
    fails(generate_kernel(NETS["plain 4"].model()), NETS["plain 5"].model())
    assert [path.name for path in folder.iterdir()] == ["direct.so"]


def test_what_is_no_library_is_a_tool_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"cannot be loaded on this machine: .*too short"):
        load_library(b"no library", tmp_path / "loaded.so")


HOSTILE_NAMES = (
    ("*/ #error out", "a\n#error out", "a\r\n#error"),
    ("??/\n#error", "\\", "/*"),
    ("é\u2028☃", "x" * 500, "%s{n}"),
)


@pytest.mark.parametrize("names", HOSTILE_NAMES, ids=["ends", "escapes", "odd"])
def test_hostile_layer_names_stay_in_their_comments(names: tuple[str, ...]) -> None:
    net = NETS["narrow 41"]
    layers = tuple(replace(layer, name=name) for layer, name in zip(net.layers, names, strict=True))
    model = replace(net, layers=layers).model()
    assert [layer.name for layer in model.layers] == [name[:80] for name in names]
    generated = generate_kernel(model)
    assert generated.source.isascii()
    assert "#error" not in generated.source
    assert generated.source.count("\n") == generate_kernel(net.model()).source.count("\n")
    check_kernel_on_host(generated, model)


def run_sanitized(model: QuantizedModel, folder: Path) -> subprocess.CompletedProcess[bytes]:
    (folder / "sinehil_kernel.c").write_text(generate_kernel(model).source)
    sources = [folder / "sinehil_kernel.c", SKETCH / "crc32.c", HERE / "run_kernel.c"]
    program = folder / "program"
    command = ["cc", *SANITIZED.split(), "-I", SKETCH, *sources, "-o", program, "-lm"]
    subprocess.run([str(word) for word in command], check=True)
    floats = exhaustive_floats(model.input).astype("<f4").tobytes()
    return subprocess.run([program], input=floats, capture_output=True, check=False)


@pytest.mark.parametrize("name", ["per-tensor 13", "relu6 21", "wide 51"])
def test_sanitizers_find_nothing_over_all_inputs(name: str, tmp_path: Path) -> None:
    model = NETS[name].model()
    done = run_sanitized(model, tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    codes = np.frombuffer(done.stdout, np.int8, 256)
    np.testing.assert_array_equal(codes, infer_codes(model, all_codes()).ravel())


def test_sanitizers_find_nothing_with_the_largest_weights_and_biases(tmp_path: Path) -> None:
    """-128 * 255 in every product, and biases up to the reader's limit: no sum may overflow on its way."""
    net = random_net(7)
    for sign in (-1, 1):
        middle = net.layers[1]
        extreme = replace(
            middle,
            weights=np.full((16, 16), -128, np.int8),
            bias=np.full(16, sign * 2**30, np.int32),
        )
        model = replace(net, layers=(net.layers[0], extreme, net.layers[2])).model()
        folder = tmp_path / f"sign{sign}"
        folder.mkdir()
        done = run_sanitized(model, folder)
        assert done.returncode == 0, done.stderr.decode()
        check_kernel_on_host(generate_kernel(model), model)


def test_more_than_one_input_or_output_is_refused() -> None:
    net = NETS["plain 0"]
    hidden = net.layers[0].output
    one_to_many = replace(net, layers=net.layers[:2])
    many_to_one = replace(net, input=hidden, layers=net.layers[1:])
    for wide, counts in ((one_to_many, "1 inputs and 16 outputs"), (many_to_one, "16 inputs and 1 outputs")):
        with pytest.raises(ArtefactError, match=counts) as caught:
            generate_kernel(wide.model())
        assert caught.value.exit_code == 6


def test_an_unknown_oracle_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="tflm") as caught:
        generate_kernel(NETS["plain 0"].model(), oracle="tflm")
    assert caught.value.exit_code == ExitCode.USAGE
    assert "litert" in caught.value.next_step
