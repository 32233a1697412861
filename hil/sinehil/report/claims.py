"""Sentences that say what a result proves and what it does not, for exactly this run."""

from sinehil.report.coverage import ALL_CODES, ALL_STEPS, Coverage
from sinehil.report.number_text import count_text, number_text, oracle_label
from sinehil.report.sampling_claims import sampled_claims, sampled_scope, step_function, unsampled_gap
from sinehil.verify import Mode, Verdict
from sinehil.verify.result import VerifyResult

TABLE = "table"
TABLE_CLAIM = (
    "That the board runs a neural network: its engine is a table of the model's 256 answers, which is the model's "
    "function and no longer the model."
)


def headline(result: VerifyResult) -> str:
    """Return the one sentence below the verdict."""
    oracle = oracle_label(result.oracle, result.oracle_version)
    if result.compared == 0:
        return "Nothing was compared, so nothing is proven."
    if result.verdict is Verdict.PASS:
        return f"{result.compared:,} of {result.compared:,} outputs equal to {oracle} bit for bit."
    verb = "differs" if result.mismatches == 1 else "differ"
    return (
        f"{result.mismatches:,} of {count_text(result.compared, 'output')} {verb} from {oracle}, "
        f"by up to {result.max_error_lsb} LSB."
    )


def scope(result: VerifyResult, coverage: Coverage) -> str:
    """Return in one sentence how far this run reaches."""
    if result.compared == 0:
        return "A verdict needs at least one output to compare."
    if result.verdict is Verdict.FAIL:
        return (
            "The board does not compute what the interpreter computes. This run proves nothing else about it."
        )
    if coverage.complete:
        return f"Complete: this decides {_outputs(result)} for all {ALL_CODES} int8 codes and for every float32 x."
    if coverage.sampled is not None and result.mode is Mode.EXHAUSTIVE:
        return sampled_scope(result, coverage.sampled)
    if result.mode is Mode.EXHAUSTIVE:
        return "Not complete: these inputs leave codes or quantiser steps undecided, see below."
    return "A sample: equality is proven for the inputs that were sent, and for no others."


def proven(result: VerifyResult, coverage: Coverage) -> list[str]:
    """Return what follows from this run; nothing follows from a failed one but that it failed."""
    oracle = oracle_label(result.oracle, result.oracle_version)
    if result.compared == 0:
        return ["Nothing: no output was compared."]
    if result.verdict is Verdict.FAIL:
        return [f"The board's outputs are not those of {oracle} for this model: the listed inputs show it."]
    return [*_proven_of_outputs(result, coverage, oracle), _identity_claim(result)]


def not_proven(result: VerifyResult, coverage: Coverage) -> list[str]:
    """Return what must not be read into this run."""
    if result.verdict is Verdict.FAIL:
        return [
            "Anything about inputs that were not sent, not even between those whose outputs were equal.",
            "Where the fault lies: in the kernel, the compiler, the flash or the chip. Codes that differ point "
            "to the kernel; floats that differ where all codes are equal point to quantising x or dequantising y.",
        ]
    table = [TABLE_CLAIM] if result.identity.engine == TABLE else []
    return [
        *table,
        "NaN with other bits than those sent." if coverage.complete else _gap_claim(result, coverage),
        f"That the model is a good one: {_quality(result)}. "
        "The board is held against the interpreter, and what the model should be is no part of the verdict.",
        f"That {oracle_label(result.oracle, result.oracle_version)} is right, or that other interpreters give "
        "the same codes: their roundings differ.",
        "Timing. Cycles and seconds are measured and shown, but nothing is demanded of them.",
        "Other boards, other firmware builds, or this board after its flash has changed.",
        "Supply voltage, temperature, or anything analog, such as the LED's brightness.",
    ]


def distance_clause(result: VerifyResult) -> str:
    """Return how far the board is from the target, to be put behind what else is said; empty where nobody can tell."""
    if result.aim.target is None or result.distance is None:
        return ""
    worst = number_text(result.distance.max_abs_error, 3)
    return f"; the largest distance from {result.aim.target.label} is {worst}"


def _quality(result: VerifyResult) -> str:
    target, distance = result.aim.target, result.distance
    if target is None:
        return f"{result.aim.unknown}, so no distance can be told"
    if distance is None:
        return f"no compared x lies where it was to be {target.label}"
    worst = number_text(distance.max_abs_error, 3)
    return f"its largest distance from {target.label} at the compared x is {worst}"


def _proven_of_outputs(result: VerifyResult, coverage: Coverage, oracle: str) -> list[str]:
    if coverage.sampled is not None and result.mode is Mode.EXHAUSTIVE:
        return sampled_claims(result, coverage.sampled)
    floats = count_text(len(result.floats.x), "float32 input")
    if coverage.complete:
        specials = f" Also sent and equal: {', '.join(coverage.specials)}." if coverage.specials else ""
        return [
            f"Every int8 code: all {coverage.codes} were sent, and each answer is {_answer(result)} {oracle} gives.",
            f"Every float32 x: the quantiser is {step_function(result.oracle)}, and both float32 neighbours of "
            f"{coverage.steps} of its {ALL_STEPS} steps were sent. With equal outputs on both sides of each "
            "step and for all codes, no x in between can give another y. This rests on the kernel being a pure "
            "function that multiplies, rounds and clamps x, which is how it is generated.",
            f"{floats} in all, y compared as 32 bits.{specials}",
        ]
    codes = f" and {count_text(len(result.codes.x_q), 'int8 code')}" if result.codes is not None else ""
    return [
        f"{floats}{codes} of mode {result.mode.value}: for these, the board's output is {oracle}'s, bit for bit."
    ]


def _identity_claim(result: VerifyResult) -> str:
    identity = result.identity
    return (
        f"The firmware says it was made for the model with sha256 {identity.model_sha256}, and the checksum that "
        f"the board computed over the weights in its flash was the expected {identity.weights_crc32:08x}, "
        "before and after the comparison."
    )


def _outputs(result: VerifyResult) -> str:
    outputs = result.identity.outputs
    return "the output" if outputs == 1 else f"all {outputs} outputs"


def _answer(result: VerifyResult) -> str:
    outputs = result.identity.outputs
    return "the code" if outputs == 1 else f"the {outputs} codes"


def _gap_claim(result: VerifyResult, coverage: Coverage) -> str:
    if coverage.sampled is not None and result.mode is Mode.EXHAUSTIVE:
        return unsampled_gap(result, coverage.sampled)
    if coverage.sampled is not None:
        return "Any input that was not sent. Mode exhaustive compares many more, corners among them."
    if result.mode is Mode.EXHAUSTIVE:
        return (
            f"Inputs between those sent: {coverage.codes} of {ALL_CODES} codes and both neighbours of "
            f"{coverage.steps} of {ALL_STEPS} quantiser steps were compared."
        )
    return "Any input that was not sent. A wrong weight can leave all of these equal; mode exhaustive would show it."
