"""A serial port behind TCP, as ser2net and the like have it on a bench: raw bytes, or RFC 2217."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator

import serial
from serial.rfc2217 import PortManager

SCHEMES = ("socket", "rfc2217")
Filter = Callable[[bytes], bytes]


@contextlib.contextmanager
def bridged(port: str, scheme: str) -> Iterator[str]:
    """Serve ``port`` to one client at a time; yield the URL under which pyserial finds it."""
    done_read, done_write = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, port, scheme, done_read))
        thread.start()
        try:
            yield "{}://{}:{}".format(scheme, *server.getsockname())
        finally:
            os.close(done_write)  # readable for ever: whatever the thread waits for, it ends
            thread.join()
            os.close(done_read)


def _serve(server: socket.socket, port: str, scheme: str, done: int) -> None:
    while done not in select.select([server.fileno(), done], [], [])[0]:
        client, _ = server.accept()
        with client, _Pty(port, 115200, timeout=0) as device:
            _relay(client, device, done, *_filters(client, device, scheme))


def _filters(client: socket.socket, device: serial.Serial, scheme: str) -> tuple[Filter, Filter]:
    """Return what happens to bytes on their way to the client and to the device."""
    if scheme == "socket":
        return bytes, bytes
    manager = PortManager(device, _Connection(client))
    return (lambda data: b"".join(manager.escape(data))), (lambda data: b"".join(manager.filter(data)))


class _Pty(serial.Serial):
    """A PTY has no modem lines, and RFC 2217 asks for them."""

    cts = dsr = ri = cd = False

    def _update_dtr_state(self) -> None:
        pass

    def _update_rts_state(self) -> None:
        pass


class _Connection:
    """Where PortManager writes its answers to."""

    def __init__(self, client: socket.socket) -> None:
        self.write = client.sendall


def _relay(
    client: socket.socket, device: serial.Serial, done: int, to_client: Filter, to_device: Filter
) -> None:
    while True:
        ready = select.select([client.fileno(), device.fileno(), done], [], [])[0]
        if done in ready:
            return
        if device.fileno() in ready:
            client.sendall(to_client(device.read(4096)))
        if client.fileno() in ready:
            data = client.recv(4096)
            if not data:
                return
            device.write(to_device(data))
