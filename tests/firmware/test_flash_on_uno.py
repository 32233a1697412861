"""Flash that changes while the board runs is noticed by the next IDENTIFY: every kind of constant of a real kernel."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from nets import random_net
from uno_image import UnoImage, compile_for_uno

from sinehil.board.device import Device
from sinehil.board.protocol import IdentifyReply
from sinehil.board.transport import SerialTransport
from sinehil.errors import IdentityError
from sinehil.virtual import VirtualUno
from sinehil_kernels import generate_kernel

pytestmark = pytest.mark.board

BITS_OF_A_SYMBOL = 6
UNUSED = 0x7000  # flash that belongs to nothing, below the bootloader


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnoImage:
    sources = generate_kernel(random_net(1).model(), "litert", "portable").sources
    return compile_for_uno(sources, tmp_path_factory.mktemp("uno"))


def constants(image: UnoImage) -> dict[str, range]:
    """Return the byte addresses of the identity and of each of the kernel's tables in flash."""
    elf = image.firmware.hex.with_suffix(".elf")
    done = subprocess.run(["avr-nm", "-S", "-C", elf], check=True, capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    found = {
        row[3]: range(int(row[0], 16), int(row[0], 16) + int(row[1], 16))
        for row in rows
        if len(row) == 4 and row[2] in "tT"
    }
    return {name: place for name, place in found.items() if name in tables(Path(elf).parents[1])}


def tables(folder: Path) -> set[str]:
    """Return the names of what lies in PROGMEM by the kernel's source."""
    text = (folder / "arduino_sketch" / "sinehil_kernel.c").read_text()
    return {
        line.split("[")[0].split()[-1] for line in text.splitlines() if "PROGMEM = " in line and "[" in line
    } | {"sinehil_model_identity"}


def identity(device: Device) -> IdentifyReply | None:
    """Return who the board says it is, None if what it says makes no sense."""
    try:
        return device.connect(2.0)
    except IdentityError:
        return None


def told(reply: IdentifyReply | None) -> object:
    return reply and {**vars(reply), "life": 0}


def test_every_flipped_constant_shows_in_identify_and_nothing_else_does(image: UnoImage) -> None:
    rng = np.random.default_rng(5)
    places = constants(image)
    assert {"sinehil_model_identity", "float_bits"} < set(places)
    with VirtualUno.start(flash_image=image.flash) as uno, SerialTransport(uno.port) as port:
        device = Device(port)
        right = told(identity(device))
        assert right is not None
        resets = uno.control.stats().resets
        for name, place in places.items():
            for at, bit in zip(
                rng.choice(place, BITS_OF_A_SYMBOL), rng.integers(8, size=BITS_OF_A_SYMBOL), strict=True
            ):
                uno.control.flip_flash_bit(int(at), int(bit))
                assert told(identity(device)) != right, (name, at, bit)
                uno.control.flip_flash_bit(int(at), int(bit))
                assert told(identity(device)) == right, (name, at, bit)
        uno.control.flip_flash_bit(UNUSED, 0)  # negative control
        assert told(identity(device)) == right
        assert uno.control.stats().resets == resets
