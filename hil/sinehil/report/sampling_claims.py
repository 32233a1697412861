"""What is proven and what is sampled of a model with several inputs, where not every code can be tried."""

from sinehil.model.arithmetic import LITERT
from sinehil.report.coverage import ALL_STEPS, Sampled
from sinehil.report.number_text import count_text, oracle_label
from sinehil.verify.result import Proof, VerifyResult


def step_function(oracle: str) -> str:
    """Return what kind of function the oracle's quantiser is; see sinehil.model.arithmetic."""
    if oracle == LITERT.name:
        return "a monotone step function"
    return "a step function, monotone until x / scale overflows 31 bits and constant beyond"


def sampled_scope(result: VerifyResult, sampled: Sampled) -> str:
    """Return in one sentence how far a passed run reaches."""
    proof = "" if result.proof is None else "; arithmetic proven when generated"
    return (
        f"A sample: {sampled.codes:,} of 256^{result.identity.inputs} inputs, seed {result.seed}; "
        f"{sampled.steps} of {ALL_STEPS} float steps{proof}."
    )


def sampled_claims(result: VerifyResult, sampled: Sampled) -> list[str]:
    """Return what follows from a passed run and, apart from it, from the generator's proof."""
    oracle = oracle_label(result.oracle, result.oracle_version)
    claims = [_core_claim(result, sampled, oracle), _quantiser_claim(result, sampled, oracle)]
    return [*claims, *([] if result.proof is None else [_proof_claim(result.proof, oracle)])]


def unsampled_gap(result: VerifyResult, sampled: Sampled) -> str:
    """Return what remains open."""
    inputs = result.identity.inputs
    gap = (
        f"That the board is right for every input: of the 256^{inputs} combinations of codes, "
        f"{sampled.codes:,} were compared. "
    )
    if result.proof is None:
        return (
            gap
            + "Nothing is known here of a proof of the kernel, so a fault that these leave unseen is possible."
        )
    return gap + (
        "The proof is of the kernel's source. A fault of compiler, flash or chip that shows only for other inputs "
        "would not be seen."
    )


def _core_claim(result: VerifyResult, sampled: Sampled, oracle: str) -> str:
    count = result.identity.outputs
    outputs = "the output is" if count == 1 else f"all {count} outputs are"
    return (
        f"For {_samples(result, sampled)}, and for no others, {outputs} {oracle}'s, code for code. The samples: all "
        "inputs lowest, highest, zero and alternating, each input alone at both ends, every code at every input, "
        f"combinations of extremes, and random codes from seed {result.seed}. --samples sends more, --seed others."
    )


def _quantiser_claim(result: VerifyResult, sampled: Sampled, oracle: str) -> str:
    steps = f"{sampled.steps} of its {ALL_STEPS} steps"
    every = sampled.steps == ALL_STEPS
    follows = (
        f"the quantiser is {step_function(result.oracle)}, so every float32 gets the code it must have"
        if every
        else "the other steps show in no output that was found, and are not decided by this run"
    )
    specials = f" Also sent and equal: {', '.join(sampled.specials)}." if sampled.specials else ""
    return (
        f"{'Every float32 x: ' if every else 'Float32 x: '}at {steps} both float32 neighbours were sent at one input, "
        f"the others alike, where {oracle}'s outputs differ between the two. A step elsewhere would have shown; "
        f"{follows}. All inputs share this function, which multiplies, rounds and clamps; steps were seen at "
        f"{sampled.positions} of {result.identity.inputs} inputs.{specials}"
    )


def _proof_claim(proof: Proof, oracle: str) -> str:
    return (
        "By the generator's proof, before this run: products and sums are exact integers, and the requantisation of "
        f"each of {count_text(proof.neurons, 'neuron')} equals that of {oracle} for every accumulator between the "
        f"ends that its weights and inputs allow, {proof.accumulators:,} in all."
    )


def _samples(result: VerifyResult, sampled: Sampled) -> str:
    return f"{count_text(sampled.codes, 'sample')} of {result.identity.inputs} int8 codes"
