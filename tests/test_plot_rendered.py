"""Pictures as they are seen: nothing overlaps, legends fit, shades differ in grey."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.transforms import Bbox

import offload
from offload.plot import gantt, graph, load, memory, topology
from offload.plot.style import FILLS, colours

SMALL = ("topcuoglu-2002", "crossing-12")
LARGE = ("smart-traffic", "layered")


@pytest.fixture(scope="module")
def plans() -> dict[str, offload.Plan]:
    """Plans of about ten tasks, and of 500."""
    folder = Path(__file__).resolve().parents[1] / "instances"
    problems = {name: offload.load(folder / f"{name}.json") for name in SMALL}
    problems |= {name: offload.generate(name, size=500, seed=0) for name in LARGE}
    found = {}
    for name, problem in problems.items():
        plan = offload.solve(problem, method="greedy").plan
        assert plan is not None, name
        found[name] = plan
    return found


def shown(texts: Any) -> list[Bbox]:
    """Where texts are seen."""
    return [text.get_window_extent() for text in texts if text.get_text() and text.get_visible()]


def meet(one: Bbox, two: Bbox, margin: float = 1.0) -> bool:
    """Whether two boxes overlap by more than a margin, in pixels."""
    return (
        min(one.x1, two.x1) - max(one.x0, two.x0) > margin
        and min(one.y1, two.y1) - max(one.y0, two.y0) > margin
    )


def look(ax: Axes) -> None:
    """Check what must hold of any picture."""
    ax.set_title("a title of the caller")
    figure = ax.figure
    figure.draw_without_rendering()
    inside = figure.bbox.padded(1)
    for ticks in (ax.get_yticklabels(), ax.get_xticklabels()):
        names = shown(ticks)
        assert not any(meet(one, two) for one, two in pairwise(names))
    texts = shown(ax.texts)
    assert not any(meet(one, two, 2.0) for one, two in combinations(texts, 2))
    seen = [*texts, *shown([ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_yticklabels()])]
    if ax.get_legend() is not None:
        legend = ax.get_legend().get_window_extent()
        assert not meet(legend, ax.get_window_extent(), 3.0)
        assert not meet(legend, ax.title.get_window_extent())
        seen.append(legend)
    for box in seen:
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1
        assert inside.y0 <= box.y0
        assert box.y1 <= inside.y1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [*SMALL, *LARGE])
def test_nothing_overlaps_and_everything_is_on_the_picture(
    plans: dict[str, offload.Plan], name: str
) -> None:
    plan = plans[name]
    for draw in (gantt, graph, load, memory):
        look(draw(plan))
    look(topology(plan.problem, plan))


def test_boxes_of_tasks_do_not_meet(plans: dict[str, offload.Plan]) -> None:
    for name in SMALL:
        ax = graph(plans[name])
        ax.figure.draw_without_rendering()
        frames = [text.get_bbox_patch() for text in ax.texts]
        boxes = [frame.get_window_extent() for frame in frames if frame is not None]
        assert len(boxes) == plans[name].problem.tables.tasks
        assert not any(meet(one, two) for one, two in combinations(boxes, 2))


def test_names_of_rows_are_legible_in_small_axes(plans: dict[str, offload.Plan]) -> None:
    from matplotlib.figure import Figure

    for draw in (gantt, load):
        ax = Figure(figsize=(6, 4), layout="constrained").subplots()
        draw(plans["smart-traffic"], ax)
        look(ax)
        assert " of 87 nodes" in ax.get_xlabel()
        assert min(tick.get_fontsize() for tick in ax.get_yticklabels()) >= 5


def test_pictures_can_be_saved(plans: dict[str, offload.Plan], tmp_path: Path) -> None:
    plan = plans["crossing-12"]
    for number, ax in enumerate((gantt(plan), topology(plan.problem), graph(plan), memory(plan))):
        ax.figure.savefig(tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 5000


def grey(colour: str) -> float:
    """Lightness of a colour in a grey copy, from black (0) to white (1): ITU-R BT.601."""
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


def test_shades_differ_in_grey() -> None:
    levels = [grey(shade) for shade in FILLS]
    assert levels == sorted(levels, reverse=True)
    assert min(a - b for a, b in pairwise(levels)) > 0.07
    for count, least in ((2, 0.2), (3, 0.2), (4, 0.14)):
        tiers = ["device", "edge", "fog", "cloud"][:count]
        shades = [grey(shade) for shade in colours(tiers).values()]
        assert shades == sorted(shades, reverse=True)
        assert min(a - b for a, b in pairwise(shades)) > least
