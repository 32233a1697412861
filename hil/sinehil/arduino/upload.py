"""Upload an image with arduino-cli, which calls avrdude."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from sinehil.arduino.build import Firmware
from sinehil.arduino.environment import RETRIES, ArduinoEnvironment
from sinehil.arduino.reappearance import look, wait_for_board
from sinehil.base.tools import Finished, json_object, programs_in, run, tail
from sinehil.board.locks import PortLock
from sinehil.errors import LinkError, ToolError, UsageError

TIMEOUT_S = 120.0
ATTEMPTS = 3  # of avrdude's 10, which take a minute when nothing answers
KEEPS_ITS_PORT = ("arduino", "wiring")  # while avrdude works; boards with USB of their own (avr109) do not
HARMLESS = "TIOCMGET"  # avrdude asks a PTY for its modem lines
NO_BOOTLOADER = ("not in sync", "not responding")
NO_PORT = ("cannot open port", "cannot connect", "cannot set attributes")
NOT_AS_WRITTEN = ("verification mismatch", "verification error", "content mismatch")


def upload(environment: ArduinoEnvironment, firmware: Firmware, port: str) -> str:
    """Write the image to the board on ``port``, read it back, and return the port that the board has afterwards.

    ``port`` is a path or ``socket://host:port``. Raises ToolError with avrdude's words if it fails, LinkError if
    somebody else has the port, if it goes away meanwhile or the board does not come back, UsageError for a kind of
    port that avrdude cannot use.
    """
    target = avrdude_port(port)
    # avrdude takes no lock of its own, and so would break into another's work.
    with PortLock.acquire(port) as lock:
        before = look(port)
        done = _upload(environment, firmware, port, target, lock)
    return port if "://" in port else wait_for_board(port, before, updated_port(done))


def _upload(
    environment: ArduinoEnvironment, firmware: Firmware, port: str, target: str, lock: PortLock
) -> Finished:
    options = ["--json", "--fqbn", firmware.fqbn, "--port", target, "--discovery-timeout", "1ms", "--verify"]
    if firmware.upload_protocol == "arduino":
        options += ["--upload-property", f"{RETRIES}=-xattempts={ATTEMPTS}"]
    command: list[str | Path] = [environment.program, "upload", *options, "--input-file", firmware.hex]
    watch = _watch(firmware, port, lock)
    done = run(command, env=environment.environ(), timeout_s=TIMEOUT_S, watch=watch)
    if done.code != 0:
        was_pulled = watch is not None and not Path(port).exists()
        raise _went_away(port) if was_pulled else upload_failure(port, avrdude_words(done))
    return done


def avrdude_words(done: Finished) -> str:
    """Return what avrdude said, else what arduino-cli did."""
    document = json_object(done.stderr)
    output = document.get("output") or {}
    words = f"{output.get('stdout', '')}{output.get('stderr', '')}"
    return words or str(document.get("error") or done.stderr)


def updated_port(done: Finished) -> str:
    """Return the port that arduino-cli saw come after the upload, else the one that it was given."""
    return str((json_object(done.stdout).get("updated_upload_port") or {}).get("address", ""))


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


def _watch(firmware: Firmware, port: str, lock: PortLock) -> Callable[[int], None] | None:
    """Return a check that raises LinkError if ``port`` goes away: avrdude 7.1 would read from nothing for minutes.

    Gone at two looks in a row, since a board may leave when avrdude has done its work and is about to end. Its lock
    goes with it: arduino-cli waits some seconds for a port to come, and another board may get the number meanwhile.
    """
    if firmware.upload_protocol not in KEEPS_ITS_PORT or not Path(port).exists():
        return None
    was_gone = False

    def require_present(session: int) -> None:
        nonlocal was_gone
        is_there = Path(port).exists()
        if not is_there:
            lock.release()
        is_gone = not is_there and "avrdude" in programs_in(session)
        if was_gone and is_gone:
            raise _went_away(port)
        was_gone = is_gone

    return require_present


def _went_away(port: str) -> LinkError:
    return LinkError(
        f"{port} went away in the middle of the upload",
        "plug the board in again, find its port with `sinehil ports`, and flash again",
    )


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
