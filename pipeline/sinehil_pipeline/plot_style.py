"""One look for all plots: colours that colour-blind readers can tell apart, and PNG bytes that repeat."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
    """Use this look, and no settings of the user's, inside the block; nothing is shown on a screen."""
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


def radians_axis(axes: Any) -> None:
    """Label x from 0 to 2 pi in radians, y as the sine's."""
    import math

    axes.set_xticks([0, math.pi / 2, math.pi, 3 * math.pi / 2, 2 * math.pi])
    axes.set_xticklabels(["0", "π/2", "π", "3π/2", "2π"])
    axes.set_xlim(-0.12, 2 * math.pi + 0.12)
    axes.set_xlabel("x (radians)")
    axes.set_ylabel("y")
