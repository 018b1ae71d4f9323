"""Corruptions of what tasks share: slots, memory, links, groups and limits."""

from __future__ import annotations

from itertools import pairwise

from corrupting import ANYTHING, EARLIER, LATER, Corruptions, other_nodes, some, whole
from plan_documents import Case, Row

from offload.problem import Group

__all__ = ["OF_SHARED", "channels", "hold", "on_node"]

OF_SHARED = Corruptions()


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


@OF_SHARED.breaks("slots", *EARLIER, *LATER)
def too_many_at_once(case: Case) -> bool:
    for row in some(case, case.tasks):
        slots = case.problem.network.nodes[case.node(row["node"])].slots
        for other in some(case, on_node(case, row["node"])):
            pair = (case.problem.graph.tasks[case.task(r["id"])].slots for r in (row, other))
            if other is not row and sum(pair) > slots and meet(case, row, other):
                return True
    return False


@OF_SHARED.breaks("slots", "limits")
def fewer_slots(case: Case) -> bool:
    for node in other_nodes(case):
        tasks = case.problem.graph.tasks
        rows = [(row, tasks[case.task(row["id"])].slots) for row in on_node(case, node)]
        most = int(crowd(case, [(row["start"], row["finish"], n) for row, n in rows]))
        if most > max((n for _, n in rows), default=0):
            case.change_node(node, slots=most - 1)
            return True
    return False


@OF_SHARED.breaks("memory", *EARLIER, *LATER)
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


@OF_SHARED.breaks("memory")
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


@OF_SHARED.breaks("link", "transfer-start", "arrival")
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


@OF_SHARED.breaks("link", "limits")
def fewer_channels(case: Case) -> bool:
    used = {channel for move in case.transfers for channel in channels(case, move)}
    for number, back in case.dice.sample(sorted(used), len(used)):
        moves = [move for move in case.transfers if (number, back) in channels(case, move)]
        most = int(crowd(case, [hold(case, move) for move in moves]))
        if most > 1:
            case.change_link(number, channels=most - 1)
            return True
    return False


# -- groups and limits ---------------------------------------------------------------------------


@OF_SHARED.breaks("together")
def apart_in_a_group(case: Case) -> bool:
    for row in some(case, whole(case)):
        for other in some(case, [other for other in whole(case) if other["node"] != row["node"]]):
            case.add_group(Group("together", (row["id"], other["id"])))
            return True
    return False


@OF_SHARED.breaks("apart")
def together_in_a_group(case: Case) -> bool:
    for row in some(case, whole(case)):
        for other in some(case, on_node(case, row["node"])):
            if other in whole(case) and other is not row:
                case.add_group(Group("apart", (row["id"], other["id"])))
                return True
    return False


@OF_SHARED.breaks("contiguous")
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


@OF_SHARED.breaks("together", *ANYTHING)
def left_its_group(case: Case) -> bool:
    return strayed(case, "together")


@OF_SHARED.breaks("apart", *ANYTHING)
def joined_its_group(case: Case) -> bool:
    return strayed(case, "apart")


@OF_SHARED.breaks("limits")
def exceeded_limit(case: Case) -> bool:
    metrics = case.plan().metrics
    for name in case.dice.sample(sorted(metrics), len(metrics)):
        if metrics[name] > 0:
            bound = metrics[name] * case.dice.choice([1 - 1e-6, 0.5, 0.0])
            case.problem = case.problem.replace(limits={name: bound})
            return True
    return False
