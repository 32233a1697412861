"""Random nets by the hundred: their kernels compiled together under sanitizers, held against the real interpreters.

    python tests/kernels/many_nets.py --nets 3000 [--first SEED] [--oracle litert ...] [--jobs 2]

prints each net that differs by its seed, which ``--first SEED --nets 1`` tries again, and ends with status 1 if any
does. Models with one input get all 256 codes and every step of the quantiser, others seeded samples and corners.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from random_nets import any_net

from sinehil.base.folders import resource
from sinehil.model.arithmetic import ORACLES
from sinehil.model.arrays import Codes, Float32s
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.avr.trial import trial_codes
from sinehil_kernels.check import sample_floats

HERE = Path(__file__).parent
SANITIZED = "-O1 -g0 -std=gnu11 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all"
BATCH = 25
SAMPLES = 300  # of a model with several inputs
FUNCTIONS = ("sinehil_infer", "sinehil_quantize_input", "sinehil_dequantize_output", "sinehil_weights_crc32")
NAMES = (
    "sinehil_model_identity",
    *FUNCTIONS,
    r"layer_\d\w*",
    "input_u",
    "float_bits",
    "read_float",
    "own_code",
    "add",
)
GLOBALS = rf"(?<!struct )\b({'|'.join(NAMES)})\b"


@dataclass(frozen=True)
class Trial:
    """A net's kernel, what it is run on, and what the interpreter makes of that."""

    seed: int
    kernel: GeneratedKernel
    codes: tuple[Codes, Codes]  # [n, inputs], [n, outputs]
    floats: tuple[Float32s, Float32s]

    @property
    def question(self) -> bytes:
        parts = ((len(self.codes[0]), self.codes[0]), (len(self.floats[0]), self.floats[0]))
        return b"".join(np.uint32(count).tobytes() + values.tobytes() for count, values in parts)

    @property
    def answer_bytes(self) -> int:
        return self.codes[1].nbytes + self.floats[1].nbytes + 4

    def difference(self, answer: bytes) -> str | None:
        """Return how an answer differs from the interpreter, or None."""
        end = self.codes[1].nbytes
        wrong_codes = np.frombuffer(answer, np.int8, end) != self.codes[1].ravel()
        bits = np.frombuffer(answer, np.uint32, self.floats[1].size, end)
        wrong_floats = bits != self.floats[1].ravel().view(np.uint32)
        if wrong_codes.any() or wrong_floats.any():
            return f"{wrong_codes.sum()} codes, {wrong_floats.sum()} floats"
        crc = int.from_bytes(answer[-4:], "little")
        return None if crc == self.kernel.weights_crc32 else "the checksum"


def trial(seed: int, oracle: str) -> Trial:
    """Return the trial of one random net."""
    return trial_of(any_net(seed).model(), oracle, seed)


def trial_of(model: QuantizedModel, oracle: str, seed: int) -> Trial:
    """Generate the kernel of a model and ask the interpreter."""
    interpreter = open_oracle(oracle, model)
    x_q, x = trial_codes(model, SAMPLES), sample_floats(model, oracle, SAMPLES)
    return Trial(
        seed,
        generate_kernel(model, oracle),
        (x_q, interpreter.predict_codes(x_q)),
        (x, np.ascontiguousarray(interpreter.predict(x), np.float32)),
    )


def differences(trials: Sequence[Trial]) -> dict[int, str]:
    """Run the kernels in one process; return, by seed, what differs or what a sanitizer said."""
    if not trials:
        return {}
    with tempfile.TemporaryDirectory(prefix="sinehil-many-") as folder:
        program = compile_together([one.kernel for one in trials], Path(folder))
        done = subprocess.run(
            [program], input=b"".join(one.question for one in trials), capture_output=True, check=False
        )
    found, at = {}, 0
    for number, one in enumerate(trials):
        answer = done.stdout[at : at + one.answer_bytes]
        at += one.answer_bytes
        if len(answer) < one.answer_bytes:
            found[one.seed] = f"stopped: {_reason(done.stderr)}"
            return found | differences(trials[number + 1 :])
        if (difference := one.difference(answer)) is not None:
            found[one.seed] = difference
    return found


def compile_together(kernels: Sequence[GeneratedKernel], folder: Path) -> Path:
    """Return a program of many kernels, whose global names each got a number."""
    entries = []
    for number, kernel in enumerate(kernels):
        (folder / f"kernel_{number}.c").write_text(re.sub(GLOBALS, rf"k{number}_\1", kernel.source))
        names = ", ".join(f"k{number}_{name}" for name in FUNCTIONS)
        entries.append(f"    {{&k{number}_sinehil_model_identity, {names}}},\n")
    includes = "".join(f'#include "kernel_{number}.c"\n' for number in range(len(kernels)))
    table = f"static const struct kernel kernels[] = {{\n{''.join(entries)}}};\n"
    (folder / "kernels.h").write_text(includes + table)
    sketch, program = resource("arduino_sketch"), folder / "program"
    sources = [HERE / "many_main.c", sketch / "crc32.c", sketch / "float_io.c"]
    command = ["cc", *SANITIZED.split(), "-I", sketch, "-I", folder, *sources, "-o", program, "-lm"]
    subprocess.run([str(word) for word in command], check=True)
    return program


def try_batch(seeds: Sequence[int], oracle: str) -> dict[int, str]:
    """Return what differs in a batch of nets; a net that cannot be tried differs too."""
    trials, found = [], {}
    for seed in seeds:
        try:
            trials.append(trial(seed, oracle))
        except Exception as error:  # whatever it is, the seed matters
            found[seed] = f"{type(error).__name__}: {error}"
    return found | differences(trials)


def batches(seeds: Sequence[int]) -> Iterator[list[int]]:
    left = iter(seeds)
    while batch := list(islice(left, BATCH)):
        yield batch


def _reason(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").splitlines()
    return next((line for line in lines if "runtime error" in line or "ERROR" in line), "no reason given")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--oracle", action="append", choices=ORACLES, help="may be repeated; all without it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    wanted = parser.parse_args()
    seeds, wrong, start = range(wanted.first, wanted.first + wanted.nets), 0, time.monotonic()
    with ProcessPoolExecutor(wanted.jobs) as pool:
        for oracle in wanted.oracle or ORACLES:
            for found in pool.map(partial(try_batch, oracle=oracle), batches(seeds)):
                wrong += len(found)
                for seed, what in found.items():
                    say(f"{oracle}, seed {seed}: {what}")
            say(f"{oracle}: {len(seeds)} nets from seed {wanted.first}, {time.monotonic() - start:.0f} s")
    say(f"{wrong} differ")
    return 1 if wrong else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
