"""The control socket under hostile input: refused or closed, and the board lives on."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import serial
from virtual_tools import TAG, ask, greet

from sinehil.errors import LinkError
from sinehil.virtual import ControlClient, VirtualUno

pytestmark = pytest.mark.board

LINE_BYTES = 256


def connect(board: VirtualUno) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    try:
        client.settimeout(10)
        client.connect(str(board.control.path))
    except OSError:
        client.close()
        raise
    return client


def answer_to(board: VirtualUno, request: bytes) -> bytes:
    """Return the first answer to ``request``, empty if the board closes the connection."""
    with connect(board) as client:
        client.sendall(request)
        return client.recv(4096)


@pytest.mark.parametrize(
    "request_",
    [
        b"explode\n",
        b"\n",
        b"stats please\n",
        b"flip\n",
        b"flip 1\n",
        b"flip x y\n",
        b"flip 99999999999999999999 99999999999999999999\n",
        bytes(range(256)),
        b"\0\0\0\0\n",
        b"\xff" * 100 + b"\n",
        b"%n%n%s%s\n",
        b"reset" + b"A" * LINE_BYTES,
        b"A" * 100_000 + b"\n",
    ],
    ids=lambda request: f"{len(request)} bytes {request[:12]!r}",
)
def test_nonsense_is_refused(board: VirtualUno, link: serial.Serial, request_: bytes) -> None:
    before = board.control.stats()
    assert answer_to(board, request_).startswith(b"error") or len(request_) > LINE_BYTES
    after = board.control.stats()
    assert (after.resets, after.halted, after.opens) == (before.resets, False, 1)
    assert ask(link, b"\xa5", 1) == b"\xa5"


def hang_up_before_the_answer(client: socket.socket) -> None:
    client.sendall(b"stats\n" * 5)


def hang_up_at_once(client: socket.socket) -> None:
    assert client.fileno() >= 0


def stop_sending(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("rude", [hang_up_before_the_answer, hang_up_at_once, stop_sending])
def test_a_client_that_hangs_up_leaves_the_channel_free(
    board: VirtualUno, rude: Callable[[socket.socket], None]
) -> None:
    for _ in range(20):
        with connect(board) as client:
            rude(client)
    assert board.control.stats().halted is False


def test_an_answer_that_nobody_read_leaves_the_channel_free(board: VirtualUno) -> None:
    """Closing with unread bytes is a reset of the connection, not its end."""
    for _ in range(5):
        with connect(board) as client:
            client.sendall(b"stats\n")
            assert client.recv(1) == b"{"
    assert board.control.stats().halted is False


def test_silent_clients_do_not_shut_the_others_out(board: VirtualUno, link: serial.Serial) -> None:
    with ExitStack() as silent:
        for _ in range(10):
            silent.enter_context(connect(board))
            assert board.control.stats().crashes == 0
        board.control.reset()
        greet(link, TAG)


def test_a_control_socket_that_is_not_there_is_a_link_error(board: VirtualUno) -> None:
    missing = board.control.path.with_name("nobody.ctl")
    with pytest.raises(LinkError, match="no virtual board answers") as caught:
        ControlClient(missing).stats()
    assert caught.value.exit_code == 3
    assert "sinehil virtual" in caught.value.next_step
