"""Uploading an image with arduino-cli, which calls avrdude."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from sinehil.arduino.build import Firmware
from sinehil.arduino.environment import RETRIES, ArduinoEnvironment
from sinehil.arduino.process import run, tail
from sinehil.errors import LinkError, ToolError, UsageError

TIMEOUT_S = 120.0
ATTEMPTS = 3  # of avrdude's 10, which take a minute when nothing answers
KEEPS_ITS_PORT = ("arduino", "wiring")  # boards with USB of their own (avr109) come back as another port
HARMLESS = "TIOCMGET"  # avrdude asks a PTY for its modem lines
NO_BOOTLOADER = ("not in sync", "not responding")
NO_PORT = ("cannot open port", "cannot connect", "cannot set attributes")
NOT_AS_WRITTEN = ("verification mismatch", "verification error", "content mismatch")


def upload(environment: ArduinoEnvironment, firmware: Firmware, port: str) -> None:
    """Write the image to the board on ``port`` and read it back.

    ``port`` is a path or ``socket://host:port``. Raises ToolError with avrdude's words if it fails, LinkError if the
    port goes away meanwhile, UsageError for a kind of port that avrdude cannot use.
    """
    target = avrdude_port(port)
    options = ["--fqbn", firmware.fqbn, "--port", target, "--discovery-timeout", "1ms", "--verify"]
    if firmware.upload_protocol == "arduino":
        options += ["--upload-property", f"{RETRIES}=-xattempts={ATTEMPTS}"]
    command: list[str | Path] = [environment.program, "upload", *options, "--input-file", firmware.hex]
    done = run(command, env=environment.environ(), timeout_s=TIMEOUT_S, watch=_watch(firmware, port))
    if done.code != 0:
        raise upload_failure(port, done.stdout + done.stderr)


def avrdude_port(port: str) -> str:
    """Return avrdude's name of a port: ``net:host:port`` for ``socket://host:port``, paths as they are."""
    if "://" not in port:
        return port
    parts = urlsplit(port)
    if parts.scheme == "socket" and parts.netloc:
        return f"net:{parts.netloc}"
    raise UsageError(
        f"avrdude cannot upload to {port}: it knows serial ports and socket://host:port",
        "flash on the machine that the board is plugged into; verifying from here works",
    )


def _watch(firmware: Firmware, port: str) -> Callable[[], None] | None:
    """Return a check that raises LinkError once ``port`` is gone: avrdude 7.1 would read from nothing for minutes."""
    if firmware.upload_protocol not in KEEPS_ITS_PORT or not Path(port).exists():
        return None

    def require_present() -> None:
        if not Path(port).exists():
            raise LinkError(
                f"{port} went away in the middle of the upload",
                "plug the board in again, find its port with `sinehil ports`, and flash again",
            )

    return require_present


def upload_failure(port: str, words: str) -> ToolError:
    """Return the error that fits avrdude's words."""
    output = tail("\n".join(line for line in words.splitlines() if HARMLESS not in line), 12)
    if any(text in output for text in NO_PORT):
        return ToolError(
            f"avrdude cannot use {port}", "find the board's port with `sinehil ports`", output=output
        )
    if any(text in output for text in NO_BOOTLOADER):
        return ToolError(f"no bootloader answers on {port}", _press_reset(port), output=output)
    if any(text in output for text in NOT_AS_WRITTEN):
        return ToolError(
            f"the board on {port} does not hold what was written",
            "flash again, else its flash is worn",
            output,
        )
    return ToolError(
        f"the upload to {port} failed", "check the cable and avrdude's words, then flash again", output=output
    )


def _press_reset(port: str) -> str:
    if "://" in port:
        return "nothing resets a board over socket://: press its reset button just before flashing"
    return "check that it is the board's port and that the FQBN is its kind, press reset, and flash again"
