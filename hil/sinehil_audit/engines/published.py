"""What others published of the same net, 1-16-16-1 int8, on their boards: to be shown as theirs, not as measured here.

Source: the data behind "MicroFlow: An Efficient Rust-Based Inference Engine for TinyML" (arXiv 2409.19432), in the
repository matteocarnelos/microflow-rs: analysis/memory/sine.ipynb (commit aa4bc13) for sizes in kB of whole firmwares;
analysis/performance/data/sine-nrf52840-*.csv (commit ffc9b49), medians of 100 inferences each.
"""

from dataclasses import dataclass

SOURCE = "arXiv 2409.19432, data in github.com/matteocarnelos/microflow-rs/tree/main/analysis"


@dataclass(frozen=True)
class Published:
    """``time_us`` is None where none was published; sizes are those of a whole firmware."""

    engine: str
    board: str
    flash_bytes: int
    ram_bytes: int
    time_us: float | None


PUBLISHED = (
    Published("MicroFlow", "ATmega328", 13_619, 1_706, None),
    Published("MicroFlow", "nRF52840, 64 MHz Cortex-M4F", 34_292, 5_296, 188.5),
    Published("TFLM", "nRF52840, 64 MHz Cortex-M4F", 116_352, 45_728, 2_596.0),
)
