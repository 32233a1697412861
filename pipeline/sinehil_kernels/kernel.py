"""Generate the kernel of a kind for a model; prove it, or find it proven in the cache."""

import logging
from dataclasses import fields

from sinehil.errors import ArtefactError, UsageError
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.result import Proof
from sinehil_kernels.cache import KernelKey, keep_kernel, keep_refusal, load_kernel, load_refusal
from sinehil_kernels.generated import GeneratedKernel, Kernel, ProvenKernel
from sinehil_kernels.value_ranges import value_ranges

KINDS = ("portable", "size", "speed", "table")
log = logging.getLogger(__name__)


def generate_kernel(
    model: QuantizedModel, oracle: str = "litert", optimize: str = "portable"
) -> GeneratedKernel:
    """Return the kernel for a model, proven equal to ``oracle``; the same model gives the same bytes.

    Raises UsageError for an unknown oracle or optimisation, ArtefactError for a model that it cannot have.
    """
    match optimize:  # imported here: a kernel found in the cache needs no generator
        case "portable":
            from sinehil_kernels.portable.portable_kernel import generate_portable as generate
        case "size":
            from sinehil_kernels.size.size_kernel import generate_size as generate
        case "speed":
            from sinehil_kernels.speed.speed_kernel import generate_speed as generate
        case "table":
            from sinehil_kernels.table.table_kernel import generate_table as generate
        case _:
            raise UsageError(f"there is no kernel {optimize!r}", f"choose one of: {', '.join(KINDS)}")
    return generate(model, oracle)


def proven_kernel(model: QuantizedModel, oracle: str = "litert", optimize: str = "portable") -> ProvenKernel:
    """Return the kernel, held against the interpreter on this machine: once, for it is kept in the cache.

    Raises what ``generate_kernel`` and ``check_kernel`` raise; a model that cannot have one is refused from the cache
    too, in the same words.
    """
    key = KernelKey(model.sha256, oracle, optimize)
    kept = load_kernel(key)
    if kept is not None:
        return kept
    refusal = load_refusal(key, model.name)
    if refusal is not None:
        raise refusal
    from sinehil_kernels.check import check_kernel

    kernel = _generated(model, key)
    check_kernel(kernel, model)
    shared = {field.name: getattr(kernel, field.name) for field in fields(Kernel)}
    proven = ProvenKernel(**shared, proof=proof_of(model, oracle))
    keep_kernel(key, proven)
    log.info("kernel %s for %s generated and proven", optimize, oracle)
    return proven


def _generated(model: QuantizedModel, key: KernelKey) -> GeneratedKernel:
    """Return the fresh kernel; keep the sentences of a refusal."""
    try:
        return generate_kernel(model, key.oracle, key.kind)
    except ArtefactError as error:
        keep_refusal(key, model.name, error)
        raise


def proof_of(model: QuantizedModel, oracle: str) -> Proof:
    """Return over what a generator proves a kernel: it emits no neuron that is not right on all of it."""
    neurons = [neuron for layer in value_ranges(model, oracle) for neuron in layer.neurons]
    return Proof(len(neurons), sum(neuron.count for neuron in neurons))
