"""Corruptions of what moves: transfers, routes, and copies of data."""

from __future__ import annotations

from corrupting import ANYTHING, MOVED, Corruptions, other_nodes, some, whole
from plan_documents import Case, Row

__all__ = ["OF_TRANSFERS"]

OF_TRANSFERS = Corruptions()


# -- transfers -----------------------------------------------------------------------------------


@OF_TRANSFERS.breaks("missing-transfer")
def dropped_transfer(case: Case) -> bool:
    if case.transfers:
        case.transfers.pop(case.dice.randrange(len(case.transfers)))
        return True
    return False


@OF_TRANSFERS.breaks("unneeded-transfer", "limits")
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


@OF_TRANSFERS.breaks("repeated-transfer", "limits")
def doubled_transfer(case: Case) -> bool:
    for move in some(case, case.transfers):
        again = {**move, "dst": list(move["dst"])}
        case.shift(again, move["start"] + case.dice.choice([0.0, case.beyond]))
        case.transfers.append(again)
        return True
    return False


@OF_TRANSFERS.breaks("waiting")
def stranger_waits(case: Case) -> bool:
    for move in some(case, case.transfers):
        strangers = [row["id"] for row in case.tasks if row["id"] not in move["dst"]]
        if strangers:
            move["dst"].append(case.dice.choice(strangers))
            return True
    return False


@OF_TRANSFERS.breaks("waiting")
def waits_twice(case: Case) -> bool:
    for move in some(case, case.transfers):
        move["dst"].append(case.dice.choice(move["dst"]))
        return True
    return False


@OF_TRANSFERS.breaks("waiting")
def forgotten_reader(case: Case) -> bool:
    for move in some(case, case.transfers):
        if len(move["dst"]) > 1:
            move["dst"].pop(case.dice.randrange(len(move["dst"])))
            return True
    return False


@OF_TRANSFERS.breaks("source", "missing-transfer", *MOVED)
def from_elsewhere(case: Case) -> bool:
    for move in some(case, case.transfers):
        ran = {row["node"] for row in case.tasks if row["id"] == move["src"]}
        for node in other_nodes(case, move["from"], *(ran if move["kind"] == "edge" else ())):
            move["from"] = node
            return True
    return False


@OF_TRANSFERS.breaks("codec", *MOVED)
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


@OF_TRANSFERS.breaks("transfer-start", "link")
def sent_too_early(case: Case) -> bool:
    for move in some(case, case.transfers):
        ready = 0.0
        if move["kind"] == "edge":
            sent = [r for r in case.tasks if (r["id"], r["node"]) == (move["src"], move["from"])]
            ready = sent[0]["finish"]
        case.shift(move, ready - case.beyond)
        return True
    return False


@OF_TRANSFERS.breaks("transfer-duration")
def arrives_too_soon(case: Case) -> bool:
    for move in some(case, case.transfers):
        move["finish"] -= case.beyond
        return True
    return False


@OF_TRANSFERS.breaks("transfer-duration", "arrival")
def arrives_too_late(case: Case) -> bool:
    for move in some(case, case.transfers):
        move["finish"] += case.beyond
        return True
    return False


# -- routes --------------------------------------------------------------------------------------


@OF_TRANSFERS.breaks("route", *ANYTHING)
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


@OF_TRANSFERS.breaks("require", *ANYTHING)
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


@OF_TRANSFERS.breaks("require", "copy")
def new_requirement(case: Case) -> bool:
    for move in some(case, [row for row in case.transfers if row["kind"] != "move"]):
        if move["kind"] == "read":
            case.change_data(move["src"], require=("unheard-of",))
        else:
            case.change_item(case.item(move), require=("unheard-of",))
        return True
    return False


# -- copies --------------------------------------------------------------------------------------


@OF_TRANSFERS.breaks("copy", "limits")
def doubled_copy(case: Case) -> bool:
    for row in some(case, case.copies):
        case.copies.append(dict(row))
        return True
    return False


@OF_TRANSFERS.breaks("copy")
def copy_at_home(case: Case) -> bool:
    for data in case.dice.sample(case.problem.data, len(case.problem.data)):
        case.copies.append({"data": data.id, "node": case.dice.choice(data.home)})
        return True
    return False


@OF_TRANSFERS.breaks("copy")
def copy_not_allowed(case: Case) -> bool:
    for row in some(case, case.copies):
        case.change_data(row["data"], allow=("tier:unheard-of",))
        return True
    return False


@OF_TRANSFERS.breaks("copy", "max-copies", "storage", *ANYTHING)
def copy_out_of_reach(case: Case) -> bool:
    tables = case.problem.tables
    for d in case.dice.sample(range(len(case.problem.data)), len(case.problem.data)):
        permits = tables.permits(int(tables.data_rule[d]))
        for node in other_nodes(case):
            if not permits[tables.home[d], case.node(node)].any():
                case.copies.append({"data": tables.data_ids[d], "node": node})
                return True
    return False


@OF_TRANSFERS.breaks("max-copies")
def fewer_copies(case: Case) -> bool:
    for row in some(case, case.copies):
        count = sum(other["data"] == row["data"] for other in case.copies)
        case.change_data(row["data"], max_copies=count - 1)
        return True
    return False


@OF_TRANSFERS.breaks("max-copies", *ANYTHING)
def too_many_copies(case: Case) -> bool:
    for data in case.dice.sample(case.problem.data, len(case.problem.data)):
        placed = [row["node"] for row in case.copies if row["data"] == data.id]
        free = other_nodes(case, *data.home, *placed)
        if data.max_copies is not None and len(placed) + len(free) > data.max_copies:
            case.copies += [{"data": data.id, "node": node} for node in free]
            return True
    return False


@OF_TRANSFERS.breaks("storage")
def less_storage(case: Case) -> bool:
    size = {data.id: data.bytes for data in case.problem.data}
    for row in some(case, case.copies):
        stored = sum(size[other["data"]] for other in case.copies if other["node"] == row["node"])
        if stored > 0:
            case.change_node(row["node"], storage=stored * case.dice.choice([1 - 1e-6, 0.5, 0.0]))
            return True
    return False
