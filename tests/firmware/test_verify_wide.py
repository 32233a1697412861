"""verify on models with several inputs or outputs, against the real firmware, natively and on a simulated Uno."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from native_link import Build, NativeLink
from uno_image import compile_for_uno
from wide_engine import CRC32, engine_text
from wide_models import wide_model

from sinehil.base.manifest import KERNEL
from sinehil.board.device import Device
from sinehil.board.transport import SerialTransport
from sinehil.errors import IdentityError
from sinehil.model.interpreters import LitertOracle
from sinehil.model.targets import NO_MANIFEST
from sinehil.model.tflite import QuantizedModel
from sinehil.report.coverage import coverage_of
from sinehil.verify import DEFAULT_SEED, Mode, Verdict, probes
from sinehil.verify import sampled_inputs as wide
from sinehil.verify.board_measurements import measure_cycles
from sinehil.verify.comparison import Expected, Inputs, Sample, verify
from sinehil.verify.result import Proof, VerifyResult
from sinehil.virtual import VirtualUno
from sinehil_kernels.c_parts import shape

PROOF = Proof(9, 12_345)
SOURCES = ["protocol.cpp", "commands.cpp", "crc32.c", "float_io.c"]


def inputs_for(model: QuantizedModel) -> Inputs:
    if model.inputs == 1:
        return Inputs(Mode.EXHAUSTIVE, probes.exhaustive_floats(model.input), NO_MANIFEST, probes.all_codes())
    codes = wide.sampled_codes(model.inputs, model.input.zero_point, wide.MIN_SAMPLES, DEFAULT_SEED)
    floats = wide.float_probes(model, "litert", DEFAULT_SEED)
    return Inputs(Mode.EXHAUSTIVE, floats, NO_MANIFEST, codes, DEFAULT_SEED)


def verified(link: NativeLink | SerialTransport, model: QuantizedModel) -> VerifyResult:
    """Verify the board; its hand-written engine carries no hash, so none is expected."""
    done: list[int] = []
    expected = Expected(unhashed(model), "litert", lambda _: CRC32, lambda _: PROOF)
    inputs = inputs_for(model)
    result = verify(Device(link), expected, LitertOracle(model), inputs, progress=done.append)
    assert sum(done) == inputs.samples
    return result


def unhashed(model: QuantizedModel) -> QuantizedModel:
    return replace(model, sha256="00" * 32)


@pytest.fixture(scope="module")
def start(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., NativeLink]]:
    links: list[NativeLink] = []

    def start_engine(text: str, inputs: int, outputs: int) -> NativeLink:
        source = tmp_path_factory.mktemp("engine") / KERNEL
        source.write_text(text)
        defines = f"SINEHIL_INPUTS={inputs}", f"SINEHIL_OUTPUTS={outputs}"
        links.append(NativeLink(build(SOURCES, ["native_device.cpp", str(source)], defines)))
        return links[-1]

    yield start_engine
    assert [link.end() for link in links] == [0] * len(links), "a sanitizer stopped the firmware"


native = pytest.mark.parametrize("build", [("gcc", "g++")], indirect=True, ids=["g++"], scope="session")


@native
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 1), (5, 3), (13, 40), (64, 2), (1, 7)])
def test_a_right_kernel_passes(start: Callable[..., NativeLink], inputs: int, outputs: int) -> None:
    model = wide_model(inputs, outputs)
    result = verified(start(engine_text(model), inputs, outputs), model)
    assert result.verdict is Verdict.PASS and result.proof == PROOF
    assert (result.identity.inputs, result.identity.outputs) == (inputs, outputs)
    coverage = coverage_of(result)
    if inputs == 1:
        assert coverage.complete and result.seed is None
        assert result.compared == outputs * (256 + len(result.floats.x))
    else:
        assert result.seed == DEFAULT_SEED and result.compared >= 10_000 * outputs and coverage.sampled
        assert (coverage.steps, coverage.sampled.positions) == (255, inputs)


@native
@pytest.mark.parametrize("fault", ["one weight", "two inputs exchanged", "a step moved", "the last output"])
def test_a_wrong_kernel_fails(start: Callable[..., NativeLink], fault: str) -> None:
    """Negative controls: each fault is one that a less thorough run might miss."""
    model = wide_model(5, 3)
    text = engine_text(model)
    right, wrong = {
        "one weight": ("weights_0[] PROGMEM = {", "weights_0[] PROGMEM = {1+"),
        "two inputs exchanged": (
            "memcpy(a, x_q, 5);",
            "memcpy(a, x_q, 5); a[3] = x_q[4]; a[4] = x_q[3];",
        ),
        "a step moved": (
            "return sinehil_code_half_even(x *",
            "if (x >= 1.0249f && x < 1.0251f) return 17; return sinehil_code_half_even(x *",
        ),
        "the last output": ("memcpy(y_q, a, 3);", "memcpy(y_q, a, 3); if (y_q[2] == 77) y_q[2] = 78;"),
    }[fault]
    assert right in text
    result = verified(start(text.replace(right, wrong), 5, 3), model)
    assert result.verdict is Verdict.FAIL
    assert result.codes is not None
    if fault == "a step moved":
        assert not result.codes.error_lsb.any() and not result.floats.equal.all()
    if fault == "the last output":
        assert not result.codes.error_lsb[:, :2].any() and result.max_error_lsb == 1


@native
def test_another_shape_is_another_model(start: Callable[..., NativeLink]) -> None:
    model, other = wide_model(5, 3), wide_model(4, 3)
    with pytest.raises(IdentityError, match="another number of inputs: 5, expected 4"):
        verified(start(engine_text(model), 5, 3), other)


@native
def test_samples_come_one_at_a_time(start: Callable[..., NativeLink]) -> None:
    model = wide_model(5, 3)
    expected = Expected(unhashed(model), "litert", lambda _: CRC32)
    x = wide.float_samples(model.input, 5, 12, DEFAULT_SEED)
    seen: list[Sample] = []
    inputs = Inputs(Mode.SAMPLES, x, NO_MANIFEST, seed=DEFAULT_SEED)
    link = start(engine_text(model), 5, 3)
    result = verify(Device(link), expected, LitertOracle(model), inputs, seen.append)
    assert result.verdict is Verdict.PASS and (result.compared, result.proof) == (36, None)
    assert [sample.x.shape for sample in seen] == [(5,)] * 12
    assert all(sample.equal and len(sample.device_y) == 3 for sample in seen)


@pytest.mark.board
def test_on_an_uno(tmp_path: Path) -> None:
    model = wide_model(5, 3)
    image = compile_for_uno({KERNEL: engine_text(model), **shape(model)}, tmp_path)
    with VirtualUno.start(flash_image=image.flash) as uno, SerialTransport(uno.port) as port:
        result = verified(port, model)
        device = Device(port)
        device.connect()
        cycles = measure_cycles(device)
    assert result.verdict is Verdict.PASS and coverage_of(result).steps == 255
    assert result.link.retries == 0 and result.link.crc_errors == 0
    assert cycles is not None and cycles.samples == wide.BENCH_SAMPLES
    assert 5_000 < cycles.mean <= cycles.max < 60_000
    assert np.isclose(cycles.mean, cycles.max, rtol=0.5)
