"""Find out what is on a port that does not answer the handshake: another sketch, a bootloader, nothing."""

from sinehil.base.deadline import Deadline
from sinehil.board.transport import Transport
from sinehil.errors import IdentityError, LinkError

TALK_BYTES = 8  # fewer bytes than this may be noise of a reset
QUOTED_BYTES = 60
STK_GET_SYNC, STK_IN_SYNC = b"0 ", b"\x14\x10"  # STK500: what Optiboot answers to
# A real chip is still in reset when its port has just been opened; a simulated one may be past its bootloader later.
SYNC_DELAYS_S = (0.0, 0.25)
ANSWER_S = 1.0


def who_is_there(transport: Transport, heard: bytes) -> LinkError | IdentityError:
    """Return the error that tells what answers instead: ``heard`` came, but no frame of ours.

    May reset the board to ask its bootloader.
    """
    port = transport.name
    if len(heard) >= TALK_BYTES:
        text = heard[-QUOTED_BYTES:].decode("ascii", "backslashreplace")
        return IdentityError(
            f"another sketch runs on {port}: it sent {text!r} instead of answering",
            f"run `sinehil flash --port {port}` to put the sinehil sketch on it",
        )
    if _bootloader_answers(transport):
        return IdentityError(
            f"only the bootloader answers on {port}: there is no sinehil sketch on the board",
            f"run `sinehil flash --port {port}`",
        )
    return LinkError(
        f"the board on {port} does not answer",
        "check that it is an Arduino with power, press its reset button, or try another cable and port",
    )


def _bootloader_answers(transport: Transport) -> bool:
    return any(_answers_sync(transport, delay_s) for delay_s in SYNC_DELAYS_S)


def _answers_sync(transport: Transport, delay_s: float) -> bool:
    """Reset the board and ask once: while the bootloader flashes its LED, a UART holds two bytes and garbles more."""
    transport.reopen()
    _hear(transport, delay_s)
    transport.write(STK_GET_SYNC)
    return STK_IN_SYNC in _hear(transport, ANSWER_S, until=STK_IN_SYNC)


def _hear(transport: Transport, seconds: float, until: bytes | None = None) -> bytes:
    heard, deadline = b"", Deadline.after(seconds, transport.now)
    while not deadline.expired and (until is None or until not in heard):
        heard += transport.read(deadline.remaining_s)
    return heard
