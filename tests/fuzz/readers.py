"""What reads foreign bytes, one function each: returns for any input, or the reader is broken.

Whatever the bytes are, a reader gives a valid object or an ArtefactError of one readable line with a next step. Used by
python_target.py, which lets atheris look for bytes that break it, and by the tests, which replay what it found.
"""

import atexit
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import reference
from nets import deep_net, random_net

from sinehil.base.manifest import MANIFEST, Manifest, checked_file, read_manifest_file
from sinehil.board.protocol import (
    BenchReply,
    ErrorReply,
    Frame,
    FrameDecoder,
    IdentifyReply,
    ProtocolError,
    SentRequests,
    StatsReply,
)
from sinehil.errors import ArtefactError, SinehilError
from sinehil.model.targets import aim_of
from sinehil.model.tflite import parse_quantized_model
from sinehil.model.tflite.limits import MAX_LAYERS, MAX_TABLES, MAX_WIDTH
from sinehil.verify.probes import test_set as x_of_test_set
from sinehil_pipeline.data.csv_samples import parse_csv
from sinehil_pipeline.recipes import load_recipe, recipe_text, repeated_recipe

MAX_MESSAGE = 1000
FOLDER = Path(tempfile.mkdtemp(prefix="sinehil-fuzz-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
TFLITE_SEEDS = (
    random_net(1, width=4).file(),
    deep_net(2, (3, 4, 2), tables={1: "TANH"}).file(),
    random_net(3, width=3, float_ends=False, with_bias=False).file(),
)


def refused_well(error: SinehilError) -> None:
    assert isinstance(error, ArtefactError), error
    assert error.next_step and error.message and len(error.message) < MAX_MESSAGE, error.message[:200]


# -- frames --------------------------------------------------------------------------------------------------


def steps_of(script: bytes) -> list[bytes | reference.Parts]:
    """What is on the line and, as tuples, what the host sends meanwhile; each step begins with a byte that says which:

    0 to 111    so many bytes as they are
    112 to 127  a request of the host: type, seq, session, length, payload
    128 to 191  a right frame on the line, the same way; from 160 on bound to the last request of its number
    192 to 255  the same, one bit of it flipped, which the first byte says; from 224 on bound
    """
    steps, asked, at = list[bytes | reference.Parts](), list[reference.Parts](), 0
    while at < len(script):
        kind, at = script[at], at + 1
        if kind < 112:
            steps.append(script[at : at + kind])
            at += kind
            continue
        head = script[at : at + 4].ljust(4, b"\0")
        payload = script[at + 4 : at + 4 + head[3]].ljust(head[3] + max(0, head[3] - 250) * 3, b"\0")
        parts = (head[0], head[1], head[2] * 0x01020301 & 0xFFFFFFFF, payload)
        at += 4 + head[3]
        if kind < 128:
            asked.append(parts)
            steps.append(parts)
            continue
        before = reference.request_of(asked, head[0], head[1]) if kind & 32 else b""
        frame = bytearray(reference.sealed(*parts, before))
        if kind >= 192:
            frame[(kind * 7 + head[1]) % len(frame)] ^= 1 << (kind & 7)
        steps.append(bytes(frame))
    return steps


def check_frames(script: bytes) -> None:
    steps, size, sent = steps_of(script), 1 + len(script) % 97, SentRequests()
    decoder, frames = FrameDecoder(sent.crc_before), list[Frame]()
    for step in steps:
        if isinstance(step, tuple):
            sent.add(Frame(*step))
            continue
        for at in range(0, len(step), size):
            frames += decoder.feed(step[at : at + size])
    wanted = reference.heard(steps)
    assert [(frame.type, frame.seq, frame.session, frame.payload) for frame in frames] == wanted.frames
    assert (decoder.crc_errors, decoder.framing_errors) == (wanted.crc_errors, wanted.framing_errors)
    assert len(decoder.discarded) <= 256
    for payload in (script, *(frame.payload for frame in frames)):
        check_payload(payload)


def check_payload(payload: bytes) -> None:
    for kind in (IdentifyReply, BenchReply, StatsReply, ErrorReply):
        try:
            reply = kind.unpack(payload)
        except ProtocolError:
            continue
        if isinstance(reply, IdentifyReply):
            names = (reply.firmware, reply.board, reply.engine, reply.oracle)
            assert all(name.isascii() and name.isprintable() for name in names)
            assert 1 <= reply.inputs <= 64 and 1 <= reply.outputs <= 64
            assert math.isfinite(reply.input_scale) and reply.output_scale > 0


# -- files ---------------------------------------------------------------------------------------------------


def tflite_of(script: bytes) -> bytes:
    """A real model with words changed: its number, then seven bytes a change; behind the last number, raw bytes."""
    number = script[0] % (len(TFLITE_SEEDS) + 1) if script else 0
    if number == len(TFLITE_SEEDS):
        return script[1:]
    data = bytearray(TFLITE_SEEDS[number])
    for at in range(1, len(script) - 6, 7):
        offset = int.from_bytes(script[at : at + 2], "little") % max(1, len(data))
        kind, word = script[at + 2] % 4, script[at + 3 : at + 7]
        if kind == 0:
            data[offset : offset + 1] = word[:1]
        elif kind == 1:
            value = int.from_bytes(data[offset : offset + 4], "little") + int.from_bytes(
                word, "little", signed=True
            )
            data[offset : offset + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")
        elif kind == 2:
            data[offset : offset + 4] = word
        elif word[0] > 127:
            del data[offset:]
        else:
            data[offset:offset] = data[offset : offset + word[1] * 4]
    return bytes(data)


def check_tflite(script: bytes) -> None:
    data = tflite_of(script)
    try:
        model = parse_quantized_model(data, "x.tflite")
    except ArtefactError as error:
        refused_well(error)
        return
    assert model.data == data and 1 <= len(model.layers) <= MAX_LAYERS + MAX_TABLES
    assert all(1 <= width <= MAX_WIDTH for layer in model.layers for width in (layer.inputs, layer.outputs))


def check_manifest(data: bytes) -> None:
    path = FOLDER / MANIFEST
    write(path, data)
    for read in (read_manifest_file, lambda path: repeated_recipe(path)[1]):
        try:
            check_listed(path.parent, read(path))
        except SinehilError as error:
            refused_well(error)


def check_listed(folder: Path, manifest: Manifest) -> None:
    aim_of(manifest.recipe)
    assert manifest.input.scale > 0 and math.isfinite(manifest.output.scale)
    for name in [*manifest.files][:8]:
        path = PurePosixPath(name)
        assert path.parts and not path.is_absolute() and ".." not in path.parts and "\0" not in name
        try:
            checked_file(folder, manifest, name)
        except ArtefactError as error:
            refused_well(error)


def check_recipe(data: bytes) -> None:
    path = FOLDER / "recipe.toml"
    write(path, data)
    try:
        recipe = load_recipe(str(path))
    except SinehilError as error:
        refused_well(error)
        return
    assert 3 <= recipe.samples <= 100_000 and math.isfinite(recipe.noise)
    assert all(1 <= width <= 64 for model in (recipe.baseline, recipe.final) for width in model.hidden)


def check_csv(data: bytes) -> None:
    try:
        x, y = parse_csv(data, "x.csv")
        assert len(x) == len(y) >= 2 and all(map(math.isfinite, (*x, *y)))
    except ArtefactError as error:
        refused_well(error)
    path = FOLDER / "samples.csv"
    write(path, data)
    try:
        found = x_of_test_set(path)
        assert all(map(math.isfinite, found))
    except ArtefactError as error:
        refused_well(error)


def write(path: Path, data: bytes) -> None:
    """As the harness and not as the reader: python_target.py looks at what happens between."""
    with guarded_off():
        path.write_bytes(data)


class guarded_off:  # noqa: N801 (reads as a block)
    """While it lasts, what the process does is the harness's."""

    depth = 0

    def __enter__(self) -> None:
        guarded_off.depth += 1

    def __exit__(self, *_: object) -> None:
        guarded_off.depth -= 1


# -- what no reader does -------------------------------------------------------------------------------------

FORBIDDEN = (
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pty.spawn",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
    "socket.connect", "socket.bind", "pickle.find_class", "marshal.loads", "ctypes.dlopen", "compile", "exec",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def forbid(on: Callable[[str], None]) -> Callable[[], None]:
    """Call ``on`` with what a reader does and must not: run something, write, connect. Return how to begin.

    An audit hook (PEP 578) sees it below every library, and cannot be removed: this process is for nothing else.
    """
    import sys

    watching = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not watching or guarded_off.depth:
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event in FORBIDDEN or writes:
            on(f"{event} {str(arguments)[:200]}")

    def begin() -> None:
        nonlocal watching
        watching = True

    sys.addaudithook(hook)
    return begin


ASKED, ANSWERED, ALONE = b"\x70\x06\x05\x09\x00", b"\xa0\x86\x05\x09\x02ab", b"\x80\x86\x05\x09\x02ab"
BOUND_SEEDS = [
    ASKED + ANSWERED,
    ANSWERED
    + ASKED
    + ALONE
    + ANSWERED,  # of these a host takes the first, which it had not asked for, and the last
    ASKED + b"\x70\x03\x05\x09\x04\0\1\2\3" + ANSWERED + ALONE,  # the later of two of one number
    ASKED
    + b"\x80\xff\x05\x09\x01\3"
    + b"\x80\x81\x05\x09\x6c"
    + bytes(108),  # an error and IDENTIFY's stand alone
    ASKED + b"\x70\x06\x06\x09\x00" + ANSWERED + b"\xa1\x86\x06\x09\x00\xe3\x86\x06\x09\x00",
]
LINE_SEEDS = [b"\x81\x82\x05\x01\x03abc\xc1\x01\x02\x01\0", b"\5\0ab\0c", b"\x80\x81\1\2\x6c" + bytes(108)]
MANIFEST_SEED = b"""{"schema": 1, "recipe": {"name": "book", "data": {"file": "data/input.csv"}}, "trainer": "portable",
 "init_seed": 137, "tries": [{"seed": 137, "val_mse": 0.01, "accepted": true}], "oracle": "litert",
 "input": {"scale": 0.5, "zero_point": -128}, "output": {"scale": 0.25, "zero_point": 3}, "versions": {"numpy": "2"},
 "files": {"data/input.csv": {"sha256": "00", "bytes": 3}, "../x": {"sha256": "", "bytes": 0}}}"""
SEEDS: dict[str, list[bytes]] = {
    "frames": [*BOUND_SEEDS, *LINE_SEEDS],
    "tflite": [bytes([number]) for number in range(len(TFLITE_SEEDS))],
    "manifest": [MANIFEST_SEED, MANIFEST_SEED.replace(b', "../x": {"sha256": "", "bytes": 0}', b"")],
    "recipe": [recipe_text("book").encode(), recipe_text("precise").encode()],
    "csv": [b"x,y\n0,1\n1,0.5\n", b"x,y,split\n0.5,1,test\n1e9,2,train\n", b'\xef\xbb\xbfx,"y"\r\n1,"2"\r\n3,4\r\n'],
}  # fmt: skip
CHECKS: dict[str, Callable[[bytes], None]] = {
    "frames": check_frames,
    "tflite": check_tflite,
    "manifest": check_manifest,
    "recipe": check_recipe,
    "csv": check_csv,
}
