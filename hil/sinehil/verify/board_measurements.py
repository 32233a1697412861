"""Cycles for each inference and the counters of the line and of the RAM, read from a connected board."""

from collections.abc import Iterator

from sinehil.board.device import Device
from sinehil.board.protocol import BenchReply
from sinehil.verify.result import BoardCounters, Cycles
from sinehil.verify.sampled_inputs import bench_codes

CODES_PER_REQUEST = 32  # bounds the time a board is silent


def measure_cycles(device: Device) -> Cycles | None:
    """Return mean and worst cycles on a connected board, or None if it has no counter for so many.

    Over all 256 codes of a model with one input, else over seeded samples, the extreme ones among them.
    """
    total, worst, count = 0, 0, 0
    for reply in _replies(device):
        if reply.count == 0:
            return None
        total, worst, count = total + reply.sum_cycles, max(worst, reply.max_cycles), count + reply.count
    return Cycles(total / count, worst, device.clock_hz, count)


def read_counters(device: Device) -> BoardCounters:
    """Return what a connected board counted since its reset; after the work, so that its deepest stack is in it."""
    stats = device.stats()
    return BoardCounters(
        stats.least_free_ram_bytes, stats.ring_overruns, stats.uart_overruns, stats.uart_framing_errors
    )


def _replies(device: Device) -> Iterator[BenchReply]:
    if device.inputs > 1:
        yield from device.bench_codes(bench_codes(device.inputs, device.input_zero_point))
        return
    for first_q in range(-128, 128, CODES_PER_REQUEST):
        yield device.bench(first_q, CODES_PER_REQUEST)
