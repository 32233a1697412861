"""Check a generated kernel, run on this machine, against the real interpreter."""

from collections.abc import Callable

import numpy as np

from sinehil.errors import ToolError
from sinehil.model.arithmetic import arithmetic_of
from sinehil.model.arrays import AnyArray, Codes, Float32s
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.probes import exhaustive_floats
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.trial import SEED, call_once, trial_codes
from sinehil_kernels.generated import GeneratedKernel
from sinehil_kernels.native_kernel import HostKernel

SAMPLES = 2000  # of a model with several inputs
SIMULATED_CYCLES, CYCLES_PER_WEIGHT, FEWEST_SAMPLES = (
    3_000_000,
    13,
    48,
)  # some seconds of the machine in Python


def check_kernel(kernel: GeneratedKernel, model: QuantizedModel) -> None:
    """Run the kernel on this machine; ToolError if it differs from its oracle's interpreter anywhere.

    With one input: every code and every step of the quantiser. With several: seeded samples and corners, the steps
    of the quantiser among them. The C is compiled here; a core in assembly runs in ``Machine``.
    """
    oracle = open_oracle(kernel.oracle, model)
    host = HostKernel(kernel, model.outputs)
    core = host.infer if kernel.program is None else _machine(kernel.program, model.outputs)
    count = SAMPLES if kernel.program is None else _affordable(model)
    x_q, x = trial_codes(model, count), sample_floats(model, kernel.oracle, count)
    quantized = host.quantize(x)
    y_q, y_q_of_x = _infer(core, x_q, quantized)
    y = host.dequantize(y_q_of_x)
    _require_equal(y_q, oracle.predict_codes(x_q), "codes")
    expected_codes = arithmetic_of(kernel.oracle).quantize_input(x, model.input)
    _require_equal(quantized, expected_codes, "quantised float inputs")
    _require_equal(y.view(np.uint32), oracle.predict(x).view(np.uint32), "float inputs")
    _require(host.weights_crc32() == kernel.weights_crc32, "its checksum")


def sample_floats(model: QuantizedModel, oracle: str, count: int) -> Float32s:
    """Return float inputs [n, inputs]: every probe of one input; else the probes, in seeded random company."""
    probes = exhaustive_floats(model.input, oracle=oracle)
    if model.inputs == 1:
        return probes.reshape(-1, 1)
    random = np.random.default_rng(SEED)
    rows = random.choice(probes, (count, model.inputs))
    rows.flat[: min(len(probes), rows.size)] = random.permutation(probes)[: rows.size]
    return rows


def _infer(core: Callable[[Codes], Codes], *batches: Codes) -> list[Codes]:
    """Return the output codes of each batch; what is in several of them runs once."""
    rows, at = np.unique(np.concatenate(batches), axis=0, return_inverse=True)
    every = core(rows)[at.ravel()]
    return np.split(every, np.cumsum([len(batch) for batch in batches])[:-1])


def _machine(program: Program, outputs: int) -> Callable[[Codes], Codes]:
    return lambda x_q: np.array([call.y_q for call in call_once(program, x_q.tolist(), outputs)], np.int8)


def _affordable(model: QuantizedModel) -> int:
    """Return how many samples the machine in Python runs in a few seconds."""
    weights = sum(layer.weights.size for layer in model.dense_layers)
    return int(np.clip(SIMULATED_CYCLES // (2 * CYCLES_PER_WEIGHT * weights), FEWEST_SAMPLES, SAMPLES))


def _require_equal(found: AnyArray, expected: AnyArray, what: str) -> None:
    different = np.any(found != expected, axis=1)
    _require(not different.any(), f"{np.count_nonzero(different)} of {len(different)} {what}")


def _require(equal: bool, what: str) -> None:
    if not equal:
        raise ToolError(
            f"the generated kernel differs from the interpreter in {what}",
            "this is a bug of sinehil: please report it",
        )
