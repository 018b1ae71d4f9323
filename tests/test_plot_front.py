"""Pareto fronts: plans, what they attain, and the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from command_line import street
from matplotlib.collections import PathCollection
from matplotlib.patches import Polygon

import offload
from offload.plot import front


@dataclass
class Front:
    """What a picture of a front needs."""

    metrics: tuple[str, ...]
    values: Any
    proved: Any = None
    gaps: Any = None
    lower_bounds: Any = None
    knee: int | None = None

    def __post_init__(self) -> None:
        self.values = np.array(self.values, float).reshape(-1, len(self.metrics))
        count = len(self.values)
        self.proved = np.ones(count, bool) if self.proved is None else np.array(self.proved, bool)
        self.gaps = np.full(count, np.nan) if self.gaps is None else np.array(self.gaps)
        bounds = [] if self.lower_bounds is None else self.lower_bounds
        self.lower_bounds = np.array(bounds, float).reshape(-1, len(self.metrics))


def stairs(ax: Any, label: str) -> list[list[float]]:
    """Corners of a line by its label."""
    (line,) = (line for line in ax.get_lines() if line.get_label() == label)
    return np.asarray(line.get_xydata()).tolist()


def labels(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_stairs_lead_over_plans_and_bounds() -> None:
    drawn = Front(
        ("latency", "energy"), [[1, 9], [3, 4], [4, 2]], [True, False, True], [0, 0.07, 0],
        [[1, 8], [2, 3], [3, 3], [4, 2]], knee=1,
    )  # fmt: skip
    ax = front(drawn)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("latency (s)", "energy (J)")
    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    assert (right, top) > (4, 9)
    assert stairs(ax, "attained") == [[1, top], [1, 9], [3, 9], [3, 4], [4, 4], [4, 2], [right, 2]]
    # The row (3, 3) is no better than (2, 3).
    assert stairs(ax, "lower bound") == [
        [1, top], [1, 8], [2, 8], [2, 3], [4, 3], [4, 2], [right, 2],
    ]  # fmt: skip
    (area,) = (patch for patch in ax.patches if isinstance(patch, Polygon))
    for inside, point in (
        (True, (2.5, 5)),
        (False, (1.5, 7)),
        (False, (3.5, 5)),
        (True, (1.5, 8.5)),
    ):
        assert area.get_path().contains_point(point) is inside
    proved, open_ones = (c for c in ax.collections if isinstance(c, PathCollection))
    assert np.asarray(proved.get_offsets()).tolist() == [[1, 9], [4, 2]]
    assert np.asarray(open_ones.get_offsets()).tolist() == [[3, 4]]
    assert open_ones.get_facecolors()[0].tolist() == [1, 1, 1, 1]
    assert labels(ax) == ["plan, proved", "plan", "knee", "attained", "lower bound", "open"]
    assert [text.get_text() for text in ax.texts] == ["7 %"]
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1 + 1


def test_values_have_the_units_that_suit_them() -> None:
    ax = front(Front(("traffic", "cost"), [[2e6, 3e-5], [9e9, 1e-6]]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("traffic (GB)", "cost (1e-6)")
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert stairs(ax, "attained")[1] == pytest.approx([2e-3, 30])
    flat = front(Front(("latency", "energy"), [[0.2, 3], [0.9, 1]]))
    assert (flat.get_xlabel(), flat.get_xscale(), flat.get_yscale()) == (
        "latency (ms)", "linear", "linear",
    )  # fmt: skip


def test_a_third_metric_is_a_colour() -> None:
    values = [[1, 9, 5e6], [3, 4, 1e6], [4, 2, 3e6]]
    ax = front(Front(("latency", "energy", "traffic"), values, [True, False, True], knee=2))
    (bar,) = (other for other in ax.figure.axes if other is not ax)
    assert bar.get_ylabel() == "traffic (MB)"
    assert bar.get_ylim() == (1, 5)
    assert labels(ax) == ["plan, proved", "plan", "knee"]
    proved, other = (c.get_facecolors() for c in ax.collections if isinstance(c, PathCollection))
    light = [float(np.dot(shade[:3], (0.299, 0.587, 0.114))) for shade in (*proved, *other)]
    assert light[0] < light[1] < light[2]  # 5, 3 and 1 MB, in grey too


def test_fronts_of_nothing_and_of_one_plan_are_drawn() -> None:
    assert labels(front(Front(("latency", "energy"), [], lower_bounds=[[1, 5]]))) == ["lower bound"]
    assert front(Front(("latency", "energy"), [])).get_legend() is None
    one = front(Front(("latency", "energy"), [[1, 5]], knee=0, lower_bounds=[[1, 5]]))
    assert stairs(one, "attained") == stairs(one, "lower bound")


def test_gaps_that_say_nothing_are_not_written_and_far_bounds_do_not_hide_plans() -> None:
    drawn = Front(
        ("latency", "energy"), [[100, 3], [101, 2], [102, 1]], [False] * 3, [1, 0.5, np.nan],
        [[1, 0.5]],
    )  # fmt: skip
    ax = front(drawn)
    assert [text.get_text() for text in ax.texts] == ["50 %"]
    low, high = ax.get_xlim()
    assert (low > 90, high < 110) == (True, True)
    assert ax.get_ylim()[0] < 0.5


def test_a_front_draws_itself() -> None:
    made = offload.pareto(street(), ("latency", "energy"), time_limit=10)
    ax = made.plot_front()
    attained = np.array(stairs(ax, "attained"))
    sizes = [1e-3 if ax.get_xlabel() == "latency (ms)" else 1.0, 1.0]
    for plan in made.plans:
        value = np.array([plan.metrics[name] for name in made.metrics]) / sizes
        assert np.isclose(attained, value).all(1).any()
