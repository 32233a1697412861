"""Make the C array with ``xxd -i``, and check it against the .tflite file."""

import re
import shutil
import subprocess
from pathlib import Path

from sinehil.errors import ArtefactError, ToolError

XXD_TIMEOUT_S = 30
_ARRAY = re.compile(r"unsigned char (\w+)\[\] = \{([^}]*)\};\s*unsigned int (\w+)_len = (\d+);\s*")


def c_array(model: Path) -> bytes:
    """Return what ``xxd -i NAME`` prints in the model's folder, so that the array is named after the file."""
    tool = shutil.which("xxd")
    if tool is None:
        raise ToolError("xxd is not installed", "install Debian's package: sudo apt-get install xxd")
    done = subprocess.run(
        [tool, "-i", model.name], cwd=model.parent, capture_output=True, timeout=XXD_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace")
        raise ToolError(f"xxd -i {model.name} failed", "see its own words", output=words)
    check_c_array(done.stdout, model)
    return done.stdout


def check_c_array(source: bytes, model: Path) -> None:
    """Raise ArtefactError unless the C array holds exactly the file's bytes, under its name."""
    name, data = parse_c_array(source, model.name)
    expected_name = re.sub(r"\W", "_", model.name)
    if name != expected_name or data != model.read_bytes():
        raise ArtefactError(
            f"the C array {name} is not byte for byte {model.name}", "run `sinehil train` to make both again"
        )


def parse_c_array(source: bytes, origin: str) -> tuple[str, bytes]:
    """Return name and bytes of an ``xxd -i`` array; ArtefactError if ``source`` is anything else."""
    found = _ARRAY.fullmatch(source.decode("ascii", errors="replace"))
    try:
        if found is None or found[1] != found[3]:
            raise ValueError("not one array and its length")
        data = bytes(int(item, 16) for item in found[2].split(","))
        if len(data) != int(found[4]):
            raise ValueError(f"{len(data)} bytes, but a length of {found[4]}")
    except ValueError as error:
        raise ArtefactError(
            f"the C array of {origin} cannot be read back: {error}", "run `sinehil train` to make it again"
        ) from error
    return found[1], data
