"""Every error of SPEC section 1 beyond types: in a file and in Python, with path, value and fix."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from instance_documents import DROP, MAKERS, Maker, as_path, edited, issues_of, street

import offload
from offload import InstanceError


@pytest.fixture(params=MAKERS, ids=["file", "python"])
def make(request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param
    return maker


class Case(NamedTuple):
    """An edit of the valid instance, and the one error that it must give."""

    name: str
    edits: dict[str, Any]
    path: str
    message: str
    found: Any
    fix: str


NODE = "names no node"
SELECTOR = "is no selector and names no node"
PREFIXES = "write a node's id, '*', or one of tier:, kind:, tag:..."


def twin(where: str, first: str, **fields: Any) -> dict[str, Any]:
    """An edit that appends a copy of a record, with some fields changed."""
    record: Any = street()
    for key in first.split("."):
        record = record[int(key) if key.isdigit() else key]
    return {where: {**record, **fields}}


DANGLING = (
    Case("link-src", {"network.links.0.src": "cm"}, "$.network.links[0].src", NODE, "cm",
         "did you mean 'cam'?"),
    Case("link-dst", {"network.links.0.dst": "x"}, "$.network.links[0].dst", NODE, "x",
         "known are: cam, edge, cloud, hub"),
    Case("edge-src", {"graph.edges.2.src": "detekt"}, "$.graph.edges[2].src", "names no task",
         "detekt", "did you mean 'detect'?"),
    Case("edge-dst", {"graph.edges.2.dst": "trak"}, "$.graph.edges[2].dst", "names no task",
         "trak", "did you mean 'track'?"),
    Case("allow", {"graph.tasks.4.allow.0": "kam"}, "$.graph.tasks[4].allow[0]", NODE, "kam",
         "did you mean 'cam'?"),
    Case("allow-prefix", {"graph.tasks.4.allow.1": "knd:xeon"}, "$.graph.tasks[4].allow[1]",
         SELECTOR, "knd:xeon", PREFIXES),
    Case("time", {"graph.tasks.3.time": {"tiers:edge": 1}}, '$.graph.tasks[3].time.tiers:edge',
         SELECTOR, "tiers:edge", PREFIXES),
    Case("time-node", {"graph.tasks.2.time": {"*": 1, "clod": 2}}, "$.graph.tasks[2].time.clod",
         NODE, "clod", "did you mean 'cloud'?"),
    Case("memory", {"graph.tasks.1.memory": {"*": 1, "edg": 2}}, "$.graph.tasks[1].memory.edg",
         NODE, "edg", "did you mean 'edge'?"),
    Case("resident", {"graph.tasks.1.resident": {"*": 1, "edg": 2}},
         "$.graph.tasks[1].resident.edg", NODE, "edg", "did you mean 'edge'?"),
    Case("reads", {"graph.tasks.1.reads.1": "maps"}, "$.graph.tasks[1].reads[1]", "names no data",
         "maps", "did you mean 'map'?"),
    Case("at", {"graph.tasks.2.at": ""}, "$.graph.tasks[2].at", NODE, "",
         "known are: cam, edge, cloud, hub"),
    Case("home", {"data.1.home.1": "hug"}, "$.data[1].home[1]", NODE, "hug",
         "did you mean 'hub'?"),
    Case("data-allow", {"data.0.allow.1": "edgy"}, "$.data[0].allow[1]", NODE, "edgy",
         "did you mean 'edge'?"),
    Case("codecs", {"graph.edges.2.codecs": ["zap"]}, "$.graph.edges[2].codecs[0]",
         "names no codec", "zap", "did you mean 'zip'?"),
    Case("group", {"graph.groups.1.tasks.1": "tracks"}, "$.graph.groups[1].tasks[1]",
         "names no task", "tracks", "did you mean 'track'?"),
    Case("nothing-to-name", {"codecs": [], "graph.edges.0.codecs": [], "graph.edges.1.codecs": [],
                             "graph.edges.2.codecs": ["zip"]},
         "$.graph.edges[2].codecs[0]", "names no codec", "zip", "none are defined"),
)  # fmt: skip

TWICE = (
    Case("node", twin("network.nodes.4", "network.nodes.3"), "$.network.nodes[4].id",
         "duplicate id", "hub", "already used at $.network.nodes[3]; give it another"),
    Case("mode", twin("network.nodes.0.modes.1", "network.nodes.0.modes.0"),
         "$.network.nodes[0].modes[1].id", "duplicate id", "eco",
         "already used at $.network.nodes[0].modes[0]; give it another"),
    Case("task", twin("graph.tasks.5", "graph.tasks.4"), "$.graph.tasks[5].id", "duplicate id",
         "show", "already used at $.graph.tasks[4]; give it another"),
    Case("data", twin("data.2", "data.0"), "$.data[2].id", "duplicate id", "map",
         "already used at $.data[0]; give it another"),
    Case("codec", twin("codecs.1", "codecs.0"), "$.codecs[1].id", "duplicate id", "zip",
         "already used at $.codecs[0]; give it another"),
    Case("home", {"data.0.home": ["edge", "cam", "edge"]}, "$.data[0].home[2]", "duplicate id",
         "edge", "already used at $.data[0].home[0]; give it another"),
    Case("reads", {"graph.tasks.1.reads": ["map", "map"]}, "$.graph.tasks[1].reads[1]",
         "duplicate id", "map", "already used at $.graph.tasks[1].reads[0]; give it another"),
    Case("codecs", {"graph.edges.2.codecs": ["zip", "zip"]}, "$.graph.edges[2].codecs[1]",
         "duplicate id", "zip", "already used at $.graph.edges[2].codecs[0]; give it another"),
    Case("group", {"graph.groups.1.tasks": ["grab", "grab"]}, "$.graph.groups[1].tasks[1]",
         "duplicate id", "grab", "already used at $.graph.groups[1].tasks[0]; give it another"),
)  # fmt: skip

TAKEN = "rename it: the node's own speed and busy_power are the mode 'default'"
READS_AS = "rename the node: '*', tier:, kind: and tag: are selectors"
MERGE = "merge the two, or give them different items"
ONE_WAY = "remove one of the two, or make each simplex in its own direction"
WHOLE = "drop the field, or make the task indivisible"

RULES = (
    *(
        Case(f"node-{name}", {"network.nodes.4": {"id": name}}, "$.network.nodes[4].id",
             "reads as a selector", name, READS_AS)
        for name in ("*", "tier:edge", "kind:", "tag:x")
    ),
    Case("mode-default", {"network.nodes.0.modes.0.id": "default"},
         "$.network.nodes[0].modes[0].id", "a mode's id is taken", "default", TAKEN),
    Case("link-loop", {"network.links.0.dst": "cam"}, "$.network.links[0].dst",
         "a link must join two nodes", "cam", "name another node"),
    Case("edge-loop", {"graph.edges.2.dst": "detect"}, "$.graph.edges[2].dst",
         "an edge must join two tasks", "detect", "a task cannot wait for itself; remove the edge"),
    Case("same-edge", twin("graph.edges.6", "graph.edges.2", bytes=7), "$.graph.edges[6]",
         "edge 2 has the same ends and item", "detect -> track, item None", MERGE),
    Case("same-edge-item", twin("graph.edges.6", "graph.edges.0"), "$.graph.edges[6]",
         "edge 0 has the same ends and item", "grab -> detect, item 'frame'", MERGE),
    Case("item-bytes", {"graph.edges.1.bytes": 3}, "$.graph.edges[1].bytes",
         "edges of item 'frame' of 'grab' must agree in bytes", 3.0,
         "write 2000000.0 as on the item's first edge"),
    Case("item-codecs", {"graph.edges.1.codecs": []}, "$.graph.edges[1].codecs",
         "edges of item 'frame' of 'grab' must agree in codecs", (),
         "write ('zip',) as on the item's first edge"),
    Case("item-require", {"graph.edges.1.require": ["trusted"]}, "$.graph.edges[1].require",
         "edges of item 'frame' of 'grab' must agree in require", ("trusted",),
         "write () as on the item's first edge"),
    Case("divisible-reads", {"graph.tasks.3.reads": ["map"]}, "$.graph.tasks[3].reads",
         "a divisible task has none", ("map",), "make the task indivisible, or drop the field"),
    Case("divisible-at", {"graph.tasks.3.at": "cam"}, "$.graph.tasks[3].at",
         "a divisible task has none", "cam", "make the task indivisible, or drop the field"),
    Case("divisible-codecs", {"graph.edges.3.codecs": ["zip"]}, "$.graph.edges[3].codecs",
         "a divisible task's edge has none", ("zip",), WHOLE),
    Case("divisible-item", {"graph.edges.4.item": ""}, "$.graph.edges[4].item",
         "a divisible task's edge has none", "", WHOLE),
    Case("divisible-group", {"graph.groups.0.tasks.3": "count"}, "$.graph.groups[0].tasks[3]",
         "a divisible task is in no group", "count",
         "take it out of the group, or make it indivisible"),
    Case("divisible-edge", {"graph.tasks.4.divisible": True, "graph.edges.5": DROP},
         "$.graph.edges[4]", "no edge joins two divisible tasks", "count -> show",
         "make one of them indivisible"),
    Case("no-weight", {"minimize": {"latency": 0, "cost": 0}}, "$.minimize",
         "needs at least one weight above 0", {"latency": 0.0, "cost": 0.0},
         'write for example {"latency": 1}'),
    Case("no-metric", {"minimize": {}}, "$.minimize", "needs at least one weight above 0", {},
         'write for example {"latency": 1}'),
    Case("minimize", {"minimize": {"latensy": 1}}, "$.minimize.latensy", "is no metric", "latensy",
         "did you mean 'latency'?"),
    Case("limits", {"limits": {"the sum": 1}}, '$.limits["the sum"]', "is no metric", "the sum",
         "known are: latency, completion, tardiness, energy, cost, risk, traffic, period"),
)  # fmt: skip

NOWHERE = (
    Case("allow", {"graph.tasks.1.allow": ["tag:vetted"]}, "$.graph.tasks[1]",
         "can run nowhere: its allow matches no node", "detect", "widen allow"),
    Case("allow-empty", {"graph.tasks.1.allow": []}, "$.graph.tasks[1]",
         "can run nowhere: its allow matches no node", "detect", "widen allow"),
    Case("time", {"graph.tasks.3.work": None, "graph.tasks.3.time": {"tag:vetted": 1}},
         "$.graph.tasks[3]",
         "can run nowhere: it has no work, and its time has no key for any node", "count",
         "give it work, or a time that matches"),
    Case("no-time", {"graph.tasks.0.work": DROP}, "$.graph.tasks[0]",
         "can run nowhere: it has no work, and its time has no key for any of the nodes left (cam)",
         "grab", "give it work, or a time that matches"),
    Case("slots", {"graph.tasks.3.slots": 10}, "$.graph.tasks[3]",
         "can run nowhere: it needs 10 slots at once, more than any node has", "count",
         "use fewer slots, or a node with more"),
    Case("slots-left", {"graph.tasks.0.slots": 3}, "$.graph.tasks[0]",
         "can run nowhere: it needs 3 slots at once, more than any of the nodes left (cam) has",
         "grab", "use fewer slots, or a node with more"),
    Case("memory", {"graph.tasks.3.memory": {"hub": 1}}, "$.graph.tasks[3]",
         "can run nowhere: its memory has no key for any of the nodes left (cam, edge, cloud)",
         "count", "add a key to memory, for example '*'"),
    Case("resident", {"graph.tasks.4.resident": {"cloud": 1, "tag:vetted": 2}}, "$.graph.tasks[4]",
         "can run nowhere: its resident has no key for any of the nodes left (cam, edge)", "show",
         "add a key to resident, for example '*'"),
    Case("relay", {"graph.tasks.4.allow": ["hub"]}, "$.graph.tasks[4]",
         "can run nowhere: it needs 1 slots at once, more than any of the nodes left (hub) has",
         "show", "use fewer slots, or a node with more"),
)  # fmt: skip


@pytest.mark.parametrize("case", [*DANGLING, *TWICE, *RULES, *NOWHERE], ids=lambda case: case.name)
def test_an_error_is_named(make: Maker, case: Case) -> None:
    found = issues_of(make, edited(street(), case.edits))
    assert [issue for issue in found if issue.path == case.path] == [
        offload.Issue(case.path, case.message, case.found, case.fix)
    ]
    assert len(found) == 1


def link(src: str, dst: str, duplex: str) -> dict[str, Any]:
    return {"src": src, "dst": dst, "duplex": duplex}


@pytest.mark.parametrize("first", ["full", "half", "simplex"])
@pytest.mark.parametrize("second", ["full", "half", "simplex"])
@pytest.mark.parametrize("turned", [False, True], ids=["same", "turned"])
def test_a_direction_is_given_once(make: Maker, first: str, second: str, turned: bool) -> None:
    ends = ("edge", "cam") if turned else ("cam", "edge")
    links = [link("cam", "edge", first), link("edge", "hub", "full"), link(*ends, second)]
    tree = edited(street(), {"network.links": links})
    if turned and first == second == "simplex":
        assert make(tree).tables.routes.hops[[0, 1], [1, 0]].tolist() == [1, 1]
        return
    (issue,) = issues_of(make, tree)
    assert issue.path == "$.network.links[2]"
    assert issue.message == "link 0 already gives this direction"
    assert issue.found in {"cam -> edge", "edge -> cam"}
    assert issue.fix == ONE_WAY


def chain(count: int, *more: tuple[int, int]) -> dict[str, Any]:
    """Tasks t0, t1, ... in a row, and further edges."""
    pairs = [*((i, i + 1) for i in range(count - 1)), *more]
    graph = {
        "tasks": [{"id": f"t{i}", "work": 1} for i in range(count)],
        "edges": [{"src": f"t{i}", "dst": f"t{j}"} for i, j in pairs],
    }
    return edited(street(), {"graph": graph, "data": [], "codecs": []})


def test_a_cycle_is_named(make: Maker) -> None:
    (issue,) = issues_of(make, chain(9, (5, 3)))
    assert issue.path == "$.graph.edges"
    assert issue.message == "the tasks wait for each other in a cycle"
    names, last = issue.found.split(" -> "), issue.fix.rpartition("edges[")[2]
    assert names[0] == names[-1]
    assert sorted(names[1:]) == ["t3", "t4", "t5"]
    edges = chain(9, (5, 3))["graph"]["edges"]
    ways = {(edge["src"], edge["dst"]) for edge in edges}
    assert set(pairwise(names)) <= ways
    assert edges[int(last.rstrip("]"))]["src"] in names
    assert issue.fix.startswith("remove one of its edges, for example $.graph.edges[")


def test_a_long_cycle_is_cut_in_the_middle(make: Maker) -> None:
    (issue,) = issues_of(make, chain(1000, (999, 0)))
    assert issue.found.count("->") == 12
    assert " -> ... -> " in issue.found
    assert len(str(issue)) < 300


def test_a_cycle_of_two_and_tasks_behind_it(make: Maker) -> None:
    (issue,) = issues_of(make, chain(5, (2, 1)))
    assert issue.found in {"t1 -> t2 -> t1", "t2 -> t1 -> t2"}


def test_an_instance_without_nodes_runs_no_task(make: Maker) -> None:
    network: dict[str, Any] = {"nodes": [], "links": []}
    issues = issues_of(make, edited(chain(2), {"network": network}))
    assert [str(issue) for issue in issues] == [
        f"$.graph.tasks[{i}]: can run nowhere: the network has no nodes, got 't{i}'; add a node"
        for i in range(2)
    ]


def test_one_selector_of_several_is_enough() -> None:
    nodes = [
        offload.Node("a"),
        offload.Node("relay", slots=0),
        offload.Node("b", kind="gpu", slots=2),
    ]
    tasks = [
        offload.Task("first", work=1, allow=["relay", "a"]),
        offload.Task("second", time={"kind:gpu": 1}),
        offload.Task("third", time={"kind:gpu": 1}, allow=["a", "b"]),
        offload.Task("fourth", work=1, slots=2, allow=["a", "kind:gpu"]),
        offload.Task("fifth", time={"kind:gpu": 1}, allow=["a", "relay"]),
        offload.Task("sixth", work=1, slots=2, allow=["a"]),
        offload.Task("seventh", work=1, allow=["a", "relay"]),
    ]
    with pytest.raises(InstanceError, match="can run nowhere") as caught:
        offload.Problem(network=offload.Network(nodes), graph=offload.Graph(tasks))
    assert [issue.found for issue in caught.value.issues] == ["fifth", "sixth"]


def test_nothing_at_all_is_an_instance(make: Maker) -> None:
    tree = {"format": "offload-instance/1", "network": {"nodes": []}, "graph": {"tasks": []}}
    assert make(tree) == offload.Problem()


def test_a_selector_may_match_no_node(make: Maker) -> None:
    edits = {"graph.tasks.4.allow": ["cam", "tier:fog"], "data.0.allow": ["kind:none"]}
    assert make(edited(street(), edits)).graph.tasks[4].allow == ("cam", "tier:fog")


def test_edges_of_the_same_ends_may_carry_different_items(make: Maker) -> None:
    more = [{"src": "grab", "dst": "detect", "item": item} for item in ("", "x", None)]
    edits = {f"graph.edges.{6 + n}": edge for n, edge in enumerate(more)}
    assert make(edited(street(), edits)).tables.items == 8


def test_items_may_agree_in_another_order(make: Maker) -> None:
    codec = {"id": "zap", "ratio": 1, "encode": 0, "decode": 0}
    edits = {
        "codecs.1": codec,
        "graph.edges.0.codecs": ["zip", "zap"],
        "graph.edges.1.codecs": ["zap", "zip"],
    }
    assert make(edited(street(), edits)).tables.items == 5


def test_errors_are_reported_together(make: Maker) -> None:
    wrong = {
        "network.nodes.3.id": "cam", "network.links.0.dst": "hubb", "graph.tasks.2.at": "cams",
        "graph.edges.2.src": "detekt", "graph.groups.0.tasks.2": "trac", "data.0.home.0": "clout",
        "graph.edges.3.codecs": ["zap"], "graph.edges.4.dst": "count", "minimize": {"energy": 0},
        "limits": {"sum": 1}, "graph.tasks.0.slots": 7,
    }  # fmt: skip
    paths = {issue.path for issue in issues_of(make, edited(street(), wrong))}
    assert paths >= {
        "$.network.nodes[3].id", "$.network.links[0].dst", "$.graph.tasks[2].at", "$.minimize",
        "$.graph.edges[2].src", "$.graph.groups[0].tasks[2]", "$.data[0].home[0]", "$.limits.sum",
        "$.graph.edges[3].codecs[0]", "$.graph.edges[4].dst", "$.graph.tasks[0]",
    }  # fmt: skip


def test_a_thousand_wrong_edges_take_a_readable_page() -> None:
    tree = chain(1000)
    tree["graph"]["edges"] = [{"src": f"t{i}", "dst": f"task-{i}"} for i in range(1000)]
    with pytest.raises(InstanceError, match=r"edges\[0\]\.dst: names no task") as caught:
        offload.loads(json.dumps(tree), source="street.json")
    assert [issue.path for issue in caught.value.issues] == [
        as_path(f"graph.edges.{e}.dst") for e in range(1000)
    ]
    lines = str(caught.value).splitlines()
    assert len(lines) == 51
    assert all(line.startswith("street.json: ") and len(line) < 200 for line in lines)
    assert lines[-1] == "street.json: and 950 more"
    assert len(caught.value.lines(None)) == 1000


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\u2028", "x" * 5000])
def test_ids_do_not_break_the_line(name: str) -> None:
    edits = {
        "network.nodes.4": {"id": name},
        "graph.tasks.4.allow": [name],
        "graph.tasks.4.slots": 2,
    }
    for issue in issues_of(MAKERS[0], edited(street(), {**edits, "graph.tasks.0.at": "?"})):
        assert str(issue).isprintable()
        assert len(str(issue)) < 700
