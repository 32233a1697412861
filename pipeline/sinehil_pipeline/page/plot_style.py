"""Style of all plots: colours for colour-blind readers, axes, and PNG bytes that are reproducible."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

# Okabe and Ito's palette.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILION, BLACK, GREY = "#D55E00", "#222222", "#8C8C8C"

WIDE_IN = (10.0, 4.4)
SINGLE_IN = (7.5, 4.6)
GRID_IN = (10.0, 7.4)
TALL_IN = (8.5, 7.6)
DPI = 100
DOT = 12.0

_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#E4E4E4",
    "legend.framealpha": 0.9,
    "legend.edgecolor": "#DDDDDD",
    "lines.linewidth": 1.4,
}


@contextmanager
def style() -> Iterator[None]:
    """Use this style, and no settings of the user's, inside the block; nothing is shown on a screen."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("Agg")
        mpl.rcParams.update(_STYLE)
        yield


def png(figure: Any) -> bytes:
    """Render without time and version, so that equal plots are equal bytes."""
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=DPI, metadata={"Software": None})
    return target.getvalue()


def radians_axis(axes: Any, low: float = 0.0, high: float = 2 * math.pi) -> None:
    """Label x from ``low`` to ``high``, whole multiples of pi, in radians."""
    step = math.pi / 2 if high - low < 3 * math.pi else math.pi
    ticks = [low + number * step for number in range(round((high - low) / step) + 1)]
    axes.set_xticks(ticks)
    axes.set_xticklabels([_in_pi(round(tick / (math.pi / 2))) for tick in ticks])
    x_axis(axes, low, high, "x (radians)")


def log_ticks(low: float, high: float) -> list[float]:
    """Return where to label a logarithmic axis: tens; within four of them 1, 2, 5; within one, even steps."""
    from matplotlib.ticker import MaxNLocator

    tens = math.log10(high / low)
    if tens < 1:
        ticks = [float(tick) for tick in MaxNLocator(7, steps=[1, 2, 5, 10]).tick_values(low, high)]
    else:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [float(f"{m}e{power}") for power in powers for m in ((1, 2, 5) if tens < 4 else (1,))]
    return [tick for tick in ticks if low <= tick <= high]


def quiet_corner(x: NDArray[Any], y: NDArray[Any]) -> str:
    """Return where a legend hides the fewest of the points x and y, shape [n]; the sine's is "lower left"."""
    right, top = (x - x.min()) / (x.max() - x.min()), (y - y.min()) / (y.max() - y.min())
    corners = {
        "lower left": (right, top),
        "upper right": (1 - right, 1 - top),
        "lower right": (1 - right, top),
        "upper left": (right, 1 - top),
    }
    hidden = {name: int(((across < 0.4) & (up < 0.3)).sum()) for name, (across, up) in corners.items()}
    return min(hidden, key=lambda name: hidden[name])


def x_axis(axes: Any, low: float, high: float, label: str = "x") -> None:
    """Show x from ``low`` to ``high`` with a little room, and name both axes."""
    margin = 0.12 * (high - low) / (2 * math.pi)
    axes.set_xlim(low - margin, high + margin)
    axes.set_xlabel(label)
    axes.set_ylabel("y")


def _in_pi(halves: int) -> str:
    """Write a number of half pi: 3π/2, -π, 0."""
    number = halves // 2 if halves % 2 == 0 else halves
    factor = {1: "", -1: "-"}.get(number, str(number))
    return "0" if halves == 0 else f"{factor}π" + ("" if halves % 2 == 0 else "/2")
