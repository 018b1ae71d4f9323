"""Stages of plans, the best cut against bandwidth, and pictures of both."""

from __future__ import annotations

import threading
from math import isnan

import numpy as np
import pytest
from drawing import draw_problem
from plan_drawing import draw_plan

import offload
from offload import Codec, Edge, Graph, Link, Network, Node, Problem, Task
from offload.bandwidth_sweep import at_bandwidth, grid_of
from offload.plot import bandwidth, stages
from offload.stage_table import link_loads


def phone(bytes_after: tuple[float, ...] = (100, 80, 10, 1)) -> Problem:
    """A chain of a sensor and four layers on a phone (1 op/s) and a cloud (10 op/s)."""
    names = ["sense", "a", "b", "c", "d"]
    tasks = [Task(name, work=2.0 if i else 0.0) for i, name in enumerate(names)]
    tasks[0] = Task("sense", work=0.0, allow=("phone",))
    edges = tuple(Edge(names[i], names[i + 1], size) for i, size in enumerate(bytes_after))
    nodes = (Node("phone", tier="device", speed=1), Node("cloud", tier="cloud", speed=10))
    links = (Link("phone", "cloud", bandwidth=10),)
    return Problem(name="phone", network=Network(nodes, links), graph=Graph(tuple(tasks), edges))


# -- stages --------------------------------------------------------------------------------------


def pipeline() -> offload.Plan:
    """Five tasks on three nodes, of which the last is used first in the order."""
    nodes = tuple(Node(f"n{k}", speed=2, slots=2, io="serial") for k in range(3))
    links = (
        Link("n2", "n0", bandwidth=4, channels=1), Link("n2", "n1", bandwidth=4),
        Link("n0", "n1", bandwidth=2, channels=2, duplex="half"),
    )  # fmt: skip
    tasks = tuple(Task(f"t{i}", work=4, resident=10 * i) for i in range(5))
    edges = (
        Edge("t0", "t1", 8, "x"), Edge("t0", "t2", 8, "x"), Edge("t0", "t3", 8, "x"),
        Edge("t1", "t4", 6, codecs=("half",)), Edge("t2", "t4", 2),
    )  # fmt: skip
    problem = Problem(
        network=Network(nodes, links), graph=Graph(tasks, edges), codecs=(Codec("half", 2, 0, 0),)
    )
    made = offload.evaluate(problem, [[2, 0, 0, 1, 1]], [range(5)], codecs=[[-1, -1, -1, 0, -1]])
    return made.plan()


def test_stages_are_in_order_and_count_each_item_once() -> None:
    plan = pipeline()
    table = offload.stages(plan)
    assert table["stage"].tolist() == [1, 2, 3]
    assert table["node"].tolist() == ["n2", "n0", "n1"]
    assert table[["first", "last", "tasks"]].values.tolist() == [
        ["t0", "t0", 1], ["t1", "t2", 2], ["t3", "t4", 2],
    ]  # fmt: skip
    assert table["work"].tolist() == [4, 8, 8]
    assert table["memory"].tolist() == [0, 30, 70]
    assert table["bytes_out"].tolist() == [8, 5, 0]  # x once; 6 / 2 + 2
    assert table["bytes_in"].tolist() == [0, 8, 13]
    # Two seconds a task over two slots, and what is received and sent at 4 and 2 bytes a second.
    assert table["seconds"].tolist() == [1 + 2, 2 + 2 + 2.5, 2 + 2 + 2.5]
    assert table["share"].tolist() == (table["seconds"] / plan.metrics["period"]).tolist()
    assert table["start"].tolist() == [0, 4, 4]
    assert table["finish"].max() == plan.metrics["latency"]
    links = link_loads(plan)
    assert links[["from", "to", "seconds"]].values.tolist() == [["n2", "n0", 2], ["n0", "n1", 1.25]]


def test_the_largest_load_is_the_period_whatever_the_features() -> None:
    for seed in range(40):
        problem = draw_problem(seed)
        plan = draw_plan(problem, seed)
        if plan is None:
            continue
        table, links = offload.stages(plan), link_loads(plan)
        most = max(table["seconds"].max(), links["seconds"].max() if len(links) else 0.0)
        # A node that runs nothing may send data, and have the largest load for that.
        idle = np.setdiff1d(np.arange(problem.tables.nodes), plan.parts.node)
        most = max(most, plan.measured.node_load[0][idle].max(initial=0.0))
        assert most == pytest.approx(plan.metrics["period"], rel=1e-12)
        assert table["tasks"].sum() == len(plan.parts.task)


def test_work_is_undefined_where_times_are_given() -> None:
    problem = Problem(
        network=Network((Node("n"),)), graph=Graph((Task("a", time={"*": 2}), Task("b", work=1)))
    )
    plan = offload.evaluate(problem, [[0, 0]], [[0, 1]]).plan()
    assert isnan(offload.stages(plan)["work"][0])


def test_a_plan_of_nothing_has_no_stages() -> None:
    problem = Problem(network=Network((Node("n"),)))
    plan = offload.evaluate(problem, np.zeros((1, 0), int), np.zeros((1, 0), int)).plan()
    assert len(offload.stages(plan)) == 0
    assert stages(plan).get_xlim()[1] > 0


# -- the sweep -----------------------------------------------------------------------------------


def test_the_cut_moves_to_the_device_as_bandwidth_falls() -> None:
    table = offload.sweep_bandwidth(phone(), [0.1, 4, 20, 1000])
    # By hand: all on the phone 8 s; cut after c 6 + 1 / B + 0.2; after b 4 + 10 / B + 0.4; after
    # sense 100 / B + 0.8.
    assert table["objective"].tolist() == pytest.approx([8, 6.45, 4.9, 0.9])
    assert table["cut"].tolist() == ["d", "c", "b", "sense"]
    assert table["near"].tolist() == [5, 4, 3, 1]
    assert table["bytes"].tolist() == [0, 1, 10, 100]
    assert table["device_only"].tolist() == pytest.approx([8] * 4)
    assert table["cloud_only"].tolist() == pytest.approx([1000.8, 25.8, 5.8, 0.9])
    assert (table["status"] == "optimal").all()
    assert (table["method"] == "min-cut").all()
    assert table.attrs == {"minimize": {"latency": 1.0}, "device": "phone", "cloud": "cloud"}


def test_by_another_method_and_goal_and_limits() -> None:
    goal = {"minimize": "traffic", "limits": {"latency": 6.5}}
    table = offload.sweep_bandwidth(phone(), [5.0], "single-cut", **goal)  # type: ignore[arg-type]
    assert table["objective"].tolist() == [1]
    assert table["cut"].tolist() == ["c"]
    assert table["method"].tolist() == ["single-cut"]
    assert table[["device_only", "cloud_only"]].isna().all().all()
    none = offload.sweep_bandwidth(phone(), [5.0], limits={"latency": 0.1})
    assert none["status"].tolist() == ["infeasible"]
    assert none["cut"].tolist() == [None]


def test_where_no_cut_is_exact_auto_finds_no_worse_plan() -> None:
    base = phone()
    skip = Graph(base.graph.tasks, (*base.graph.edges, Edge("a", "d", 30)))
    problem = base.replace(graph=skip)
    table = offload.sweep_bandwidth(problem, [10.0])
    best = offload.solve(problem, "cpsat", time_limit=20)
    assert table["objective"][0] == pytest.approx(best.objective, rel=1e-4)


def test_links_within_a_tier_keep_their_bandwidth() -> None:
    base = phone()
    nodes = (*base.network.nodes, Node("tablet", tier="device"))
    links = (*base.network.links, Link("phone", "tablet", bandwidth=3))
    problem = base.replace(network=Network(nodes, links, reference_bytes=7))
    changed = at_bandwidth(problem, 55)
    assert [link.bandwidth for link in changed.network.links] == [55, 3]
    assert changed.network.reference_bytes == 7
    assert grid_of(problem)[6] == 10
    flat = base.replace(network=Network((Node("phone"), Node("cloud")), base.network.links))
    assert [link.bandwidth for link in at_bandwidth(flat, 55).network.links] == [55]


@pytest.mark.parametrize("wrong", [[], [1.0, 0.0], [float("inf")], [float("nan")]])
def test_bandwidths_that_are_none_are_refused(wrong: list[float]) -> None:
    with pytest.raises(offload.OffloadError, match=r"bandwidths: must be numbers > 0 and finite"):
        offload.sweep_bandwidth(phone(), wrong)


def test_without_links_there_is_nothing_to_sweep() -> None:
    lonely = Problem(network=Network((Node("n"),)), graph=Graph((Task("t", work=1),)))
    with pytest.raises(offload.OffloadError, match="the instance has no links"):
        offload.sweep_bandwidth(lonely, [1.0])


def test_a_sweep_that_is_cancelled_keeps_the_rows_that_are_done() -> None:
    cancel = threading.Event()
    cancel.set()
    assert len(offload.sweep_bandwidth(phone(), [1.0, 2.0], cancel=cancel)) == 0


# -- pictures ------------------------------------------------------------------------------------


def test_bars_are_as_long_as_loads() -> None:
    plan = pipeline()
    ax = stages(plan)
    table, links = offload.stages(plan), link_loads(plan)
    wide = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(wide, [*table["seconds"], *links["seconds"]])
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["1  n2", "2  n0", "3  n1", "n2 → n0", "n0 → n1"]
    assert [text.get_text() for text in ax.texts][:2] == ["t0", "t1 … t2 (2)"]
    assert stages(plan, ax) is ax


def test_lines_are_the_columns_of_the_sweep() -> None:
    table = offload.sweep_bandwidth(phone(), [1000, 0.1, 4, 20])
    ax = bandwidth(table)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert set(lines) == {"all on phone", "all on cloud", "best plan"}
    np.testing.assert_allclose(lines["best plan"].get_xdata(), [1e-7, 4e-6, 2e-5, 1e-3])
    np.testing.assert_allclose(lines["best plan"].get_ydata(), [8, 6.45, 4.9, 0.9])
    assert [text.get_text() for text in ax.texts] == ["d", "c", "b", "sense"]
    assert ax.get_ylabel() == "latency (s)"
    none = offload.sweep_bandwidth(phone(), [5.0], limits={"latency": 0.1})
    assert not bandwidth(none).get_lines()


@pytest.mark.filterwarnings("error")
def test_pictures_can_be_saved(tmp_path) -> None:  # type: ignore[no-untyped-def]
    table = offload.sweep_bandwidth(phone(), [0.1, 4, 20, 1000])
    for name, ax in (("s", stages(pipeline())), ("b", bandwidth(table))):
        ax.figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
