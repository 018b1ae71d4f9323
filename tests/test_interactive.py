"""Interactive pictures: what is drawn, and told, is what the plan says."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from command_line import layers, street
from drawing import draw_plan, draw_problem
from hand_plans import instance, plan, run, send

import offload
from offload import Codec, Edge, Link, Node, OffloadError, Plan, Task
from offload.plot import interactive
from offload.plot.arrangement import arranged
from offload.plot.bars import Bars, chart
from offload.plot.style import colours


@dataclasses.dataclass
class Trade:
    """A front as the pictures see it."""

    metrics: Sequence[str]
    values: np.ndarray
    proved: np.ndarray
    gaps: np.ndarray
    lower_bounds: np.ndarray
    knee: int | None
    plans: Sequence[Plan]


@pytest.fixture(scope="module")
def best() -> Plan:
    """The best plan of the street: camera to edge, all else on the edge."""
    found = offload.solve(street(), method="cpsat").plan
    assert found is not None
    return found


def traces(figure: Any) -> dict[str, Any]:
    """The traces of a figure by name."""
    return {trace.name: trace for trace in figure.data}


def overlaps(bars: Bars) -> list[tuple[int, int]]:
    """Pairs of bars that cover one another."""
    order = np.lexsort((bars.start, bars.middle))
    pairs = zip(order.tolist(), order[1:].tolist(), strict=False)
    return [
        (a, b) for a, b in pairs
        if bars.middle[a] == bars.middle[b] and bars.finish[a] > bars.start[b] * (1 + 1e-9) + 1e-9
    ]  # fmt: skip


# -- bars ------------------------------------------------------------------------------------------


def relayed(duplex: Any = "full", codec: str | None = None) -> Plan:
    """Two tasks on the ends of a route of two links: 2 s of 10 bytes a second, 0.5 s of latency."""
    ends = (Node("a"), Node("relay", slots=0), Node("b"))
    links = (
        Link("a", "relay", bandwidth=10, latency=0.25, duplex=duplex),
        Link("relay", "b", bandwidth=20, latency=0.25, duplex=duplex),
    )
    problem = instance(
        (Task("x", work=1), Task("y", work=1)),
        (Edge("x", "y", bytes=20, codecs=("half",) if codec else ()),),
        nodes=ends, links=links, codecs=(Codec("half", 2.0, 0.1, 0.1),),
    )  # fmt: skip
    arrival = 1 + (2 + 1 + 0.5 + 2 if codec else 2.5)
    rows = [run("x", "a", 0, 1), run("y", "b", arrival, arrival + 1)]
    return plan(problem, rows, [send("x", "y", "a>b", 1, arrival, codec=codec)])


def test_a_transfer_is_on_each_link_of_its_route_while_it_is_serialised() -> None:
    made = chart(relayed())
    names = [made.rows[row].name for row in made.transfers.row]
    assert sorted(names) == ["a → relay", "relay → b"]
    np.testing.assert_allclose(made.transfers.start, 1.0)
    np.testing.assert_allclose(made.transfers.finish, 3.0)
    assert [row.name for row in made.rows] == ["a", "b", "a → relay", "relay → b"]


def test_encoding_comes_before_a_link_is_held() -> None:
    made = chart(relayed(codec="half"))
    np.testing.assert_allclose(made.transfers.start, 3.0)
    np.testing.assert_allclose(made.transfers.finish, 4.0)


def test_the_two_directions_of_a_half_duplex_link_share_one_row() -> None:
    tasks, edges = (Task("x", work=1), Task("y", work=1), Task("z", work=1)), (
        Edge("x", "y", bytes=10), Edge("y", "z", bytes=10),
    )  # fmt: skip
    for duplex, expected in (("full", ["a → b", "b → a"]), ("half", ["a ⇄ b", "a ⇄ b"])):
        problem = instance(tasks, edges, links=(Link("a", "b", bandwidth=10, duplex=duplex),))  # type: ignore[arg-type]
        rows = [run("x", "a", 0, 1), run("y", "b", 2, 3), run("z", "a", 4, 5)]
        made = chart(
            plan(problem, rows, [send("x", "y", "a>b", 1, 2), send("y", "z", "b>a", 3, 4)])
        )
        assert [made.rows[row].name for row in made.transfers.row] == expected
        assert len({float(middle) for middle in made.transfers.middle}) == len(set(expected))


def test_no_bar_covers_another_and_all_are_inside_their_rows() -> None:
    for seed in range(40):
        found = draw_plan(draw_problem(seed, tasks=(3, 12)), seed)
        if found is None:
            continue
        made = chart(found)
        for bars in (made.tasks, made.transfers):
            assert overlaps(bars) == []
            for row, middle, height in zip(bars.row, bars.middle, bars.height, strict=True):
                own = made.rows[row]
                assert own.top <= middle - height / 2 + 1e-9
                assert middle + height / 2 <= own.top + own.height + 1e-9
        assert sorted(made.tasks.of.tolist()) == list(range(len(found.parts.task)))
        nodes = [made.rows[row].node for row in made.tasks.row]
        assert nodes == found.parts.node[made.tasks.of].tolist()


def test_rows_that_are_left_out_are_the_least_busy_and_are_counted() -> None:
    problem = layers(6, 5, 6)
    found = offload.solve(problem, method="min-min").plan
    assert found is not None
    made = chart(found, nodes=2, links=3)
    busy = found.breakdown().nodes["busy"].to_numpy()
    kept = [row.node for row in made.rows if row.node >= 0]
    assert kept == sorted(np.argsort(-busy, kind="stable")[:2].tolist())
    assert made.hidden_nodes == len(set(found.parts.node.tolist())) - 2
    assert sum(row.node < 0 for row in made.rows) == 3
    title = interactive.gantt(found, nodes=2, links=3).layout.xaxis.title.text
    assert f"{made.hidden_nodes} less busy node" in title
    assert f"{made.hidden_links} less busy link" in title


# -- Gantt -----------------------------------------------------------------------------------------


def test_bars_have_the_times_the_rows_and_the_colours_of_the_plan(best: Plan) -> None:
    figure = interactive.gantt(best)
    made = traces(figure)
    assert figure.layout.xaxis.title.text == "time (ms)"
    assert list(made) == ["device", "edge", "transfer"]
    ticks = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    rows = best.to_frame().set_index("task")
    shades = colours([node.tier for node in best.problem.network.nodes])
    for tier, names in (("device", ["grab"]), ("edge", ["detect", "alarm"])):
        trace = made[tier]
        assert trace.marker.color == shades[tier]
        assert [told[0] for told in trace.customdata] == names
        np.testing.assert_allclose(np.array(trace.base, float), rows.loc[names, "start"] * 1e3)
        np.testing.assert_allclose(trace.x, rows.loc[names, "execution"] * 1e3)
        assert [ticks[y] for y in trace.y] == rows.loc[names, "node"].tolist()
        assert list(trace.text) == names
    np.testing.assert_allclose(np.array(made["transfer"].base, float), [100.0])
    np.testing.assert_allclose(made["transfer"].x, [100.0])
    assert [ticks[y] for y in made["transfer"].y] == ["cam → edge"]


def test_tooltips_say_where_when_and_what_was_waited_for(best: Plan) -> None:
    made = traces(interactive.gantt(best))
    (grab,), (detect, alarm) = made["device"].customdata, made["edge"].customdata
    assert list(grab) == ["grab", "cam", "0 s", "100 ms", "100 ms", ""]
    assert list(detect[:5]) == ["detect", "edge", "202 ms", "702 ms", "500 ms"]
    assert detect[5] == "<br>waited 102 ms for grab -&gt; detect"
    assert alarm[5] == "<br>after detect"
    assert list(made["transfer"].customdata[0]) == [
        "grab -&gt; detect", "cam → edge", "1 MB", "100 ms", "202 ms",
        "serialise 100 ms, latency 2 ms",
    ]  # fmt: skip


def test_users_texts_are_shown_as_they_are() -> None:
    name = "<a href='https://example.org'>t</a> & <b>"
    problem = instance([Task(name, work=1)], nodes=(Node("<i>n</i>", tier="<u>t</u>"),), links=())
    made = plan(problem, [run(name, "<i>n</i>", 0, 1)])
    for figure in (interactive.gantt(made), interactive.topology(made)):
        text = figure.to_json()
        for raw in ("<a", "<i>", "<u>", "\\u003ca", "\\u003ci", "\\u003cu"):
            assert raw not in text
        assert "&lt;" in text


def test_ten_thousand_bars_are_a_trace_a_colour() -> None:
    problem = layers(10, 1000, 4)
    nodes = np.arange(10_000)[None, :] % 4
    found = offload.evaluate(problem, nodes, problem.tables.topological[None, :]).plan()
    figure = interactive.gantt(found)
    assert [trace.name for trace in figure.data] == ["edge", "transfer"]
    assert [len(trace.x) for trace in figure.data] == [10_000, 15_000]
    assert {trace.marker.line.width for trace in figure.data} == {0}
    routes = found.problem.tables.routes
    bars = len(routes.expand(found.transfers.src, found.transfers.dst)[0])
    assert f"not shown: {bars - 15_000} shorter transfers" in figure.layout.xaxis.title.text
    fewer = interactive.gantt(found, bars=100)
    assert min(fewer.data[0].x) >= np.sort(figure.data[0].x)[-100]


def test_times_that_are_not_finite_are_left_out() -> None:
    problem = instance([Task("x", work=1), Task("y", work=1)], links=())
    for bad in (float("nan"), float("inf")):
        made = plan(problem, [run("x", "a", 0, 1), run("y", "b", bad, bad)])
        figure = interactive.gantt(made)
        assert [len(trace.x) for trace in figure.data] == [1]
        assert interactive.topology(made).data


def test_a_plan_of_nothing_is_an_empty_picture() -> None:
    made = plan(instance([]), [])
    assert len(interactive.gantt(made).data) == 0
    assert interactive.topology(made).data


@pytest.mark.parametrize("draw", [interactive.gantt, interactive.topology])
def test_without_plotly_there_is_one_clear_error(
    draw: Any, best: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    fix = r"need plotly, which is not installed; pip install 'offload\[plot\]'"
    with pytest.raises(OffloadError, match=fix):
        draw(best)


# -- topology --------------------------------------------------------------------------------------


def test_nodes_and_links_tell_what_they_carry(best: Plan) -> None:
    figure = interactive.topology(best)
    made = traces(figure)
    cam, edge, cloud = made["nodes"].customdata
    assert "1 task: grab<br>busy 100 ms" in cam
    assert "memory at most 200 MB of 1 GB" in cam
    assert "2 tasks: detect, alarm" in edge
    assert "idle" in cloud
    assert made["nodes"].marker.color[2] == "white"
    shades = colours([node.tier for node in best.problem.network.nodes])
    assert list(made["nodes"].marker.color[:2]) == [shades["device"], shades["edge"]]
    used, idle = made["traffic"].customdata
    assert used.startswith("<b>cam ⇄ edge</b><br>10 MB/s, 2 ms, full duplex")
    assert "cam → edge: 1 transfer, 1 MB, held 100 ms" in used
    assert "edge → cam: nothing" in used
    assert "edge → cloud: nothing" in idle
    assert [a.text for a in figure.layout.annotations] == ["cam (1)", "edge (2)", "cloud"]


def test_links_are_as_wide_as_the_bytes_they_carry() -> None:
    problem = layers(6, 5, 4)
    found = offload.solve(problem, method="min-min").plan
    assert found is not None
    place = arranged(problem).place
    drawn = {
        (x1, y1, x2, y2): trace.line.width
        for trace in interactive.topology(found).data if trace.name == "links"
        for x1, x2, y1, y2 in zip(trace.x[::3], trace.x[1::3], trace.y[::3], trace.y[1::3],
                                  strict=True)
    }  # fmt: skip
    position = {node.id: k for k, node in enumerate(problem.network.nodes)}
    moved = np.zeros(len(problem.network.links))
    np.add.at(moved, problem.tables.routes.arc_link, found.breakdown().links["bytes"])
    widths = np.array([
        drawn[(*place[position[link.src]], *place[position[link.dst]])]
        for link in problem.network.links
    ])  # fmt: skip
    assert (np.diff(widths[np.argsort(moved)]) >= 0).all()
    assert widths[np.argmax(moved)] > widths[np.argmin(moved)]


def test_every_node_has_a_place_of_its_own() -> None:
    for problem in (street(), layers(2, 2, 9), offload.generate("smart-traffic", size=200, seed=1)):
        where = arranged(problem)
        assert len({tuple(at) for at in where.place.tolist()}) == len(problem.network.nodes)
        x, y = where.place.T
        assert x.min() >= 0
        assert x.max() <= where.width + 0.5
        assert ((y >= 0) & (y <= 1)).all()


# -- fronts ----------------------------------------------------------------------------------------


def trade(count: int) -> Trade:
    """Four plans of the street, and bounds below them."""
    metrics = ("latency", "energy", "traffic")[:count]
    order = street().tables.topological
    placed = np.array([[0, 0, 0], [0, 1, 1], [0, 2, 2], [0, 1, 2]])
    batch = offload.evaluate(street(), placed, np.tile(order, (4, 1)))
    plans = [batch.plan(p) for p in range(4)]
    values = np.array([[made.metrics[name] for name in metrics] for made in plans])
    proved = np.array([True, True, False, False])
    gaps = np.where(proved, 0.0, 0.1)
    return Trade(metrics, values, proved, gaps, values[:3] * 0.9, 1, plans)


def test_plans_of_a_front_are_where_their_metrics_are() -> None:
    shown = trade(2)
    figure = interactive.front(shown)
    made = traces(figure)
    assert list(made) == ["lower bounds", "proved", "not proved", "knee"]
    assert figure.layout.xaxis.title.text == "latency (s)"
    np.testing.assert_allclose(made["knee"].x, shown.values[1:2, 0])
    np.testing.assert_allclose(made["not proved"].x, shown.values[2:, 0])
    (text,) = made["knee"].customdata
    assert text.startswith("<b>plan 1</b>, the knee<br>latency 702.125 ms<br>energy 11.0046 J")
    assert made["not proved"].customdata[0].endswith("not proved, gap 10 %")


def test_no_plan_is_below_the_line_of_the_bounds() -> None:
    shown = trade(2)
    line = traces(interactive.front(shown))["lower bounds"]
    x, y = np.array(line.x), np.array(line.y)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) <= 0).all()
    assert interactive.front(shown).layout.yaxis.title.text == "energy (J)"
    for own in shown.values:
        # The line's height there is that of its last corner that is not right of the plan.
        reached = np.flatnonzero(x <= own[0])
        assert len(reached)
        assert own[1] >= y[reached[-1]]


def test_three_metrics_are_a_space_and_others_are_refused() -> None:
    figure = interactive.front(trade(3))
    assert {trace.type for trace in figure.data} == {"scatter3d"}
    assert figure.layout.scene.zaxis.title.text == "traffic (MB)"
    with pytest.raises(OffloadError, match="needs two or three metrics to be drawn, got 1"):
        interactive.front(trade(1))
