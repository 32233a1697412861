"""Locks on ports: one program at a time, released when its holder ends, and an error that names the holder.

flock(2) on the device, which pyserial takes, is not enough: avrdude takes none, and a descriptor of ours that stays
open while it works would keep a virtual board from being reset and a board with USB of its own from its name.
TIOCEXCL would outlive a killed holder on a PTY. So there is also a name in the abstract namespace of Unix sockets,
see unix(7): bound by one process at a time, whichever user's, gone with it, and it says whose it is.

It ends at the network namespace, as with `docker run --network none`, and a lock file is another one in each mount
namespace. What both sides see of a device without opening it is the file system that its node is on, devtmpfs or
devpts, if its root is mounted in both, as by `-v /dev:/dev`. So whoever has a device holds a read lock too, of the open
file description (fcntl(2)), on the byte of that root folder which has the device's number; it is gone with its holder.
A folder cannot be opened for the write lock that would exclude others at once. So each takes its read lock first and
looks for others' then: of two that begin at the same moment perhaps none gets the device, but never both.

Two programs are not kept apart where they share neither network nor the root of the device's file system, as a virtual
board's one PTY in a container: there only pyserial's flock does it, and avrdude takes none.
"""

import contextlib
import fcntl
import hashlib
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from sinehil.errors import LinkError

PTY_MAJORS = range(136, 144)  # devices.txt of the kernel: Unix98 PTY slaves
UCRED = struct.Struct("3i")  # struct ucred: pid, uid, gid
BACKLOG = 4096  # who asks is queued and never accepted
NAME_BYTES = 107  # of sun_path's 108 in unix(7), since other tools end a name at that
ATTEMPTS = 5  # a holder may end between our two looks, or have bound and not yet listened
PAUSE_S = 0.005
COMMAND_LENGTH = 100


class PortLock:
    """A port held against every other sinehil on this machine, of whatever user."""

    def __init__(self, held: socket.socket, node: int | None) -> None:
        self._held = held
        self._node = node

    @classmethod
    def acquire(cls, port: str) -> Self:
        """Take a port, or raise LinkError naming who has it: another sinehil, or a program that has the device open.

        A path that leads to no device is left to whoever opens it; its lock holds nothing.
        """
        name = _name(port)
        for attempt in range(ATTEMPTS):
            if attempt > 0:
                time.sleep(PAUSE_S)
            held = socket.socket(socket.AF_UNIX)
            try:
                held.bind(name)
                held.listen(BACKLOG)
            except OSError:  # somebody has it
                held.close()
            else:
                return cls._unless_open_elsewhere(port, held)
            if holder := _holder(name):
                break
        raise busy(port, holder)

    @classmethod
    def _unless_open_elsewhere(cls, port: str, held: socket.socket) -> Self:
        lock = cls(held, None)
        try:
            lock._node = hold_node(port)
            opener = next(openers(port), None)
        except BlockingIOError:
            lock.release()
            raise busy(port, None) from None
        if opener is not None:
            lock.release()
            raise busy(port, opener)
        return lock

    def release(self) -> None:
        """Let others have the port; releasing twice is fine."""
        node, self._node = self._node, None
        if node is not None:
            os.close(node)
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def busy(port: str, pid: int | None) -> LinkError:
    """Return the error for a port that process ``pid`` has; None where the system does not say which one it is."""
    pid = pid or next(openers(port), None) or flock_holder(port)
    if pid is None:
        return LinkError(
            f"{port} is in use by another program",
            "close the serial monitor or the other sinehil that has it open",
        )
    return LinkError(
        f"{port} is in use by process {pid}{_command(pid)}",
        "wait until it is done, or end it, and run the command again",
    )


def openers(port: str) -> Iterator[int]:
    """Yield the other processes that have the device open, as far as we may look: all for root, else our own."""
    device = _device(port)
    if device is None:
        return
    for folder in Path("/proc").glob("[0-9]*/fd"):
        pid = int(folder.parent.name)
        with contextlib.suppress(OSError):  # ended meanwhile, or not ours to see
            if pid != os.getpid() and any(_leads_to(entry, device) for entry in folder.iterdir()):
                yield pid


def flock_holder(port: str) -> int | None:
    """Return who has a flock(2) on the device, which ``/proc/locks`` shows to everybody; see proc(5)."""
    with contextlib.suppress(OSError):
        there = Path(port).stat()
        file = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5] == file and int(words[4]) > 0:
                return int(words[4])
    return None


def _leads_to(descriptor: Path, device: str) -> bool:
    """Whether a descriptor is open on a device; only what is called a device is asked, since stat(2) may block."""
    with contextlib.suppress(OSError):
        return descriptor.readlink().is_relative_to("/dev") and _device_name(descriptor.stat()) == device
    return False


def _name(port: str) -> bytes:
    """Return the lock's name: a device has one number under all its names, and a URL only itself."""
    name = b"\0sinehil-port-" + os.fsencode(_device(port) or port)
    if len(name) <= NAME_BYTES:
        return name
    return b"\0sinehil-port-sha256-" + hashlib.sha256(name).hexdigest().encode()


def _device(port: str) -> str | None:
    try:
        return _device_name(Path(port).stat())
    except OSError:
        return None


def _device_name(there: os.stat_result) -> str | None:
    """Return what tells a device from all others; None if it is none.

    PTYs count from 0 in every container, which has a file system of its own for them, but perhaps our sockets.
    """
    if not stat.S_ISCHR(there.st_mode):
        return None
    major, minor = os.major(there.st_rdev), os.minor(there.st_rdev)
    return f"{major}:{minor}" + (f"@{there.st_dev}" if major in PTY_MAJORS else "")


def _holder(name: bytes) -> int | None:
    """Return the process that holds the lock; None if it has just ended or is in a container that hides it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        client.connect(name)
        pid, _, _ = UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
        return pid or None
    return None


def _command(pid: int) -> str:
    """Return a process's command line in brackets, fit for a terminal; nothing if it cannot be read."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    text = " ".join(word.decode(errors="replace") for word in words).strip()
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return f" ({shown[:COMMAND_LENGTH]})" if shown else ""


FLOCK = struct.Struct("hhqqi0q")  # struct flock: type, whence, start, length, pid
MINOR_BITS = 20


def hold_node(port: str) -> int | None:
    """Return a descriptor that holds the device until it is closed; None where there is nothing to lock.

    BlockingIOError if somebody else holds it.
    """
    try:
        there = Path(port).stat()
    except OSError:
        return None
    if not stat.S_ISCHR(there.st_mode):
        return None
    for root in _roots(there.st_dev):
        held = _open_root(root, there.st_dev)
        if held is not None:
            return _locked(held, (os.major(there.st_rdev) << MINOR_BITS) + os.minor(there.st_rdev))
    return None


def _locked(held: int, number: int) -> int | None:
    try:
        _ask(held, fcntl.F_OFD_SETLK, fcntl.F_RDLCK, number)
        others = _ask(held, fcntl.F_OFD_GETLK, fcntl.F_WRLCK, number) != fcntl.F_UNLCK
    except OSError:  # a file system without such locks
        os.close(held)
        return None
    if others:
        os.close(held)
        raise BlockingIOError
    return held


def _ask(held: int, command: int, kind: int, number: int) -> int:
    """Return the kind of lock in the kernel's answer; a test says F_UNLCK where nobody else has one."""
    answer = fcntl.fcntl(held, command, FLOCK.pack(kind, os.SEEK_SET, number, 1, 0))
    return int(FLOCK.unpack(answer)[0])


def _roots(device: int) -> Iterator[str]:
    """Yield where the root of a file system is mounted; see proc(5)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        fields = line.split()
        if fields[2:4] == [number, "/"]:
            yield fields[4]


def _open_root(folder: str, device: int) -> int | None:
    """Open a root for reading; None where we may not, or another file system is mounted over it."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    if os.fstat(held).st_dev == device:
        return held
    os.close(held)
    return None
