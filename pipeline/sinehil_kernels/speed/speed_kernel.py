"""Generate the fastest kernel: plan, prove, assemble, try, count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import arithmetic_of
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.chip import MOST_FLASH
from sinehil_kernels.avr.neuron_points import try_points
from sinehil_kernels.avr.sources import assembly_kernel
from sinehil_kernels.avr.trial import trial_inputs, try_program
from sinehil_kernels.avr.wcet import worst_case
from sinehil_kernels.folding import computed_neurons
from sinehil_kernels.generated import GeneratedKernel
from sinehil_kernels.speed.cycle_estimates import FIND_REGION, Division, Region, RegionEstimates, bound_cycles
from sinehil_kernels.speed.folded_network import restricted
from sinehil_kernels.speed.stage_assembly import WAYS, UnrolledProgram, Way, unrolled
from sinehil_kernels.speed.stage_plan import MOST_CHECKS, RegionPlan, plan
from sinehil_kernels.value_ranges import LayerRanges, value_ranges

ENGINE = "speed"
MOST_BYTES = 3300  # regions are divided up to here
WHOLE = (0, 256)
LEAST_BYTES_A_PRODUCT = 4  # ADD and ADC
ABOUT = (
    "r0:1 products; r18:19 and r22 what is requantised; r23 factor; r24 u = x + 128 or 255 - u; r25 zero; others sums.",
    "Bytes are codes less the neuron's lowest: a neuron at rest is 0. Constants are proven by the whole domain named.",
)


def generate_speed(model: QuantizedModel, oracle: str) -> GeneratedKernel:
    """Return the kernel; ArtefactError if it cannot fit the flash of an ATmega328P, before much time is spent."""
    layers = value_ranges(model, oracle)
    _check_flash(model, _least_bytes(layers))
    found = _candidates(layers)
    _check_flash(model, min(len(each.program.image) for each in found))
    inputs = trial_inputs(model)
    codes = list(_codes(layers, inputs, oracle))
    tried = [
        (each, try_program(each.program, inputs, codes[-1], _bound(layers, codes, each.division)))
        for each in found
        if len(each.program.image) <= MOST_FLASH
    ]
    fastest, figures = min(tried, key=lambda pair: pair[1].mean_cycles)
    try_points(fastest.program, fastest.unrolled.neurons)
    if model.inputs > 1:
        most = worst_case(fastest.program)
        figures = replace(figures, wcet_cycles=most.cycles, stack_bytes=most.stack_bytes)
    return assembly_kernel(model, oracle, ENGINE, fastest.program, figures, ABOUT)


@dataclass(frozen=True)
class Candidate:
    """A program, and the regions that it is divided into."""

    unrolled: UnrolledProgram
    division: Division

    @property
    def program(self) -> Program:
        """The program alone."""
        return self.unrolled.program


def _candidates(layers: Sequence[LayerRanges]) -> Sequence[Candidate]:
    """Return the programs of which the fastest that fits will do, or the one with the best regions."""
    if layers[0].trace is not None and layers[0].input_table is None and len(layers) > 1:
        return (_best_division(layers),)
    found: list[Candidate] = []
    for checks in range(MOST_CHECKS, 0, -1):
        made = plan(layers, checks=checks)
        found += filter(None, (_undivided(made, way) for way in WAYS))
        if min(len(each.program.image) for each in found) <= MOST_FLASH:
            break
    return found


def _undivided(made: RegionPlan, way: Way) -> Candidate | None:
    made_of = unrolled([made], way)
    return None if made_of is None else Candidate(made_of, (WHOLE,))


def _best_division(layers: Sequence[LayerRanges]) -> Candidate:
    """Return the program with the regions that are fastest within MOST_BYTES, or else the smallest one."""
    made = ProgramMaker(layers)
    estimates = RegionEstimates.made(layers)
    tried: list[Candidate] = []
    best: Candidate | None = None
    for division in estimates.divisions(MOST_BYTES):
        made_of = made(division)
        tried += [made_of] if made_of else []
        if made_of and len(made_of.program.image) <= MOST_BYTES:
            best = made_of
            break
    found = best or min(tried, key=lambda found: len(found.program.image))
    while best is not None:
        found, best = best, _finer(made, estimates, best)
    return found


def _finer(made: "ProgramMaker", estimates: RegionEstimates, found: Candidate) -> Candidate | None:
    for division in estimates.refinements(found.division, MOST_BYTES - len(found.program.image)):
        finer = made(division)
        if finer is not None and len(finer.program.image) <= MOST_BYTES:
            return finer
    return None


@dataclass
class ProgramMaker:
    """Makes programs by division, planning each region once."""

    layers: Sequence[LayerRanges]
    known: dict[Region, RegionPlan] = field(default_factory=dict)

    def __call__(self, division: Division) -> Candidate | None:
        """Return the program; None if its regions are too far apart."""
        for region in division:
            if region not in self.known:
                self.known[region] = plan(self.layers, *region)
        made_of = unrolled([self.known[region] for region in division])
        return None if made_of is None else Candidate(made_of, division)


def _bound(layers: Sequence[LayerRanges], codes: Sequence[Int64s], division: Division) -> float:
    """Return the mean of the regions' bounds."""
    if len(division) == 1:
        return bound_cycles(layers, codes)
    total = 0.0
    for first, end in division:
        total += (end - first) * bound_cycles(
            restricted(layers, first, end), [found[first:end] for found in codes]
        )
    return FIND_REGION + total / len(codes[0])


def _codes(layers: Sequence[LayerRanges], codes: Int64s, oracle: str) -> Iterator[Int64s]:
    """Yield what each layer gives on the inputs."""
    if layers[0].input_table is not None:
        codes = layers[0].input_table[codes + 128]
    for layer in layers:
        if layer.trace is not None:
            codes = layer.trace.codes
        else:
            raw = arithmetic_of(oracle).run_layer(layer.layer, codes)
            codes = raw if layer.table is None else layer.table[raw + 128]
        yield codes


def _least_bytes(layers: Sequence[LayerRanges]) -> int:
    """Return what the products that cannot be left out take at least."""
    computed = computed_neurons(layers, keep_outputs=False)
    sources: Sequence[int] = range(layers[0].layer.weights.shape[1])
    products = 0
    for layer, neurons in zip(layers, computed, strict=True):
        products += int(np.count_nonzero(layer.layer.weights[np.ix_(list(neurons), list(sources))]))
        sources = neurons
    return LEAST_BYTES_A_PRODUCT * products


def _check_flash(model: QuantizedModel, bytes_: int) -> None:
    if bytes_ > MOST_FLASH:
        raise ArtefactError(
            f"{model.name} unrolled takes {bytes_} bytes of flash or more, of {MOST_FLASH} that there are",
            "choose --optimize size or portable",
        )
