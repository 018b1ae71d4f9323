"""Ways of breaking a plan that holds: each breaks one known rule, by far more than the tolerance.

A corruption edits a :class:`plan_documents.Case` and says whether it found a place to do so. Some
edit the plan; some tighten the instance under it, which breaks one rule and nothing else. With a
corruption goes the set of rules that it may break besides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from plan_documents import Case, Row

from offload.problem import Group

__all__ = ["CORRUPTIONS", "Corruption"]

Edit = Callable[[Case], bool]

# What may follow from a task that runs earlier, later, or elsewhere.
EARLIER = {"times", "release", "precedence", "arrival", "slots", "memory"}
LATER = {"deadline", "precedence", "transfer-start", "slots", "memory", "limits"}
MOVED = {"transfer-duration", "link", "limits"}
ANYTHING = {"*"}


class Corruption(NamedTuple):
    """An edit, the rule that it breaks, and rules that may break with it ("*" for any)."""

    rule: str
    edit: Edit
    besides: frozenset[str]

    @property
    def name(self) -> str:
        return self.edit.__name__


CORRUPTIONS: list[Corruption] = []


def breaks(rule: str, *besides: str) -> Callable[[Edit], Edit]:
    """Enter an edit into the list."""

    def enter(edit: Edit) -> Edit:
        CORRUPTIONS.append(Corruption(rule, edit, frozenset(besides)))
        return edit

    return enter


def some(case: Case, rows: list[Row]) -> Iterator[Row]:
    """The rows in random order."""
    yield from case.dice.sample(rows, len(rows))


def whole(case: Case) -> list[Row]:
    """Rows of indivisible tasks."""
    return [row for row in case.tasks if not case.problem.tables.divisible[case.task(row["id"])]]


def split(case: Case) -> list[Row]:
    """Rows of divisible tasks."""
    return [row for row in case.tasks if case.problem.tables.divisible[case.task(row["id"])]]


def other_nodes(case: Case, *names: str) -> list[str]:
    """Nodes but some, in random order."""
    left = [name for name in case.problem.tables.node_ids if name not in names]
    return case.dice.sample(left, len(left))


# -- tasks by themselves -------------------------------------------------------------------------


@breaks("times", "limits")
def undefined_time(case: Case) -> bool:
    for row in some(case, case.tasks + case.transfers):
        row[case.dice.choice(["start", "finish"])] = case.dice.choice(
            [math.nan, math.inf, -math.inf]
        )
        return True
    return False


@breaks("times", *EARLIER)
def negative_start(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.shift(row, -case.beyond)
        return True
    return False


@breaks("missing-task", "unneeded-transfer", "waiting")
def dropped_task(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.tasks[:] = [other for other in case.tasks if other["id"] != row["id"]]
        return True
    return False


@breaks("repeated-task", "limits", "fraction")
def doubled_row(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.tasks.append(dict(row))
        return True
    return False


@breaks("repeated-task", "limits")
def task_on_two_nodes(case: Case) -> bool:
    for row in some(case, whole(case)):
        for node in other_nodes(case, row["node"]):
            again = dict(row)
            case.put(again, node)
            case.tasks.append(again)
            return True
    return False


@breaks("fraction", "duration", "transfer-duration", "link", "memory", "limits")
def wrong_share(case: Case) -> bool:
    for row in some(case, split(case)):
        row["fraction"] *= case.dice.choice([0.5, 0.999999, 1.000001, 1.5])
        return True
    return False


@breaks("fraction", "limits")
def whole_task_in_part(case: Case) -> bool:
    for row in some(case, whole(case)):
        row["fraction"] = case.dice.choice([0.5, 0.999999, 2.0, math.nan])
        return True
    return False


@breaks("fraction", "limits")
def share_not_positive(case: Case) -> bool:
    for row in some(case, split(case)):
        row["fraction"] = case.dice.choice([0.0, -0.5])
        return True
    return False


@breaks("mode", "duration", "limits")
def part_in_other_mode(case: Case) -> bool:
    for row in some(case, split(case)):
        modes = case.problem.tables.mode_ids[case.node(row["node"])]
        if len(modes) > 1:
            row["mode"] = case.dice.choice(modes[1:])
            return True
    return False


@breaks("allow", *ANYTHING)
def forbidden_node(case: Case) -> bool:
    tables = case.problem.tables
    for row in some(case, case.tasks):
        for node in other_nodes(case, row["node"]):
            if not tables.allow_mask[tables.allow_class[case.task(row["id"])], case.node(node)]:
                case.put(row, node)
                return True
    return False


@breaks("allow", "limits")
def narrower_allow(case: Case) -> bool:
    for row in some(case, case.tasks):
        for node in other_nodes(case, *(r["node"] for r in case.tasks if r["id"] == row["id"])):
            if np.isfinite(case.problem.tables.execution(case.task(row["id"]), case.node(node))):
                case.change_task(row["id"], allow=(node,))
                return True
    return False


@breaks("runs", *ANYTHING)
def unable_node(case: Case) -> bool:
    tables = case.problem.tables
    for row in some(case, case.tasks):
        i = case.task(row["id"])
        for node in other_nodes(case, row["node"]):
            k = case.node(node)
            allowed = tables.allow_mask[tables.allow_class[i], k]
            if allowed and not np.isfinite(tables.execution(i, k)):
                case.put(row, node)
                return True
    return False


@breaks("runs", "limits")
def no_time_there(case: Case) -> bool:
    for row in some(case, case.tasks):
        task = case.problem.graph.tasks[case.task(row["id"])]
        places = {r["node"] for r in case.tasks if r["id"] == row["id"]}
        for node in other_nodes(case, *places):
            if np.isfinite(case.problem.tables.execution(case.task(row["id"]), case.node(node))):
                field = case.dice.choice(["time", "memory", "resident"])
                work = None if field == "time" else task.work
                case.change_task(row["id"], work=work, **{field: {node: 1.0}})
                return field == "time" or np.isfinite(case.runs(row))
    return False


# -- times ---------------------------------------------------------------------------------------


@breaks("duration")
def cut_short(case: Case) -> bool:
    for row in some(case, case.tasks):
        row["finish"] -= case.beyond
        return True
    return False


@breaks("duration", *LATER)
def drawn_out(case: Case) -> bool:
    for row in some(case, case.tasks):
        row["finish"] += case.beyond
        return True
    return False


@breaks("release")
def later_release(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.change_task(row["id"], release=row["start"] + case.beyond)
        return True
    return False


@breaks("release", *EARLIER)
def before_release(case: Case) -> bool:
    for row in some(case, case.tasks):
        release = case.problem.graph.tasks[case.task(row["id"])].release
        if release > 0:
            case.shift(row, release - case.beyond)
            return True
    return False


@breaks("deadline")
def earlier_deadline(case: Case) -> bool:
    for row in some(case, case.tasks):
        if row["finish"] > case.beyond:
            case.change_task(row["id"], deadline=row["finish"] - case.beyond)
            return True
    return False


@breaks("deadline", *LATER)
def after_deadline(case: Case) -> bool:
    for row in some(case, case.tasks):
        deadline = case.problem.graph.tasks[case.task(row["id"])].deadline
        if deadline is not None:
            case.shift(row, deadline + case.beyond)
            return True
    return False


@breaks("precedence", *EARLIER)
def before_its_predecessor(case: Case) -> bool:
    for sender in some(case, case.tasks):
        for row in some(case, [row for row in case.tasks if row["node"] == sender["node"]]):
            if any((e.src, e.dst) == (sender["id"], row["id"]) for e in case.problem.graph.edges):
                case.shift(row, sender["finish"] - case.beyond)
                return True
    return False


@breaks("arrival", *EARLIER)
def before_its_input(case: Case) -> bool:
    for move in some(case, case.transfers):
        name = case.dice.choice(move["dst"])
        row = next(r for r in case.tasks if (r["id"], r["node"]) == (name, move["to"]))
        case.shift(row, move["finish"] - case.beyond)
        return True
    return False


@breaks("arrival", "link")
def late_input(case: Case) -> bool:
    for move in some(case, case.transfers):
        first = min(
            r["start"] for r in case.tasks if r["id"] in move["dst"] and r["node"] == move["to"]
        )
        case.shift(move, first + case.beyond - (move["finish"] - move["start"]))
        return True
    return False


# -- transfers -----------------------------------------------------------------------------------


@breaks("missing-transfer")
def dropped_transfer(case: Case) -> bool:
    if case.transfers:
        case.transfers.pop(case.dice.randrange(len(case.transfers)))
        return True
    return False


@breaks("unneeded-transfer", "limits")
def idle_transfer(case: Case) -> bool:
    """An output, data or a task that moves to where nobody waits for it."""
    graph = case.problem.graph
    options: list[Row] = [
        {"kind": "edge", "src": e.src, "item": e.item, "dst": [e.dst]} for e in graph.edges
    ]
    for task in graph.tasks:
        options += [{"kind": "read", "src": d, "item": None, "dst": [task.id]} for d in task.reads]
        if task.at is not None:
            options.append({"kind": "move", "src": task.id, "item": None, "dst": [task.id]})
    for row in some(case, options):
        places = [r["node"] for r in case.tasks if r["id"] == row["src"]]
        if row["kind"] == "move":
            places = [str(graph.tasks[case.task(row["src"])].at)]
        if row["kind"] == "read":
            places = list(next(d.home for d in case.problem.data if d.id == row["src"]))
        for node in case.dice.sample(case.problem.tables.node_ids, case.problem.tables.nodes):
            what = (row["kind"], row["src"], row["item"], node)
            if not any((r["kind"], r["src"], r["item"], r["to"]) == what for r in case.transfers):
                row.update({"from": places[0], "to": node, "codec": None})
                row.update(start=case.latency, finish=case.latency + 1.0)
                case.transfers.append(row)
                return True
    return False


@breaks("repeated-transfer", "limits")
def doubled_transfer(case: Case) -> bool:
    for move in some(case, case.transfers):
        again = {**move, "dst": list(move["dst"])}
        case.shift(again, move["start"] + case.dice.choice([0.0, case.beyond]))
        case.transfers.append(again)
        return True
    return False


@breaks("waiting")
def stranger_waits(case: Case) -> bool:
    for move in some(case, case.transfers):
        strangers = [row["id"] for row in case.tasks if row["id"] not in move["dst"]]
        if strangers:
            move["dst"].append(case.dice.choice(strangers))
            return True
    return False


@breaks("waiting")
def waits_twice(case: Case) -> bool:
    for move in some(case, case.transfers):
        move["dst"].append(case.dice.choice(move["dst"]))
        return True
    return False


@breaks("waiting")
def forgotten_reader(case: Case) -> bool:
    for move in some(case, case.transfers):
        if len(move["dst"]) > 1:
            move["dst"].pop(case.dice.randrange(len(move["dst"])))
            return True
    return False


@breaks("source", "missing-transfer", *MOVED)
def from_elsewhere(case: Case) -> bool:
    for move in some(case, case.transfers):
        ran = {row["node"] for row in case.tasks if row["id"] == move["src"]}
        for node in other_nodes(case, move["from"], *(ran if move["kind"] == "edge" else ())):
            move["from"] = node
            return True
    return False


@breaks("codec", *MOVED)
def codec_not_offered(case: Case) -> bool:
    for move in some(case, case.transfers):
        offered = set()
        if move["kind"] == "edge":
            offered = set(case.problem.tables.item_codecs.of(case.item(move)).tolist())
        left = [c for n, c in enumerate(case.problem.tables.codec_ids) if n not in offered]
        if left:
            move["codec"] = case.dice.choice(left)
            return True
    return False


@breaks("transfer-start", "link")
def sent_too_early(case: Case) -> bool:
    for move in some(case, case.transfers):
        ready = 0.0
        if move["kind"] == "edge":
            sent = [r for r in case.tasks if (r["id"], r["node"]) == (move["src"], move["from"])]
            ready = sent[0]["finish"]
        case.shift(move, ready - case.beyond)
        return True
    return False


@breaks("transfer-duration")
def arrives_too_soon(case: Case) -> bool:
    for move in some(case, case.transfers):
        move["finish"] -= case.beyond
        return True
    return False


@breaks("transfer-duration", "arrival")
def arrives_too_late(case: Case) -> bool:
    for move in some(case, case.transfers):
        move["finish"] += case.beyond
        return True
    return False


# -- routes --------------------------------------------------------------------------------------


@breaks("route", *ANYTHING)
def out_of_reach(case: Case) -> bool:
    reachable = case.problem.tables.routes.reachable
    for edge in case.dice.sample(case.problem.graph.edges, len(case.problem.graph.edges)):
        sender = next(row for row in case.tasks if row["id"] == edge.src)
        for row in [row for row in whole(case) if row["id"] == edge.dst]:
            for node in other_nodes(case, sender["node"]):
                if not reachable[case.node(sender["node"]), case.node(node)]:
                    case.put(row, node)
                    return True
    return False


@breaks("require", *ANYTHING)
def over_untagged_route(case: Case) -> bool:
    tables = case.problem.tables
    for e in case.dice.sample(range(tables.edges), tables.edges):
        edge = case.problem.graph.edges[e]
        permits = tables.permits(int(tables.item_rule[tables.edge_item[e]]))
        sender = next(row for row in case.tasks if row["id"] == edge.src)
        for row in [row for row in whole(case) if row["id"] == edge.dst]:
            for node in other_nodes(case, sender["node"]):
                ends = case.node(sender["node"]), case.node(node)
                if tables.routes.reachable[ends] and not permits[ends]:
                    case.put(row, node)
                    return True
    return False


@breaks("require", "copy")
def new_requirement(case: Case) -> bool:
    for move in some(case, [row for row in case.transfers if row["kind"] != "move"]):
        if move["kind"] == "read":
            case.change_data(move["src"], require=("unheard-of",))
        else:
            case.change_item(case.item(move), require=("unheard-of",))
        return True
    return False


# -- capacities ----------------------------------------------------------------------------------


def crowd(case: Case, spans: list[tuple[float, float, float]]) -> float:
    """The most that (start, finish, amount) hold at one time."""
    margin = 4e-9 * case.latency
    clear = [(a + margin, b - margin, x) for a, b, x in spans if a + margin < b - margin]
    return max((sum(x for a, b, x in clear if a <= t < b) for t, _, _ in clear), default=0.0)


def on_node(case: Case, name: str) -> list[Row]:
    return [row for row in case.tasks if row["node"] == name]


def held(case: Case, row: Row, what: str) -> float:
    """Bytes that a row needs while it runs ("memory") or all the time ("resident")."""
    tables = case.problem.tables
    size = tables.memory_of if what == "memory" else tables.resident_of
    return float(row.get("fraction", 1.0) * size(case.task(row["id"]), case.node(row["node"])))


def meet(case: Case, late: Row, early: Row) -> bool:
    """Let one task begin while another runs; whether both last long enough for it."""
    if min(case.runs(row) for row in (late, early)) < 1e-6 * max(case.latency, 1.0):
        return False
    case.shift(late, early["start"] + case.dice.choice([0.0, 0.5]) * case.runs(early))
    return True


@breaks("slots", *EARLIER, *LATER)
def too_many_at_once(case: Case) -> bool:
    for row in some(case, case.tasks):
        slots = case.problem.network.nodes[case.node(row["node"])].slots
        for other in some(case, on_node(case, row["node"])):
            pair = (case.problem.graph.tasks[case.task(r["id"])].slots for r in (row, other))
            if other is not row and sum(pair) > slots and meet(case, row, other):
                return True
    return False


@breaks("slots", "limits")
def fewer_slots(case: Case) -> bool:
    for node in other_nodes(case):
        tasks = case.problem.graph.tasks
        rows = [(row, tasks[case.task(row["id"])].slots) for row in on_node(case, node)]
        most = int(crowd(case, [(row["start"], row["finish"], n) for row, n in rows]))
        if most > max((n for _, n in rows), default=0):
            case.change_node(node, slots=most - 1)
            return True
    return False


@breaks("memory", *EARLIER, *LATER)
def too_much_memory_at_once(case: Case) -> bool:
    for row in some(case, case.tasks):
        room = case.problem.network.nodes[case.node(row["node"])].memory
        beside = on_node(case, row["node"])
        resident = sum(held(case, other, "resident") for other in beside)
        for other in some(case, beside):
            both = resident + held(case, row, "memory") + held(case, other, "memory")
            if other is not row and room is not None and both > room * (1 + 1e-6):
                return meet(case, row, other)
    return False


@breaks("memory")
def less_memory(case: Case) -> bool:
    for node in other_nodes(case):
        rows = on_node(case, node)
        base = sum(held(case, row, "resident") for row in rows)
        running = [(row["start"], row["finish"], held(case, row, "memory")) for row in rows]
        most = base + crowd(case, running)
        if most > 0:
            case.change_node(node, memory=most * case.dice.choice([1 - 1e-6, 0.5, 0.0]))
            return True
    return False


def channels(case: Case, move: Row) -> list[tuple[int, bool]]:
    """Links on the route of a transfer, and whether against their direction."""
    nodes = case.problem.tables.routes.path(case.node(move["from"]), case.node(move["to"]))
    hops = set(pairwise(nodes))
    found = []
    for number, link in enumerate(case.problem.network.links):
        ends = case.node(link.src), case.node(link.dst)
        found += [(number, False)] if ends in hops else []
        back = ends[::-1] in hops and link.duplex != "simplex"
        found += [(number, link.duplex == "full")] if back else []
    return found


def hold(case: Case, move: Row) -> tuple[float, float, float]:
    encode, serialise, _ = case.transfer_parts(move)
    return move["start"] + encode, move["start"] + encode + serialise, 1.0


@breaks("link", "transfer-start", "arrival")
def crowded_link(case: Case) -> bool:
    for move in some(case, case.transfers):
        encode, serialise, _ = case.transfer_parts(move)
        for other in some(case, case.transfers):
            shared = set(channels(case, move)) & set(channels(case, other))
            single = [n for n, _ in shared if case.problem.network.links[n].channels == 1]
            begin, end, _ = hold(case, other)
            short = min(serialise, end - begin) < 1e-6 * max(case.latency, 1.0)
            if other is not move and single and not short:
                case.shift(move, begin - encode)
                return True
    return False


@breaks("link", "limits")
def fewer_channels(case: Case) -> bool:
    used = {channel for move in case.transfers for channel in channels(case, move)}
    for number, back in case.dice.sample(sorted(used), len(used)):
        moves = [move for move in case.transfers if (number, back) in channels(case, move)]
        most = int(crowd(case, [hold(case, move) for move in moves]))
        if most > 1:
            case.change_link(number, channels=most - 1)
            return True
    return False


# -- copies --------------------------------------------------------------------------------------


@breaks("copy", "limits")
def doubled_copy(case: Case) -> bool:
    for row in some(case, case.copies):
        case.copies.append(dict(row))
        return True
    return False


@breaks("copy")
def copy_at_home(case: Case) -> bool:
    for data in case.dice.sample(case.problem.data, len(case.problem.data)):
        case.copies.append({"data": data.id, "node": case.dice.choice(data.home)})
        return True
    return False


@breaks("copy")
def copy_not_allowed(case: Case) -> bool:
    for row in some(case, case.copies):
        case.change_data(row["data"], allow=("tier:unheard-of",))
        return True
    return False


@breaks("copy", "max-copies", "storage", *ANYTHING)
def copy_out_of_reach(case: Case) -> bool:
    tables = case.problem.tables
    for d in case.dice.sample(range(len(case.problem.data)), len(case.problem.data)):
        permits = tables.permits(int(tables.data_rule[d]))
        for node in other_nodes(case):
            if not permits[tables.home[d], case.node(node)].any():
                case.copies.append({"data": tables.data_ids[d], "node": node})
                return True
    return False


@breaks("max-copies")
def fewer_copies(case: Case) -> bool:
    for row in some(case, case.copies):
        count = sum(other["data"] == row["data"] for other in case.copies)
        case.change_data(row["data"], max_copies=count - 1)
        return True
    return False


@breaks("max-copies", *ANYTHING)
def too_many_copies(case: Case) -> bool:
    for data in case.dice.sample(case.problem.data, len(case.problem.data)):
        placed = [row["node"] for row in case.copies if row["data"] == data.id]
        free = other_nodes(case, *data.home, *placed)
        if data.max_copies is not None and len(placed) + len(free) > data.max_copies:
            case.copies += [{"data": data.id, "node": node} for node in free]
            return True
    return False


@breaks("storage")
def less_storage(case: Case) -> bool:
    size = {data.id: data.bytes for data in case.problem.data}
    for row in some(case, case.copies):
        stored = sum(size[other["data"]] for other in case.copies if other["node"] == row["node"])
        if stored > 0:
            case.change_node(row["node"], storage=stored * case.dice.choice([1 - 1e-6, 0.5, 0.0]))
            return True
    return False


# -- groups and limits ---------------------------------------------------------------------------


@breaks("together")
def apart_in_a_group(case: Case) -> bool:
    for row in some(case, whole(case)):
        for other in some(case, [other for other in whole(case) if other["node"] != row["node"]]):
            case.add_group(Group("together", (row["id"], other["id"])))
            return True
    return False


@breaks("apart")
def together_in_a_group(case: Case) -> bool:
    for row in some(case, whole(case)):
        for other in some(case, on_node(case, row["node"])):
            if other in whole(case) and other is not row:
                case.add_group(Group("apart", (row["id"], other["id"])))
                return True
    return False


@breaks("contiguous")
def path_that_comes_back(case: Case) -> bool:
    node = {row["id"]: row["node"] for row in whole(case)}
    ends = [(e.src, e.dst) for e in case.problem.graph.edges if e.src in node and e.dst in node]
    paths: list[tuple[str, ...]] = list(ends)
    for _ in range(3):  # paths of up to four edges
        for path in case.dice.sample(paths, len(paths)):
            if node[path[0]] == node[path[-1]] and any(node[i] != node[path[0]] for i in path):
                case.add_group(Group("contiguous", path))
                return True
        paths = [(*path, b) for path in paths for a, b in ends if a == path[-1]]
    return False


def strayed(case: Case, rule: str) -> bool:
    """Run a task of a group where, next to one of the others, it breaks the group's rule."""
    for group in [group for group in case.problem.graph.groups if group.rule == rule]:
        rows = [row for row in case.tasks if row["id"] in group.tasks]
        for row in some(case, rows):
            for other in some(case, [other for other in rows if other is not row]):
                for node in other_nodes(case, row["node"]):
                    if (node == other["node"]) == (rule == "apart"):
                        case.put(row, node)
                        return True
    return False


@breaks("together", *ANYTHING)
def left_its_group(case: Case) -> bool:
    return strayed(case, "together")


@breaks("apart", *ANYTHING)
def joined_its_group(case: Case) -> bool:
    return strayed(case, "apart")


@breaks("limits")
def exceeded_limit(case: Case) -> bool:
    metrics = case.plan().metrics
    for name in case.dice.sample(sorted(metrics), len(metrics)):
        if metrics[name] > 0:
            bound = metrics[name] * case.dice.choice([1 - 1e-6, 0.5, 0.0])
            case.problem = case.problem.replace(limits={name: bound})
            return True
    return False
