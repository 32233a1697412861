"""A second lock on a device, for programs whose network namespaces differ: in the folder where its node is.

Abstract sockets end at the network namespace, as with `docker run --network none`, and a lock file is another one in
each mount namespace. What both sides see of a device without opening it is the file system that its node is on,
devtmpfs or devpts, if its root is mounted in both, as by `-v /dev:/dev`. So whoever has a device holds a read lock, of
the open file description (fcntl(2)), on the byte of that root folder which has the device's number; it is gone with
its holder. A folder cannot be opened for the write lock that would exclude others at once. So each takes its read lock
first and looks for others' then: of two that begin at the same moment perhaps none gets the device, but never both.
"""

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

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
