"""Uploading an image with arduino-cli, which calls avrdude."""

import json

from sinehil.arduino.build import Firmware
from sinehil.arduino.environment import ArduinoEnvironment
from sinehil.arduino.process import run, tail
from sinehil.errors import ToolError, UsageError

HARMLESS = "TIOCMGET"  # avrdude asks a PTY for its modem lines
NO_BOOTLOADER = ("not in sync", "not responding", "programmer is not responding", "unable to open programmer")


def upload(environment: ArduinoEnvironment, firmware: Firmware, port: str) -> None:
    """Write the image to the board on ``port`` and read it back; ToolError with avrdude's words if it fails."""
    if "://" in port:
        raise UsageError(
            f"avrdude cannot upload to {port}",
            "flash on the machine the board is plugged into, then verify from here",
        )
    options = ["--fqbn", firmware.fqbn, "--port", port, "--discovery-timeout", "1ms", "--verify"]
    command = [environment.program, "upload", *options, "--input-file", firmware.hex]
    done = run(command, env=environment.environ(), timeout_s=120)
    if done.code != 0:
        raise _failure(port, done.stdout + done.stderr)


def _failure(port: str, words: str) -> ToolError:
    lines = [line for line in _plain(words).splitlines() if HARMLESS not in line]
    output = tail("\n".join(lines), 12)
    if any(text in output for text in NO_BOOTLOADER):
        return ToolError(
            f"no bootloader answers on {port}",
            "check that this is the board's port and the FQBN its kind, press reset, and try again",
            output=output,
        )
    return ToolError(
        f"the upload to {port} failed", "see avrdude's words above, and try again", output=output
    )


def _plain(words: str) -> str:
    """arduino-cli may wrap its last error in JSON."""
    try:
        return str(json.loads(words)["error"])
    except (ValueError, KeyError, TypeError):
        return words
