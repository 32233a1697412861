"""What is on a port instead of our firmware, as far as a silent handshake can tell."""

from sinehil.deadline import Deadline
from sinehil.errors import IdentityError, LinkError
from sinehil.transport import Transport

TALK_BYTES = 8  # fewer bytes than this may be noise of a reset
QUOTED_BYTES = 60
STK_GET_SYNC, STK_IN_SYNC = b"0 ", b"\x14\x10"  # STK500: what Optiboot answers to
SYNC_S, SYNC_INTERVAL_S = 1.5, 0.1


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
    transport.reopen()
    heard, deadline = b"", Deadline.after(SYNC_S)
    while not deadline.expired and STK_IN_SYNC not in heard:
        transport.write(STK_GET_SYNC)
        heard += transport.read(min(SYNC_INTERVAL_S, deadline.remaining_s))
    return STK_IN_SYNC in heard
