"""Axes and marks in picture coordinates."""

import re

import numpy as np
import pytest

from sinehil.report import svg


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1e-4, 20.0, ["0.0001", "0.001", "0.01", "0.1", "1", "10"]),
        (0.008, 0.5, ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5"]),
        (0.28, 0.95, ["0.3", "0.4", "0.5", "0.6", "0.8"]),
    ],
)
def test_a_logarithmic_axis_has_round_ticks_at_their_places(
    low: float, high: float, labels: list[str]
) -> None:
    axis = svg.log_axis(low, high, "mse")
    assert [tick.label for tick in axis.ticks] == labels
    assert [10**tick.value for tick in axis.ticks] == pytest.approx([float(label) for label in labels])
    assert (10**axis.low, 10**axis.high) == pytest.approx((low, high))


def test_pluses_stand_on_their_points_and_only_inside() -> None:
    frame = svg.Frame(172, 158, svg.Axis(0, 10, "x", ()), svg.Axis(0, 10, "y", ()))
    drawn = svg.pluses(frame, "test", np.array([5.0, 11.0]), np.array([5.0, 5.0]), 3)
    assert re.findall(r"M(\S+) (\S+)h6m-3 -3v6", drawn) == [("105", "62")]
