"""Interactive pictures: what is drawn, and told, is what the plan says."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from command_line import layers, street
from drawing import draw_plan, draw_problem
from hand_plans import instance, plan, run, send

import offload
from offload import Codec, Edge, Link, Node, OffloadError, Plan, Task
from offload.fronts.front import Front
from offload.fronts.region import Records
from offload.plot import interactive
from offload.plot.style import FILLS, LINES, colours
from offload.units import count


@pytest.fixture(scope="module")
def best() -> Plan:
    """The best plan of the street: camera to edge, all else on the edge."""
    found = offload.solve(street(), method="cpsat").plan
    assert found is not None
    return found


def traces(figure: Any) -> dict[str, Any]:
    """The traces of a figure by name."""
    return {trace.name: trace for trace in figure.data}


def boxes(figure: Any) -> np.ndarray:
    """Left, right, upper and lower end of each bar, and the name of its row; object[N, 5]."""
    names, tops = figure.layout.yaxis.ticktext, np.array(figure.layout.yaxis.tickvals)
    found: list[list[Any]] = []
    for trace in figure.data:
        left, middle, half = np.array(trace.base, float), trace.y, np.array(trace.width) / 2
        row = np.abs(middle[:, None] - tops).argmin(axis=1)
        found += zip(left, left + trace.x, middle - half, middle + half,
                     [names[r] for r in row.tolist()], strict=True)  # fmt: skip
    return np.array(found, object).reshape(-1, 5)


# -- Gantt -----------------------------------------------------------------------------------------


def relayed(codec: str | None = None) -> Plan:
    """Two tasks on the ends of a route of two links: 2 s of 10 bytes a second, 0.5 s of latency."""
    ends = (Node("a"), Node("relay", slots=0), Node("b"))
    links = (
        Link("a", "relay", bandwidth=10, latency=0.25),
        Link("relay", "b", bandwidth=20, latency=0.25),
    )
    problem = instance(
        (Task("x", work=1), Task("y", work=1)),
        (Edge("x", "y", bytes=20, codecs=("half",) if codec else ()),),
        nodes=ends, links=links, codecs=(Codec("half", 2.0, 0.1, 0.1),),
    )  # fmt: skip
    arrival = 1 + (2 + 1 + 0.5 + 2 if codec else 2.5)
    rows = [run("x", "a", 0, 1), run("y", "b", arrival, arrival + 1)]
    made = plan(problem, rows, [send("x", "y", "a>b", 1, arrival, codec=codec)])
    assert offload.check(problem, made) == []
    return made


@pytest.mark.parametrize(("codec", "begin", "end"), [(None, 1.0, 3.0), ("half", 3.0, 4.0)])
def test_a_transfer_is_on_each_link_of_its_route_while_it_is_serialised(
    codec: str | None, begin: float, end: float
) -> None:
    found = boxes(interactive.gantt(relayed(codec)))
    assert found[:2, 4].tolist() == ["a", "b"]
    assert sorted(found[2:, 4]) == ["a → relay", "relay → b"]
    np.testing.assert_allclose(found[2:, :2].astype(float), [[begin, end]] * 2)


def test_the_two_directions_of_a_half_duplex_link_share_one_row() -> None:
    tasks = [Task("x", work=1), Task("y", work=1), Task("z", work=1)]
    edges = [Edge("x", "y", bytes=10), Edge("y", "z", bytes=10)]
    rows = [run("x", "a", 0, 1), run("y", "b", 2, 3), run("z", "a", 4, 5)]
    sent = [send("x", "y", "a>b", 1, 2), send("y", "z", "b>a", 3, 4)]
    for link, names in (
        (Link("a", "b", bandwidth=10), ["a → b", "b → a"]),
        (Link("a", "b", bandwidth=10, duplex="half"), ["a ↔ b", "a ↔ b"]),
    ):
        made = plan(instance(tasks, edges, links=(link,)), rows, sent)
        assert boxes(interactive.gantt(made))[3:, 4].tolist() == names


def test_no_bar_covers_another() -> None:
    for seed in range(30):
        found = draw_plan(draw_problem(seed, tasks=(3, 12)), seed)
        if found is None:
            continue
        left, right, upper, lower = boxes(interactive.gantt(found))[:, :4].astype(float).T
        near = 1e-9 * right.max(initial=0.0)
        across = (left[:, None] < right - near) & (left < right[:, None] - near)
        up = (upper[:, None] < lower - 1e-9) & (upper < lower[:, None] - 1e-9)
        own = right > left + near  # what takes no time covers nothing
        both = across & up & own & own[:, None]
        assert not both[~np.eye(len(left), dtype=bool)].any()


def test_what_is_left_out_is_the_least_busy_and_counted() -> None:
    found = offload.solve(layers(6, 5, 6), method="min-min").plan
    assert found is not None
    figure = interactive.gantt(found, rows=2)
    frame = found.breakdown().nodes
    used = int((frame["tasks"] > 0).sum())
    busiest = frame["busy"].nlargest(2).index.sort_values()
    names = list(figure.layout.yaxis.ticktext)
    assert names[:2] == frame["node"][busiest].tolist()
    assert len(names) == 4
    ways = int((found.breakdown().links["transfers"] > 0).sum())
    assert figure.layout.xaxis.title.text == (
        "time (s); not shown: "
        f"{count(used - 2, 'less busy node')}, {count(ways - 2, 'less busy link')}"
    )


def test_bars_have_the_times_the_rows_and_the_colours_of_the_plan(best: Plan) -> None:
    figure = interactive.gantt(best)
    made = traces(figure)
    assert figure.layout.xaxis.title.text == "time (ms)"
    assert list(made) == ["device", "edge", "transfer on a link"]
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
    np.testing.assert_allclose(np.array(made["transfer on a link"].base, float), [100.0])
    np.testing.assert_allclose(made["transfer on a link"].x, [100.0])
    assert [ticks[y] for y in made["transfer on a link"].y] == ["cam → edge"]


def test_tooltips_say_where_when_and_what_was_waited_for(best: Plan) -> None:
    made = traces(interactive.gantt(best))
    (grab,), (detect, alarm) = made["device"].customdata, made["edge"].customdata
    assert list(grab) == ["grab", "cam", "0 s", "100 ms", "100 ms", ""]
    assert list(detect[:5]) == ["detect", "edge", "202 ms", "702 ms", "500 ms"]
    assert detect[5] == "<br>waited for: grab -&gt; detect arrived"
    assert alarm[5] == "<br>waited for: detect finished"
    assert list(made["transfer on a link"].customdata[0]) == [
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
    assert [trace.name for trace in figure.data] == ["edge", "transfer on a link"]
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
    assert used.startswith("<b>cam ↔ edge</b><br>10 MB/s, 2 ms, full duplex")
    assert "cam → edge: 1 transfer, 1 MB, held 100 ms" in used
    assert "edge → cam: nothing" in used
    assert "edge → cloud: nothing" in idle
    assert [a.text for a in figure.layout.annotations] == ["cam (1)", "edge (2)", "cloud"]


def test_links_are_as_wide_as_the_bytes_they_carry() -> None:
    problem = layers(6, 5, 4)
    found = offload.solve(problem, method="min-min").plan
    assert found is not None
    figure = interactive.topology(found)
    nodes = traces(figure)["nodes"]
    place = {node.id: (nodes.x[k], nodes.y[k]) for k, node in enumerate(problem.network.nodes)}
    drawn = {}
    for trace in figure.data:
        if trace.name == "links":
            gaps = np.flatnonzero(np.isnan(trace.x))
            for first, last in zip(np.concatenate([[0], gaps[:-1] + 1]), gaps - 1, strict=True):
                ends = (trace.x[first], trace.y[first]), (trace.x[last], trace.y[last])
                drawn[ends] = trace.line.width
    moved = np.zeros(len(problem.network.links))
    np.add.at(moved, problem.tables.routes.arc_link, found.breakdown().links["bytes"])
    widths = np.array([drawn[place[link.src], place[link.dst]] for link in problem.network.links])
    assert (np.diff(widths[np.argsort(moved)]) >= 0).all()
    assert widths[np.argmax(moved)] > widths[np.argmin(moved)]


# -- fronts ----------------------------------------------------------------------------------------


def trade(*metrics: str) -> Front:
    """Plans of the street; every plan is proved to be above 90 % of the best of each metric."""
    problem = street()
    placed = np.array([[0, 0, 0], [0, 1, 1], [0, 2, 2], [0, 1, 2]])
    batch = offload.evaluate(problem, placed, np.tile(problem.tables.topological, (4, 1)))
    plans = [batch.plan(p) for p in range(4)]
    least = {name: min(made.metrics[name] for made in plans) for name in metrics}
    records = Records(len(metrics))
    free = np.full(len(metrics), np.inf)
    for position, name in enumerate(metrics):
        records.add(np.eye(len(metrics))[position], free, 0.9 * least[name])
    facts = {"method": "by hand", "seconds": 1.5, "seed": 0, "stopped": "time"}
    for made in plans:
        made.result = {"method": "by hand"}
    return Front(problem, metrics, plans, records, {"cost": 5.0}, 1e-4, facts)


def test_plans_of_a_front_are_where_their_metrics_are() -> None:
    shown = trade("latency", "energy")
    assert shown.knee is not None
    figure = interactive.front(shown)
    made = traces(figure)
    assert list(made) == ["attained", "lower bound", "plan", "knee"]
    assert figure.layout.xaxis.title.text == "latency (s)"
    assert figure.layout.yaxis.title.text == "energy (J)"
    np.testing.assert_allclose(made["plan"].x, shown.values[:, 0])
    np.testing.assert_allclose(made["knee"].y, shown.values[[shown.knee], 1])
    assert made["plan"].marker.color == FILLS[5]
    assert made["knee"].marker.color == LINES[5]
    texts = made["plan"].customdata
    assert texts[0].startswith("<b>plan 0</b><br>latency 702.125 ms<br>energy 11.0046 J<br>")
    assert "not proved, gap " in texts[0]
    assert texts[0].endswith("by hand")
    assert [", the knee" in text for text in texts] == [p == shown.knee for p in range(len(shown))]


def test_no_plan_is_below_the_line_of_the_bounds() -> None:
    shown = trade("latency", "energy")
    line = traces(interactive.front(shown))["lower bound"]
    x, y = np.array(line.x), np.array(line.y)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) <= 0).all()
    for own in shown.values:
        # The line's height there is that of its last corner that is not right of the plan.
        reached = np.flatnonzero(x <= own[0])
        assert len(reached)
        assert own[1] >= y[reached[-1]]


def test_three_metrics_are_a_space() -> None:
    figure = interactive.front(trade("latency", "energy", "traffic"))
    assert {trace.type for trace in figure.data} == {"scatter3d"}
    assert figure.layout.scene.zaxis.title.text == "traffic (MB)"
