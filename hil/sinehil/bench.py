"""What an inference costs on the board, by the board's own cycle counter."""

from sinehil.device import Device
from sinehil.verify.result import Cycles

CODES_PER_REQUEST = 32  # bounds the time a board is silent


def measure_cycles(device: Device) -> Cycles | None:
    """Return mean and worst cycles over all 256 codes on a connected board, or None if it has no cycle counter."""
    total, worst = 0, 0
    for first_q in range(-128, 128, CODES_PER_REQUEST):
        reply = device.bench(first_q, CODES_PER_REQUEST)
        if reply.count != CODES_PER_REQUEST:
            return None
        total += reply.sum_cycles
        worst = max(worst, reply.max_cycles)
    return Cycles(mean=total / 256, max=worst, clock_hz=device.clock_hz)
