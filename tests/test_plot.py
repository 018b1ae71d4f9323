"""Pictures: what is drawn is what the plan says."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import street
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.figure import Figure

import offload
from offload import Graph, Link, Network, Node, Problem, Task
from offload.plot import gantt, topology


@pytest.fixture(scope="module")
def plan() -> offload.Plan:
    """The best plan of the street."""
    found = offload.solve(street(), method="cpsat").plan
    assert found is not None
    return found


def boxes(collection: PolyCollection) -> np.ndarray:
    """Left, right, and middle of the height of each bar."""
    corners = np.array([path.vertices for path in collection.get_paths()])
    x, y = corners[..., 0], corners[..., 1]
    return np.stack([x.min(1), x.max(1), (y.min(1) + y.max(1)) / 2], 1)


def test_bars_have_the_times_and_the_nodes_of_the_plan(plan: offload.Plan) -> None:
    ax = gantt(plan)
    assert ax.get_xlabel() == "time (ms)"
    tasks, moved = (boxes(c) for c in ax.collections if isinstance(c, PolyCollection))
    names = dict(zip(ax.get_yticks(), (t.get_text() for t in ax.get_yticklabels()), strict=True))
    rows = plan.to_frame()
    np.testing.assert_allclose(tasks[:, 0], rows["start"] * 1e3)
    np.testing.assert_allclose(tasks[:, 1], rows["finish"] * 1e3)
    assert [names[row] for row in tasks[:, 2]] == rows["node"].tolist()
    assert moved[:, 0] == pytest.approx(plan.transfers_frame()["start"] * 1e3)
    assert "cam → edge" in names.values()
    low, high = ax.get_ylim()
    assert all(high < row < low for row in names)


def test_tasks_at_the_same_time_on_a_node_are_on_rows_of_their_own() -> None:
    graph = Graph([Task(f"t{i}", work=1 + i) for i in range(4)])
    problem = Problem(network=Network([Node("n", slots=2)]), graph=graph)
    found = offload.evaluate(problem, [[0] * 4], [range(4)]).plan()
    (bars,) = (boxes(c) for c in gantt(found).collections)
    for i in range(4):
        for j in range(i):
            apart = bars[i, 2] != bars[j, 2]
            assert apart or bars[i, 0] >= bars[j, 1] or bars[j, 0] >= bars[i, 1]
    assert len(set(bars[:, 2])) == 2


def test_pictures_go_where_they_are_told(plan: offload.Plan) -> None:
    ax = Figure().subplots()
    assert gantt(plan, ax) is ax
    assert plan.plot_topology(Figure().subplots()) is not ax
    assert plan.plot_gantt(ax) is ax
    assert plan.problem.plot_topology(ax) is ax
    assert len(gantt(plan, Figure().subplots(), transfers=False).collections) == 1


def test_links_are_as_thick_as_what_they_carry() -> None:
    nodes = [Node("a", tier="device"), Node("relay", slots=0), Node("b", tier="cloud")]
    ends = (("a", "relay", 1e3), ("b", "relay", 1e3), ("a", "b", 1e2))
    links = [Link(src, dst, bandwidth=bandwidth) for src, dst, bandwidth in ends]
    graph = Graph(
        [Task("s", work=1, allow=["a"]), Task("t", work=1, allow=["b"])],
        [offload.Edge("s", "t", bytes=500)],
    )
    problem = Problem(network=Network(nodes, links), graph=graph)
    found = offload.evaluate(problem, [[0, 2]], [[0, 1]]).plan()
    ax = topology(problem, found)
    every, busy = (c for c in ax.collections if isinstance(c, LineCollection))
    assert len(every.get_segments()) == 3
    assert len(busy.get_segments()) == 2
    np.testing.assert_allclose(busy.get_linewidths(), 6.0)
    assert {t.get_text() for t in ax.texts} == {"a (1)", "relay", "b (1)"}
    assert [t.get_text() for t in ax.get_xticklabels()] == ["device", "edge", "cloud"]


def test_a_plan_of_no_tasks_is_an_empty_picture() -> None:
    problem = Problem(network=Network([Node("n")]))
    found = offload.evaluate(problem, np.zeros((1, 0), int), np.zeros((1, 0), int)).plan()
    assert gantt(found).get_xlim()[1] > 0
    assert topology(problem, found).collections


@pytest.mark.filterwarnings("error")
def test_pictures_can_be_saved(plan: offload.Plan, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name, ax in (("g", gantt(plan)), ("t", topology(plan.problem))):
        ax.figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000


# -- sweeps ----------------------------------------------------------------------------------------

BANDWIDTH, SPEED = "network.links[cam-edge].bandwidth", "network.nodes[edge].speed"


def test_a_sweep_is_a_line_with_rings_where_the_placement_changes() -> None:
    frame = offload.sweep(street(), {BANDWIDTH: [1e8, 1e3, 1e6, 1e7]}, "cpsat")
    ax = frame.plot_sweep()
    line, rings = ax.get_lines()
    ordered = frame.sort_values(BANDWIDTH)
    assert line.get_xdata() == pytest.approx(ordered[BANDWIDTH])
    assert line.get_ydata() == pytest.approx(ordered["objective"])
    changed = ordered["placement"].diff().fillna(0) != 0
    assert rings.get_xdata() == pytest.approx(ordered[BANDWIDTH][changed])
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("links[cam-edge].bandwidth", "latency (s)")
    ax.figure.canvas.draw()
    assert "1 MB/s" in [label.get_text() for label in ax.get_xticklabels()]


def test_a_second_parameter_is_a_line_a_value_or_a_map() -> None:
    few = offload.sweep(street(), {BANDWIDTH: [1e6, 1e7], SPEED: ["x1", "x2"]}, "heft")
    ax = few.plot_sweep()
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend[:2] == ["x1", "x2"]
    assert ax.get_legend().get_title().get_text() == "nodes[edge].speed (factor)"
    values = {BANDWIDTH: [1e5, 1e6, 1e7], SPEED: [f"x{n}" for n in range(1, 9)]}
    many = offload.sweep(street(), values, "heft", limits={"latency": 1})
    ax = many.plot_sweep()
    (mesh,) = (c for c in ax.collections if isinstance(c, QuadMesh))
    table = many.pivot(index=SPEED, columns=BANDWIDTH, values="objective").to_numpy() * 1e3
    drawn = np.ma.filled(mesh.get_array(), np.nan)
    np.testing.assert_allclose(drawn.reshape(table.shape), table)
    assert np.isnan(table).any()  # hatched


def test_a_sweep_over_words_and_nothing_is_drawn_too() -> None:
    frame = offload.sweep(street(), {"network.links[cam-edge].duplex": ["half", "full"],
                                     "limits.latency": [None, 0.5]}, "cpsat")  # fmt: skip
    ax = frame.plot_sweep()
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["half", "full"]
    assert "no plan" in [text.get_text() for text in ax.get_legend().get_texts()]
    three = {BANDWIDTH: [1e6, 2e6], SPEED: [1e9, 2e9], "network.nodes[cam].speed": [1e9, 2e9]}
    with pytest.raises(offload.OffloadError, match="draws one or two parameters, got 3"):
        offload.sweep(street(), three, "heft").plot_sweep()
    assert offload.sweep(street(), three, "heft", combine="zip").plot_sweep().get_lines()
