import contextlib
import os
import pty
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sinehil.arduino import ArduinoEnvironment, Firmware, compile_sketch, list_ports, upload
from sinehil.arduino.upload import avrdude_port, upload_failure
from sinehil.base.deadline import Deadline
from sinehil.board.transport import SerialTransport
from sinehil.errors import LinkError, ToolError, UsageError
from sinehil.virtual import VirtualUno

UNO = "arduino:avr:uno"
pytestmark = pytest.mark.board


@pytest.fixture
def board(runtime: Path) -> Iterator[VirtualUno]:
    with VirtualUno.start(link=runtime / "uno") as running:
        yield running


@pytest.fixture(scope="module")
def greeter(
    environment: ArduinoEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Firmware]:
    """Return firmware that says a word again and again; it lasts until the next is made."""
    folder = tmp_path_factory.mktemp("greeter")
    sketch = folder / "greeter"
    sketch.mkdir()

    def make(word: str) -> Firmware:
        setup = "void setup() { Serial.begin(115200); }"
        loop = f'void loop() {{ Serial.println("{word}"); delay(20); }}'
        (sketch / "greeter.ino").write_text(f"{setup}\n{loop}\n")
        return compile_sketch(environment, sketch, UNO, folder / "out")

    return make


def heard(port: str, word: bytes) -> bool:
    """Listen until the board on ``port`` says ``word``, at most 20 s."""
    deadline, seen = Deadline.after(20.0), b""
    with SerialTransport(port) as transport:
        while word not in seen and not deadline.expired:
            seen += transport.read(0.5)
    return word in seen


def test_what_is_uploaded_runs_and_the_next_upload_replaces_it(
    environment: ArduinoEnvironment, board: VirtualUno, greeter: Callable[[str], Firmware]
) -> None:
    for word in ("first", "second"):
        assert upload(environment, greeter(word), board.port) == board.port
        assert heard(board.port, word.encode())
    assert board.control.stats().crashes == 0


def test_arduino_cli_lists_the_board_it_uploads_to(
    environment: ArduinoEnvironment, board: VirtualUno
) -> None:
    assert [(port.name, port.fqbn) for port in list_ports(environment) if port.address == board.port] == [
        ("Arduino UNO", UNO)
    ]


def test_upload_over_a_socket(
    environment: ArduinoEnvironment, board: VirtualUno, greeter: Callable[[str], Firmware]
) -> None:
    with bridge(board.port) as address:
        port = f"socket://{address}"
        assert upload(environment, greeter("socket"), port) == port
    assert heard(board.port, b"socket")


def test_a_missing_port_is_named(environment: ArduinoEnvironment, greeter: Callable[[str], Firmware]) -> None:
    with pytest.raises(ToolError, match="avrdude cannot use /dev/nothere") as caught:
        upload(environment, greeter("nowhere"), "/dev/nothere")
    assert "No such file or directory" in caught.value.output


def test_nobody_listens_on_the_socket(
    environment: ArduinoEnvironment, greeter: Callable[[str], Firmware]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ToolError, match=f"avrdude cannot use socket://{address}"):
        upload(environment, greeter("nobody"), f"socket://{address}")


@pytest.mark.slow
def test_a_port_that_is_no_board_has_no_bootloader(
    environment: ArduinoEnvironment, greeter: Callable[[str], Firmware]
) -> None:
    master, slave = pty.openpty()
    try:
        port = os.ttyname(slave)
        with pytest.raises(ToolError, match=f"no bootloader answers on {port}") as caught:
            upload(environment, greeter("silence"), port)
    finally:
        os.close(master)
        os.close(slave)
    assert "attempt 3 of 3" in caught.value.output
    assert "TIOCMGET" not in caught.value.output
    assert "press reset" in caught.value.next_step


def test_a_board_unplugged_in_the_middle(
    environment: ArduinoEnvironment, board: VirtualUno, greeter: Callable[[str], Firmware]
) -> None:
    firmware = greeter("unplugged")
    puller = threading.Thread(target=pull_the_plug_when_busy, args=[board])
    puller.start()
    try:
        with pytest.raises(LinkError, match=f"{board.port} went away in the middle of the upload"):
            upload(environment, firmware, board.port)
    finally:
        puller.join()
    assert not [words for words in command_lines() if board.port in words and "avrdude" in words]
    board.control.plug()
    upload(environment, firmware, board.port)  # the control: whole again
    assert heard(board.port, b"unplugged")


def test_a_board_that_comes_back_under_another_name_is_found(
    environment: ArduinoEnvironment, board: VirtualUno, runtime: Path, greeter: Callable[[str], Firmware]
) -> None:
    """It leaves by itself at the end of the upload; before it is back, another one of its kind has come."""
    board.control.unplug_after_upload()
    board.control.rename("uno2")
    with ThreadPoolExecutor() as threads, contextlib.ExitStack() as others:
        threads.submit(plug_once_gone, board, others, runtime / "uno0")
        port = upload(environment, greeter("moved"), board.port)
        assert port == str(runtime / "uno2")
    assert not Path(board.port).exists()
    assert heard(port, b"moved")


def plug_once_gone(board: VirtualUno, others: contextlib.ExitStack, link: Path) -> None:
    deadline = Deadline.after(60.0)
    while board.control.stats().plugged and not deadline.expired:
        pass
    others.enter_context(VirtualUno.start(link=link))
    board.control.plug()


def command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_text(errors="replace")


def pull_the_plug_when_busy(board: VirtualUno) -> None:
    deadline = Deadline.after(30.0)
    while board.control.stats().received < 300 and not deadline.expired:
        pass
    board.control.unplug()


@pytest.mark.parametrize(
    ("port", "target"),
    [
        ("/dev/ttyACM0", "/dev/ttyACM0"),
        ("COM3", "COM3"),
        ("run/uno", "run/uno"),
        ("socket://bench:4000", "net:bench:4000"),
        ("socket://[::1]:4000", "net:[::1]:4000"),
    ],
)
def test_ports_have_avrdude_s_names(port: str, target: str) -> None:
    assert avrdude_port(port) == target


@pytest.mark.parametrize("port", ["rfc2217://bench:4000", "loop://", "socket://", "http://bench/x"])
def test_ports_that_avrdude_cannot_use_are_refused(environment: ArduinoEnvironment, port: str) -> None:
    nothing = Firmware(Path("/nonexistent"), Path("/nonexistent"), UNO, 0, 0, 0, 0)
    with pytest.raises(UsageError, match=re.escape(f"avrdude cannot upload to {port}")):
        upload(environment, nothing, port)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("avrdude warning: attempt 3 of 3: not in sync: resp=0x00", "no bootloader answers on /dev/p"),
        ("avrdude OS error: cannot open port /dev/p: Device or resource busy", "avrdude cannot use /dev/p"),
        ("avrdude error: verification mismatch", "the board on /dev/p does not hold what was written"),
        ("something new", "the upload to /dev/p failed"),
        ("", "the upload to /dev/p failed"),
    ],
)
def test_avrdude_s_words_become_one_sentence(words: str, message: str) -> None:
    noise = 'avrdude OS error: ioctl("TIOCMGET"): Inappropriate ioctl for device\n'
    error = upload_failure("/dev/p", noise + words + "\n" + noise)
    assert (error.message, error.output) == (message, words)
    assert error.next_step


@contextlib.contextmanager
def bridge(port: str) -> Iterator[str]:
    """Serve a serial port to one TCP client, which is what ser2net does at a bench; yield host:port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        worker = threading.Thread(target=carry, args=(server, port))
        worker.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        worker.join()


def carry(server: socket.socket, port: str) -> None:
    client, _ = server.accept()
    with client, SerialTransport(port) as serial, contextlib.suppress(ConnectionError):
        client.settimeout(0.002)
        while True:
            with contextlib.suppress(TimeoutError):
                data = client.recv(4096)
                if not data:
                    return
                serial.write(data)
            client.sendall(serial.read(0.002))
