"""Make what all cases of an audit share: boards with known answers, their oracle, and what is compared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from sinehil.board.device import Device
from sinehil.jobs.firmware import expectation
from sinehil.model.arrays import Codes, Float32s
from sinehil.model.interpreters import CachedOracle, Oracle, open_oracle
from sinehil.model.targets import NO_MANIFEST
from sinehil.model.tflite import QuantizedModel
from sinehil.verify import Mode, probes
from sinehil.verify.comparison import Expected, Inputs, no_proof, verify
from sinehil_audit.link.fault_schedule import CLEAN, SeededRandom
from sinehil_audit.link.known_answers import KnownFirmware, known, with_other_model, with_wrong_code
from sinehil_audit.link.simulated_line import SimulatedLine
from sinehil_kernels import proven_kernel

WRONG_CODES = ((-128, 1), (3, 4), (127, 0x80))  # input code and which bits of its output are wrong
OTHER_SHA256 = "5a" * 32


@dataclass(frozen=True)
class LinkPlan:
    """What one kind of verification compares, and how many requests that takes on a clean line."""

    name: str
    inputs: Inputs
    streamed: bool = False
    pieces: int = 0


@dataclass(frozen=True)
class LinkBench:
    """A model, boards with and without faults of their own, and what is expected of them."""

    expected: Expected
    oracle: Oracle
    firmwares: tuple[KnownFirmware, ...]
    plans: tuple[LinkPlan, ...]
    earlier: tuple[tuple[bytes, ...], tuple[bytes, ...]] = ((), ())

    @cached_property
    def known_answers(self) -> dict[tuple[str, str], tuple[Codes | None, Float32s]]:
        """Each firmware's true answers to each plan."""
        return {
            (firmware.name, plan.name): (
                None if plan.inputs.codes is None else firmware.code_of(plan.inputs.codes),
                firmware.y_of(plan.inputs.x),
            )
            for firmware in self.firmwares
            for plan in self.plans
        }


def make_bench(expected: Expected, oracle: Oracle, kernel: Mapping[str, str]) -> LinkBench:
    """Compile the boards: the right one, some with one wrong code behind the right identity, one with another model."""
    model = expected.model
    wrong = [
        known(f"wrong for code {code}", model.sha256, with_wrong_code(kernel, code, error))
        for code, error in WRONG_CODES
    ]
    other = known("another model", OTHER_SHA256, with_other_model(kernel, model.sha256, OTHER_SHA256))
    firmwares = (known("right", model.sha256, kernel), *wrong, other)
    bench = LinkBench(
        replace(expected, proof_of=no_proof), CachedOracle(oracle), firmwares, _plans(model, expected.oracle)
    )
    clean = [_clean_run(bench, plan) for plan in bench.plans]
    plans = tuple(replace(plan, pieces=line.requests) for plan, line in zip(bench.plans, clean, strict=True))
    earlier = tuple(clean[0].sent), tuple(asked.reply for asked in clean[0].endpoint.request_log)
    return replace(bench, plans=plans, earlier=earlier)


def _plans(model: QuantizedModel, oracle: str) -> tuple[LinkPlan, ...]:
    """Everything that decides the model; every code and a few x; a few x, one at a time."""
    floats, codes = probes.exhaustive_floats(model.input, oracle=oracle), probes.all_codes()
    return (
        LinkPlan("exhaustive", Inputs(Mode.EXHAUSTIVE, floats, NO_MANIFEST, codes)),
        LinkPlan("codes", Inputs(Mode.EXHAUSTIVE, floats[::27], NO_MANIFEST, codes)),
        LinkPlan("streamed", Inputs(Mode.SAMPLES, floats[::11], NO_MANIFEST), streamed=True),
    )


def _clean_run(bench: LinkBench, plan: LinkPlan) -> "RecordedLine":
    """Return the line after a whole verification without a fault, the same in every process."""
    line, rng = RecordedLine(bench.firmwares, CLEAN), SeededRandom(0)
    on_sample = (lambda _sample: None) if plan.streamed else None
    device = Device(line, lambda options: options[rng.below(len(options))])
    verify(device, bench.expected, bench.oracle, plan.inputs, on_sample)
    return line


class RecordedLine(SimulatedLine):
    """A line that keeps what the host sends."""

    def write(self, data: bytes) -> None:
        """See Transport."""
        self.sent.append(data)
        super().write(data)

    @cached_property
    def sent(self) -> list[bytes]:
        """The pieces so far."""
        return []


def make_link_bench(model: QuantizedModel, oracle: str) -> LinkBench:
    """Return the boards for a model, with the kernel for every board."""
    kernel = proven_kernel(model, oracle)
    return make_bench(expectation(model, oracle, kernel), open_oracle(oracle, model), kernel.sources)
