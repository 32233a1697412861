"""Open serial ports as byte pipes, and name what fails; the only module that opens one."""

import errno
import grp
import logging
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import serial

from sinehil.base.deadline import Deadline
from sinehil.board.locks import PortLock, busy
from sinehil.errors import LinkError

BAUD = 115200
WRITE_TIMEOUT_S = 2.0
# Each change of a setting is a round trip there, so its reads have one short timeout.
NEGOTIATED = "rfc2217://"
READ_SLICE_S = 0.02

log = logging.getLogger(__name__)


class Transport(Protocol):
    """A byte pipe to a board."""

    name: str

    def now(self) -> float:
        """Return seconds on the clock by which this pipe's timeouts go: a simulated line has a simulated one."""

    def read(self, timeout_s: float) -> bytes:
        """Return what has arrived, at least a byte unless ``timeout_s`` passes first; LinkError if the port is gone."""

    def write(self, data: bytes) -> None:
        """Send all of ``data``; LinkError if the port is gone."""

    def reopen(self) -> None:
        """Close and open again, which resets an Arduino."""

    def close(self) -> None:
        """Close the port; closing twice is fine."""


class SerialTransport:
    """A port that pyserial opens: ``/dev/ttyACM0``, ``COM3``, ``socket://host:port``, ``rfc2217://host:port``.

    A read looks at the clock after ``slice_s`` at the latest.
    """

    def __init__(self, name: str, slice_s: float = READ_SLICE_S) -> None:
        self.name = name
        self._slice_s = slice_s
        self._write_was_late = False
        self._lock, self._port = _locked(name, slice_s)

    def now(self) -> float:
        """See Transport."""
        return time.monotonic()

    def read(self, timeout_s: float) -> bytes:
        """See Transport."""
        deadline = Deadline.after(timeout_s)
        try:
            data: bytes = self._port.read(1)
            while not data and not deadline.expired:
                data = self._port.read(1)
            waiting = self._port.in_waiting if data else 0
            return data + self._port.read(waiting) if waiting else data
        except (serial.SerialException, OSError, TypeError) as error:
            # TypeError: pyserial on a descriptor that another thread's close has set to None
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        """See Transport.

        One write that takes too long is let pass: a process that was stopped within it (Ctrl-Z) finds the time over
        though all is sent. What is not there is sent again for want of a reply, and a second such write raises.
        """
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            if self._write_was_late:
                raise LinkError(
                    f"{self.name} takes no more bytes",
                    "check the cable, unplug the board and plug it in again",
                ) from error
            self._write_was_late = True
        except (serial.SerialException, OSError) as error:
            raise self._lost(error) from error
        else:
            self._write_was_late = False

    def reopen(self) -> None:
        """See Transport."""
        log.info("%s: reset by opening it again", self.name)
        self.close()
        self._lock, self._port = _locked(self.name, self._slice_s)

    def close(self) -> None:
        """See Transport."""
        self._port.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lost(self, error: Exception) -> LinkError:
        return LinkError(
            f"{self.name} went away in the middle of the work ({error})",
            "plug the board in again, find its port with `sinehil ports`, and repeat the command",
        )


def check_port(name: str) -> None:
    """Open and close a port once; raise LinkError, saying why, if another tool could not use it either."""
    SerialTransport(name).close()


def _locked(name: str, slice_s: float) -> tuple[PortLock, serial.Serial]:
    """Open a port that nobody else has, not even between two of our opens."""
    lock = PortLock.acquire(name)
    log.debug("%s: locked", name)
    try:
        port = _open(name, slice_s)
    except BaseException:
        lock.release()
        raise
    log.info("%s: open at %d baud", name, BAUD)
    return lock, port


def _open(name: str, slice_s: float) -> serial.Serial:
    is_path = "://" not in name
    try:
        port = serial.serial_for_url(name, do_not_open=True)
        port.baudrate = BAUD
        port.timeout = slice_s
        if not name.startswith(NEGOTIATED):  # which knows no such option and has a limit of its own
            port.write_timeout = WRITE_TIMEOUT_S
        if is_path:
            port.exclusive = True  # a second program would steal replies
        port.open()
    except (serial.SerialException, OSError, ValueError) as error:
        raise _open_error(name, is_path, error) from error
    return port


def _open_error(name: str, is_path: bool, error: Exception) -> LinkError:
    code = getattr(error, "errno", None)
    if is_path and not Path(name).exists():
        return LinkError(
            f"there is no port {name}", "plug the board in and list the ports with `sinehil ports`"
        )
    if code == errno.EACCES or (is_path and not os.access(name, os.R_OK | os.W_OK)):
        return LinkError(
            f"no permission to open {name}",
            f"join the group that owns it: `sudo usermod -aG {_group_of(name)} $USER`, then log in again",
        )
    if code in (errno.EBUSY, errno.EAGAIN) or "lock" in str(error).lower():
        return busy(name, None)
    return LinkError(f"cannot open {name}: {error}", "check the name with `sinehil ports`")


def _group_of(name: str) -> str:
    group_id = Path(name).stat().st_gid
    try:
        return grp.getgrgid(group_id).gr_name
    except KeyError:
        return str(group_id)
