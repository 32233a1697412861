"""Generate the kernel of a kind for a model; prove it, or find it proven in the cache."""

from collections.abc import Callable, Mapping
from dataclasses import fields

from sinehil.errors import UsageError
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.result import Proof
from sinehil_kernels.cache import KernelKey, keep_kernel, load_kernel
from sinehil_kernels.check import check_kernel
from sinehil_kernels.generated import GeneratedKernel, Kernel, ProvenKernel
from sinehil_kernels.portable.portable_kernel import generate_portable
from sinehil_kernels.size.size_kernel import generate_size
from sinehil_kernels.speed.speed_kernel import generate_speed
from sinehil_kernels.table.table_kernel import generate_table
from sinehil_kernels.value_ranges import reach

Generator = Callable[[QuantizedModel, str], GeneratedKernel]
GENERATORS: Mapping[str, Generator] = {
    "portable": generate_portable,
    "size": generate_size,
    "speed": generate_speed,
    "table": generate_table,
}


def generate_kernel(
    model: QuantizedModel, oracle: str = "litert", optimize: str = "portable"
) -> GeneratedKernel:
    """Return the kernel for a model, proven equal to ``oracle``; the same model gives the same bytes.

    Raises UsageError for an unknown oracle or optimisation, ArtefactError for a model that it cannot have.
    """
    if optimize not in GENERATORS:
        raise UsageError(f"there is no kernel {optimize!r}", f"choose one of: {', '.join(GENERATORS)}")
    return GENERATORS[optimize](model, oracle)


def proven_kernel(model: QuantizedModel, oracle: str = "litert", optimize: str = "portable") -> ProvenKernel:
    """Return the kernel, held against the interpreter on this machine: once, for it is kept in the cache.

    Raises what ``generate_kernel`` and ``check_kernel`` raise.
    """
    key = KernelKey(model.sha256, oracle, optimize)
    kept = load_kernel(key)
    if kept is not None:
        return kept
    kernel = generate_kernel(model, oracle, optimize)
    check_kernel(kernel, model)
    shared = {field.name: getattr(kernel, field.name) for field in fields(Kernel)}
    proven = ProvenKernel(**shared, proof=proof_of(model, oracle))
    keep_kernel(key, proven)
    return proven


def proof_of(model: QuantizedModel, oracle: str) -> Proof:
    """Return over what a generator proves a kernel: it emits no neuron that is not right on all of it."""
    neurons = [neuron for layer in reach(model, oracle) for neuron in layer.neurons]
    return Proof(len(neurons), sum(neuron.count for neuron in neurons))
