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


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-0.1, 6.4, ["0", "\u03c0/2", "\u03c0", "3\u03c0/2", "2\u03c0"]),
        (-6.5, 6.5, ["\u22122\u03c0", "\u2212\u03c0", "0", "\u03c0", "2\u03c0"]),
        (-0.1, 0.1, ["\u22120.10", "\u22120.05", "0.00", "0.05", "0.10"]),
    ],
)
def test_an_axis_of_angles_has_as_many_ticks_as_a_phone_has_room_for(
    low: float, high: float, labels: list[str]
) -> None:
    assert [tick.label for tick in svg.pi_axis(low, high, "x").ticks] == labels


def test_every_plain_axis_has_three_to_eight_ticks() -> None:
    for length in np.geomspace(1e-6, 1e5, 400):
        for low in (0.0, -length / 3, -0.98 * length):
            axis = svg.nice_axis(low, low + length, "x")
            assert 3 <= len(axis.ticks) <= 8
            assert len({tick.label for tick in axis.ticks}) == len(axis.ticks)


def test_pluses_stand_on_their_points_and_only_inside() -> None:
    frame = svg.PlotArea(svg.LEFT + 114, 158, svg.Axis(0, 10, "x", ()), svg.Axis(0, 10, "y", ()))
    drawn = svg.pluses(frame, "test", np.array([5.0, 11.0]), np.array([5.0, 5.0]), 3)
    assert re.findall(r"M(\S+) (\S+)h6m-3 -3v6", drawn) == [(str(svg.LEFT + 47), "62")]
