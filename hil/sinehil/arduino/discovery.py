"""A pluggable discovery for arduino-cli: the machine's serial ports and the running virtual boards.

The protocol: one command a line on stdin, one JSON object an answer on stdout. See
https://arduino.github.io/arduino-cli/latest/pluggable-discovery-specification/
"""

import json
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from sinehil.arduino.serial_ports import Message, Ports, scan_serial

PROTOCOL_VERSION = 1
FIRST_POLL_S = 0.3  # arduino-cli loses events that come right behind the answer to START_SYNC
POLL_S = 1.0


class Discovery:
    """The protocol as a state machine: commands and scans in, messages out; it reads and writes nothing."""

    def __init__(self, scan: Callable[[], Ports]) -> None:
        self._scan = scan
        self._known: Ports | None = None
        self.syncing = False
        self.quitting = False

    def command(self, line: str) -> list[Message]:
        """Return the answers to one command line."""
        word = line.split(" ", 1)[0].strip().upper()
        if word == "HELLO":
            return [_answer("hello", "OK", protocolVersion=PROTOCOL_VERSION)]
        if word == "LIST":
            return [{"eventType": "list", "ports": list(self._scan().values())}]
        if word in ("START", "START_SYNC", "STOP", "QUIT"):
            self.syncing = word == "START_SYNC"
            self.quitting = word == "QUIT"
            self._known = None
            return [_answer(word.lower(), "OK")]
        return [_answer("command_error", f"Command {word} not supported", error=True)]

    @property
    def poll_after_s(self) -> float | None:
        """Seconds after which ``poll`` is due; None while nobody waits for events."""
        if not self.syncing:
            return None
        return FIRST_POLL_S if self._known is None else POLL_S

    def poll(self) -> list[Message]:
        """Return what went away and what appeared since the last call; a changed port does both."""
        known, found = self._known or {}, self._scan()
        removed = [
            {"eventType": "remove", "port": {"address": port["address"], "protocol": port["protocol"]}}
            for address, port in known.items()
            if found.get(address) != port
        ]
        added = [
            {"eventType": "add", "port": port}
            for address, port in found.items()
            if known.get(address) != port
        ]
        self._known = found
        return removed + added


def lines_of(descriptor: int, poll_after_s: Callable[[], float | None]) -> Iterator[str | None]:
    """Yield lines as they come, None each time ``poll_after_s`` passes without input; end with the input."""
    pending = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], poll_after_s())
        if not ready:
            yield None
            continue
        data = os.read(descriptor, 4096)
        if not data:
            return
        *lines, pending = (pending + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)


def serve(discovery: Discovery, descriptor: int, write: Callable[[str], object]) -> None:
    """Answer commands and report changes until QUIT or the end of input."""
    for line in lines_of(descriptor, lambda: discovery.poll_after_s):
        for message in discovery.poll() if line is None else discovery.command(line):
            write(json.dumps(message) + "\n")
        if discovery.quitting:
            return


def main(kind: str) -> None:
    """Serve arduino-cli; ``mdns`` lists nothing, since no board of ours is on the network."""
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)  # end without a traceback when arduino-cli does
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    serve(Discovery(scan_serial if kind == "serial" else dict), sys.stdin.fileno(), sys.stdout.write)


def _answer(event: str, message: str, **more: Any) -> Message:
    return {"eventType": event, "message": message, **more}


if __name__ == "__main__":
    main(sys.argv[1])
