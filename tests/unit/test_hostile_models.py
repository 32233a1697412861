"""Models below 1 MB in which many entries share one large part: refused at once, and in little memory."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models import model_object, pack
from nets import random_net
from spoiling import CODE, named

from sinehil.errors import ExitCode
from sinehil.model.tflite.limits import MAX_FILE_BYTES

SHARED_BYTES = 900_000
MANY = 200_000
MAX_SECONDS = 5.0  # of the processor; the slowest takes 0.2
MORE_BYTES = 64 << 20  # than a process that has only imported everything
READ = """
import json, os, resource, sys, time
from pathlib import Path
from ai_edge_litert import schema_py_generated
from sinehil.errors import SinehilError
from sinehil.model.tflite import load_quantized_model
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + int(sys.argv[2]),) * 2)
began = time.process_time()
try:
    load_quantized_model(Path(sys.argv[1]))
    words, code = "read", 0
except SinehilError as error:
    words, code = error.message, int(error.exit_code)
print(json.dumps([words, code, time.process_time() - began]))
"""


def _vector(builder: Any, start: Callable[[Any, int], int], entry: int, count: int) -> int:
    start(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(entry)
    return int(builder.EndVector())


def _finished(builder: Any, add: Callable[[Any, int], None], vector: int) -> bytes:
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    add(builder, vector)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _names(graphs: int) -> bytes:
    """Subgraphs, each of 256 tensors, all of one name."""
    builder = flatbuffers.Builder(1 << 20)
    name = builder.CreateString("n" * SHARED_BYTES)
    schema.TensorStart(builder)
    schema.TensorAddName(builder, name)
    tensors = _vector(builder, schema.SubGraphStartTensorsVector, schema.TensorEnd(builder), 256)
    schema.SubGraphStartInputsVector(builder, 1)
    builder.PrependInt32(0)
    end = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    schema.SubGraphAddInputs(builder, end)
    schema.SubGraphAddOutputs(builder, end)
    subgraphs = _vector(builder, schema.ModelStartSubgraphsVector, schema.SubGraphEnd(builder), graphs)
    return _finished(builder, schema.ModelAddSubgraphs, subgraphs)


def _signatures() -> bytes:
    """Four signatures with very many entries, all of one name."""
    builder = flatbuffers.Builder(1 << 20)
    name = builder.CreateString("n" * 4000)
    schema.TensorMapStart(builder)
    schema.TensorMapAddName(builder, name)
    entry = schema.TensorMapEnd(builder)
    entries = _vector(builder, schema.SignatureDefStartInputsVector, entry, MANY)
    schema.SignatureDefStart(builder)
    schema.SignatureDefAddInputs(builder, entries)
    vector = _vector(builder, schema.ModelStartSignatureDefsVector, schema.SignatureDefEnd(builder), 4)
    return _finished(builder, schema.ModelAddSignatureDefs, vector)


def _external_buffers() -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    packing = builder.CreateString("n" * 4000)
    schema.ExternalBufferStart(builder)
    schema.ExternalBufferAddPacking(builder, packing)
    entry = schema.ExternalBufferEnd(builder)
    vector = _vector(builder, schema.ModelStartExternalBuffersVector, entry, MANY)
    return _finished(builder, schema.ModelAddExternalBuffers, vector)


def _rank() -> bytes:
    """A tensor of very many dimensions, whose product has six million bits."""
    root = model_object(random_net(1))
    named(root, b"dense_0").shape = np.full(MANY, 2**31 - 1, np.int32)
    return pack(root)


def _new_shape() -> bytes:
    """A RESHAPE that is told a shape of very many sizes."""
    root = model_object(random_net(1))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = CODE["RESHAPE"]
    root.operatorCodes.append(code)
    step = root.subgraphs[0].operators[0]
    step.opcodeIndex, step.builtinOptionsType = (
        len(root.operatorCodes) - 1,
        schema.BuiltinOptions.ReshapeOptions,
    )
    step.builtinOptions = schema.ReshapeOptionsT()
    step.builtinOptions.newShape = np.full(MANY, 2**31 - 1, np.int32)
    for name in (b"x", b"x_q"):
        named(root, name).type, named(root, name).quantization = schema.TensorType.FLOAT32, None
    return pack(root)


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "names in 16 subgraphs": (lambda: _names(16), "not exactly one subgraph"),
    "names in one subgraph": (lambda: _names(1), "0 FULLY_CONNECTED layers"),
    "signatures": (_signatures, f"in a signature it has {MANY} inputs"),
    "external buffers": (_external_buffers, f"it has {MANY} externalbuffers"),
    "dimensions": (_rank, "dense_0 has shape"),
    "new shape": (_new_shape, f"has {MANY} sizes"),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BOMBS, ids=[name.replace(" ", "-") for name in BOMBS])
def test_a_small_file_that_unpacks_into_much_is_refused(tmp_path: Path, name: str) -> None:
    make, words = BOMBS[name]
    model = tmp_path / "bomb.tflite"
    model.write_bytes(make())
    assert model.stat().st_size < MAX_FILE_BYTES
    done = subprocess.run(
        [sys.executable, "-c", READ, model, str(MORE_BYTES)], capture_output=True, text=True, check=True
    )
    message, code, seconds = json.loads(done.stdout)
    assert words in message and "\n" not in message and len(message) < 500 + len(str(model))
    assert code == ExitCode.ARTEFACT
    assert seconds < MAX_SECONDS


def test_a_model_of_ordinary_size_is_read_within_that_memory(tmp_path: Path) -> None:
    """The control: it is not the limit that refuses."""
    model = tmp_path / "good.tflite"
    model.write_bytes(pack(model_object(random_net(1))))
    done = subprocess.run(
        [sys.executable, "-c", READ, model, str(MORE_BYTES)], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)[:2] == ["read", 0]
