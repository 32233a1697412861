"""`python fuzz_oracles.py SEED COUNT`: damaged files that the reader still takes, through all interpreters.

Prints a JSON object: how many were taken, and how many of these an interpreter refused or computed otherwise than the
NumPy rules say. A program of its own, because an interpreter may crash.
"""

import json
import sys

import numpy as np
from nets import random_net, wider_variety

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import ORACLES, arithmetic_of
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import QuantizedModel, parse_quantized_model


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for position in random.integers(len(data), size=int(random.integers(1, 4))):
        flip = 1 << int(random.integers(8))
        changed[position] = int(random.integers(256)) if random.random() < 0.5 else changed[position] ^ flip
    return bytes(changed)


def outcome(model: QuantizedModel, oracle: str, random: np.random.Generator) -> str:
    x_q = random.integers(-128, 128, (50, model.inputs)).astype(np.int8)
    try:
        found = open_oracle(oracle, model).predict_codes(x_q)
    except ArtefactError:
        return "refused"
    expected = arithmetic_of(oracle).infer_codes(model, x_q).reshape(found.shape)
    return "equal" if np.array_equal(found, expected) else "different"


def run(seed: int, count: int) -> dict[str, int]:
    random, found = np.random.default_rng(seed), {"taken": 0, "refused": 0, "equal": 0, "different": 0}
    nets = [net for net in wider_variety().values() if net.inputs < 10] + [random_net(1)]
    files = [net.file() for net in nets]
    for _ in range(count):
        try:
            model = parse_quantized_model(damaged(files[int(random.integers(len(files)))], random), "damaged")
        except ArtefactError:
            continue
        found["taken"] += 1
        for oracle in ORACLES:
            found[outcome(model, oracle, random)] += 1
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
