"""A serial port behind TCP, as ser2net and the like have it on a bench."""

import contextlib
import os
import select
import socket
import threading
import tty
from collections.abc import Iterator


@contextlib.contextmanager
def bridged(port: str) -> Iterator[str]:
    """Serve the bytes of ``port`` to one client at a time; yield ``host:port``."""
    done_read, done_write = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, port, done_read))
        thread.start()
        try:
            yield "{}:{}".format(*server.getsockname())
        finally:
            os.close(done_write)  # readable for ever: whatever the thread waits for, it ends
            thread.join()
            os.close(done_read)


def _serve(server: socket.socket, port: str, done: int) -> None:
    while done not in select.select([server, done], [], [])[0]:
        client, _ = server.accept()
        device = os.open(port, os.O_RDWR | os.O_NOCTTY)
        with client:
            tty.setraw(device)
            _relay(client, device, done)
        os.close(device)


def _relay(client: socket.socket, device: int, done: int) -> None:
    while True:
        ready = select.select([client, device, done], [], [])[0]
        if done in ready:
            return
        if device in ready:
            client.sendall(os.read(device, 4096))
        if client in ready:
            data = client.recv(4096)
            if not data:
                return
            os.write(device, data)
