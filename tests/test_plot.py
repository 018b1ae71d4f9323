"""Pictures: what is drawn is what the plan says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from command_line import street
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

import offload
from offload import Graph, Link, Network, Node, OffloadError, Problem, Progress, Task
from offload.plot import convergence, gantt, graph, load, memory, topology


@pytest.fixture(scope="module")
def plan() -> offload.Plan:
    """The best plan of the street."""
    found = offload.solve(street(), method="cpsat").plan
    assert found is not None
    return found


def relayed(duplex: str = "full") -> offload.Plan:
    """Two tasks on the ends of two links, 500 bytes between them."""
    nodes = [Node("a", tier="device"), Node("relay", slots=0), Node("b", tier="cloud")]
    ends = (("a", "relay", 1e3), ("b", "relay", 1e3), ("a", "b", 1e2))
    links = [Link(src, dst, bandwidth=rate, duplex=duplex) for src, dst, rate in ends]  # type: ignore[arg-type]
    tasks = [Task("s", work=1, allow=["a"]), Task("t", work=1, allow=["b"])]
    joined = Graph(tasks, [offload.Edge("s", "t", bytes=500)])
    problem = Problem(network=Network(nodes, links), graph=joined)
    return offload.evaluate(problem, [[0, 2]], [[0, 1]]).plan()


def apart(count: int, nodes: int) -> offload.Plan:
    """A chain of tasks, each on the next of some nodes in a ring of links."""
    names = [f"node-{k}" for k in range(nodes)]
    ring = pairwise([*names, names[0]])
    links = [Link(a, b, bandwidth=1e3, latency=0.1, duplex="simplex") for a, b in ring]
    tasks = [Task(f"t{i}", work=1) for i in range(count)]
    edges = [offload.Edge(f"t{i}", f"t{i + 1}", bytes=100) for i in range(count - 1)]
    network = Network([Node(name) for name in names], links)
    problem = Problem(network=network, graph=Graph(tasks, edges))
    place = [i % nodes for i in range(count)]
    return offload.evaluate(problem, [place], [range(count)]).plan()


def boxes(collection: PolyCollection) -> np.ndarray:
    """Left, right, and middle of the height of each bar."""
    corners = np.array([path.vertices for path in collection.get_paths()])
    x, y = corners[..., 0], corners[..., 1]
    return np.stack([x.min(1), x.max(1), ((y.min(1) + y.max(1)) / 2).round(9)], 1)


def row_names(ax: Axes) -> dict[float, str]:
    """Names of rows by their height."""
    names = (tick.get_text() for tick in ax.get_yticklabels())
    return dict(zip(np.round(ax.get_yticks(), 9), names, strict=True))


def bars(ax: Axes) -> list[np.ndarray]:
    """The bars of tasks, and of transfers."""
    return [boxes(c) for c in ax.collections if isinstance(c, PolyCollection)]


# -- Gantt charts --------------------------------------------------------------------------------


def test_bars_have_the_times_and_the_nodes_of_the_plan(plan: offload.Plan) -> None:
    ax = gantt(plan)
    assert ax.get_xlabel() == "time (ms)"
    tasks, moved = bars(ax)
    names, rows = row_names(ax), plan.to_frame()
    np.testing.assert_allclose(tasks[:, 0], rows["start"] * 1e3)
    np.testing.assert_allclose(tasks[:, 1], rows["finish"] * 1e3)
    assert [names[row] for row in tasks[:, 2]] == rows["node"].tolist()
    assert moved[:, 0] == pytest.approx(plan.transfers_frame()["start"] * 1e3)
    assert "cam → edge" in names.values()
    low, high = ax.get_ylim()
    assert all(high < row < low for row in names)


def test_transfers_hold_each_link_of_their_route_while_their_bytes_pass() -> None:
    for duplex, names in (
        ("full", ["a → relay", "relay → b"]),
        ("half", ["a ↔ relay", "b ↔ relay"]),
    ):
        ax = gantt(relayed(duplex))
        _, held = bars(ax)
        np.testing.assert_allclose(held[:, :2], [[1.0, 1.5]] * 2)
        assert sorted(row_names(ax)[row] for row in held[:, 2]) == names


def test_coding_and_latency_hold_no_link() -> None:
    nodes = [Node("a", speed=100), Node("b", speed=50)]
    link = Link("a", "b", bandwidth=10, latency=7)
    edge = offload.Edge("s", "t", bytes=100, codecs=["half"])
    problem = Problem(
        network=Network(nodes, [link]),
        graph=Graph([Task("s", work=100), Task("t", work=50)], [edge]),
        codecs=[offload.Codec("half", ratio=2, encode=3, decode=4)],
    )
    found = offload.evaluate(problem, [[0, 1]], [[0, 1]], codecs=[[0]]).plan()
    _, held = bars(gantt(found))
    np.testing.assert_allclose(held[0, :2], [1 + 3, 1 + 3 + 5])
    assert found.metrics["latency"] == pytest.approx(9 + 7 + 8 + 1)


def test_bars_of_a_row_do_not_overlap() -> None:
    joined = Graph([Task(f"t{i}", work=1 + i) for i in range(4)])
    problem = Problem(network=Network([Node("n", slots=2)]), graph=joined)
    found = offload.evaluate(problem, [[0] * 4], [range(4)]).plan()
    (drawn,) = bars(gantt(found))
    for i in range(4):
        for j in range(i):
            other = drawn[i, 2] != drawn[j, 2]
            assert other or drawn[i, 0] >= drawn[j, 1] or drawn[j, 0] >= drawn[i, 1]
    assert len(set(drawn[:, 2])) == 2


def test_rows_that_are_left_out_are_told() -> None:
    plan = apart(12, 6)
    assert gantt(plan).get_xlabel() == "time (s)"
    ax = gantt(plan, rows=4)
    assert ax.get_xlabel() == "time (s)\nthe busiest 4 of 6 nodes, 4 of 6 rows of links"
    assert len(row_names(ax)) == 8
    assert [len(kind) for kind in bars(ax)] == [8, 8]
    assert load(plan, rows=2).get_xlabel() == "time (s)\n2 of 6 nodes that run something"
    for draw in (gantt, load, memory):
        with pytest.raises(OffloadError, match="rows: must be >= 1, got 0"):
            draw(plan, rows=0)


def test_names_stand_in_bars_that_hold_them(plan: offload.Plan) -> None:
    ax = gantt(plan)
    ax.figure.draw_without_rendering()
    drawn = [text for text in ax.texts if text.get_text() in ("grab", "detect", "alarm")]
    assert [text.get_text() for text in drawn] == ["detect", "grab"]  # alarm takes 0.1 ms
    across = ax.transData.transform
    for text in drawn:
        row = plan.to_frame().set_index("task").loc[text.get_text()]
        left, right = (across((row[end] * 1e3, 0))[0] for end in ("start", "finish"))
        box = text.get_window_extent()
        assert left <= box.x0
        assert box.x1 <= right


# -- networks ------------------------------------------------------------------------------------


def test_links_are_as_thick_as_what_they_carry() -> None:
    found = relayed()
    ax = topology(found.problem, found)
    every, busy = (c for c in ax.collections if isinstance(c, LineCollection))
    assert len(every.get_segments()) == 3
    assert len(busy.get_segments()) == 2
    np.testing.assert_allclose(busy.get_linewidths(), 6.0)
    texts = [text.get_text() for text in ax.texts]
    assert sorted(texts) == [
        "500 B", "500 B", "a: 1 task, 40 % busy", "b: 1 task, 40 % busy", "relay",
    ]  # fmt: skip
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["device", "edge", "cloud"]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["relay", "500 B"]


def test_texts_are_shorter_where_there_is_less_room() -> None:
    found = relayed()
    for width, wanted in ((8, "a: 1 task, 40 % busy"), (3, "a (1)")):
        ax = topology(found.problem, found, Figure(figsize=(width, 3)).subplots())
        assert wanted in [text.get_text() for text in ax.texts]


def test_both_ways_of_a_link_count() -> None:
    nodes, link = [Node("a"), Node("b")], Link("a", "b", bandwidth=1e3)
    tasks = [Task(name, work=1) for name in "stu"]
    edges = [offload.Edge("s", "t", bytes=300), offload.Edge("t", "u", bytes=1200)]
    problem = Problem(network=Network(nodes, [link]), graph=Graph(tasks, edges))
    found = offload.evaluate(problem, [[0, 1, 0]], [[0, 1, 2]]).plan()
    assert "1.5 kB" in [text.get_text() for text in topology(problem, found).texts]


def test_idle_nodes_are_white_and_say_so(plan: offload.Plan) -> None:
    idle = {node.id for node in plan.problem.network.nodes} - set(plan.to_frame()["node"])
    ax = topology(plan.problem, plan)
    shown = {text.get_text() for text in ax.texts}
    assert idle
    assert idle <= shown
    legend = ax.get_legend()
    assert legend is not None
    assert "idle" in [text.get_text() for text in legend.get_texts()]


# -- task graphs ---------------------------------------------------------------------------------


def lines(ax: Axes) -> dict[str, int]:
    """How many edges are drawn by what the legend says of their look."""
    legend = ax.get_legend()
    assert legend is not None
    look = {
        line.get_linestyle(): text.get_text()
        for line, text in zip(legend.get_lines(), legend.get_texts(), strict=True)
    }
    found = [c for c in ax.collections if isinstance(c, LineCollection)]
    dashes = ["-" if c.get_linestyles()[0][1] is None else "--" for c in found]
    return {look[d]: len(c.get_segments()) for d, c in zip(dashes, found, strict=True)}


def test_small_graphs_name_tasks_and_nodes_and_tell_what_moves(plan: offload.Plan) -> None:
    rows = plan.to_frame()
    ax = graph(plan)
    wanted = {f"{t}\n{k}" for t, k in zip(rows["task"], rows["node"], strict=True)}
    assert {text.get_text() for text in ax.texts} == wanted
    moves = len(plan.transfers.kind)
    assert lines(ax) == {"moves": moves, "stays on its node": 2 - moves}
    alone = graph(plan.problem)
    assert {text.get_text() for text in alone.texts} == {"grab", "detect", "alarm"}
    assert alone.get_legend() is None


def test_large_graphs_have_a_colour_and_a_shape_for_each_node() -> None:
    for nodes in (2, 24):
        ax = graph(apart(72, nodes))
        looks = {(str(m.get_markerfacecolor()), m.get_marker()) for m in ax.get_lines()}
        assert len(looks) == nodes
        legend = ax.get_legend()
        assert legend is not None
        texts = [text.get_text() for text in legend.get_texts()]
        assert texts[0] == f"node-0 ({72 // nodes})"
        assert len(texts) == nodes + 1  # all edges move
    assert len(graph(apart(72, 25)).get_lines()) == 1  # by tier, of which there is one
    assert len(graph(apart(72, 25), by="node").get_lines()) == 25
    with pytest.raises(OffloadError, match="by: must be 'node', 'tier' or None, got 'kind'"):
        graph(apart(3, 2), by="kind")  # type: ignore[arg-type]


def test_parts_on_several_nodes_are_named() -> None:
    network = Network([Node("a"), Node("b")], [Link("a", "b")])
    problem = Problem(network=network, graph=Graph([Task("t", work=2, divisible=True)]))
    found = offload.solve(problem, method="milp").plan
    assert found is not None
    assert [text.get_text() for text in graph(found).texts] == ["t\na + b"]


# -- slots and memory ----------------------------------------------------------------------------


def test_full_rows_are_full_nodes(plan: offload.Plan) -> None:
    for ax, name, share in (
        (load(plan), "cam  1 / 1", 1.0), (memory(plan), "cam  200 MB / 1 GB", 0.2),
    ):  # fmt: skip
        assert next(iter(row_names(ax).values())) == name
        shape = next(c for c in ax.collections if isinstance(c, PolyCollection))
        x, y = np.asarray(shape.get_paths()[0].vertices).T
        limit = next(c for c in ax.collections if isinstance(c, LineCollection))
        top = float(np.asarray(limit.get_segments()[0])[0, 1])
        assert y.min() == pytest.approx(share * top)  # up is towards lower numbers
        busy = x[y < -0.01]
        assert (busy.min(), busy.max()) == pytest.approx((0.0, 100.0), abs=1e-3)


def test_memory_without_limit_is_drawn_against_its_peak(plan: offload.Plan) -> None:
    names = list(row_names(memory(apart(3, 2))).values())
    assert names == []
    tasks = [Task("t", work=1, memory=3e6, resident=1e6)]
    problem = Problem(network=Network([Node("n")]), graph=Graph(tasks))
    found = offload.evaluate(problem, [[0]], [[0]]).plan()
    assert list(row_names(memory(found)).values()) == ["n  4 MB / unlimited"]


# -- convergence ---------------------------------------------------------------------------------

HISTORY = [
    Progress(0.5, None, 1.0, "node-columns"), Progress(1.0, 9.0, 1.0, "heft"),
    Progress(4.0, 5.0, 2.0, "cpsat"),
]  # fmt: skip


def test_objective_and_bound_are_steps_over_time() -> None:
    ax = convergence(HISTORY, minimize={"energy": 1})
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "energy (J)")
    curves = {line.get_label(): line for line in ax.get_lines()}
    best, bound = curves["objective of the best plan"], curves["bound"]
    assert best.get_drawstyle() == bound.get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(best.get_xdata()[:3], [0.5, 1.0, 4.0])
    np.testing.assert_array_equal(best.get_ydata(), [np.nan, 9, 5, 5])
    np.testing.assert_array_equal(bound.get_ydata(), [1, 1, 2, 2])
    legend = ax.get_legend()
    assert legend is not None
    assert "gap, 60 % at the end" in [text.get_text() for text in legend.get_texts()]
    assert [text.get_text() for text in ax.texts] == ["node-columns", "heft", "cpsat"]


def test_tables_are_histories_too() -> None:
    import pandas as pd

    table = pd.DataFrame([vars(report) for report in HISTORY])
    again, wanted = convergence(table), convergence(HISTORY)
    for one, two in zip(again.get_lines(), wanted.get_lines(), strict=True):
        np.testing.assert_array_equal(one.get_ydata(), two.get_ydata())
    with pytest.raises(OffloadError, match="history: has no column 'bound'"):
        convergence(table.drop(columns="bound"))
    assert convergence([]).get_lines()[:] == []


def test_a_solve_tells_its_convergence() -> None:
    history: list[Progress] = []
    offload.solve(street(), on_progress=history.append)
    ends = [line.get_ydata()[-1] for line in convergence(history).get_lines()[:2]]
    assert ends == pytest.approx([0.702125, 0.702125], rel=1e-3)


# -- all pictures --------------------------------------------------------------------------------


def test_pictures_go_where_they_are_told(plan: offload.Plan) -> None:
    ax = Figure().subplots()
    for draw in (
        plan.plot_gantt, plan.plot_topology, plan.plot_graph, plan.plot_load, plan.plot_memory,
        plan.problem.plot_topology, plan.problem.plot_graph,
    ):  # fmt: skip
        assert draw(Figure().subplots()) is not ax
        assert draw(ax) is ax
    assert gantt(plan, ax) is ax
    assert convergence(HISTORY, ax) is ax


def test_a_plan_of_no_tasks_is_an_empty_picture() -> None:
    problem = Problem(network=Network([Node("n")]))
    found = offload.evaluate(problem, np.zeros((1, 0), int), np.zeros((1, 0), int)).plan()
    assert gantt(found).get_xlim()[1] > 0
    assert topology(problem, found).collections
    assert graph(found).texts[:] == []
    assert load(found).get_xlabel() == "time (s)\nno nodes run something"
    assert memory(found).get_xlabel() == "time (s)\nno nodes use memory"
