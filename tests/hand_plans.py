"""Small instances and plans written by hand, for tests that state exact figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plan_documents import Document, Row

from offload.checker import check
from offload.plan import Plan, Violation
from offload.problem import Codec, Data, Edge, Graph, Group, Link, Network, Node, Problem, Task

__all__ = ["A", "AB", "B", "LINK", "found", "instance", "one", "plan", "run", "send"]

A, B = Node("a"), Node("b")
LINK = Link("a", "b", bandwidth=10, latency=0.5)
AB = Edge("x", "y", bytes=10)  # 1 s on the link and 0.5 s of latency


def instance(
    tasks: Sequence[Task],
    edges: Sequence[Edge] = (),
    groups: Sequence[Group] = (),
    *,
    nodes: Sequence[Node] = (A, B),
    links: Sequence[Link] = (LINK,),
    data: Sequence[Data] = (),
    codecs: Sequence[Codec] = (),
    limits: Mapping[str, float] | None = None,
) -> Problem:
    """An instance on nodes a and b of speed 1 and one slot, with one link."""
    return Problem(
        network=Network(tuple(nodes), tuple(links)),
        graph=Graph(tuple(tasks), tuple(edges), tuple(groups)),
        data=tuple(data), codecs=tuple(codecs), limits=dict(limits or {}),
    )  # fmt: skip


def run(name: str, node: str, start: float, finish: float, **more: Any) -> Row:
    """A row of a task."""
    return {"id": name, "node": node, "mode": "default", "start": start, "finish": finish} | more


def send(
    src: str, dst: str | list[str], ends: str, start: float, finish: float, **more: Any
) -> Row:
    """A row of a transfer; ``ends`` is "a>b"."""
    origin, to = ends.split(">")
    readers = [dst] if isinstance(dst, str) else dst
    row: Row = {"kind": "edge", "src": src, "item": None, "dst": readers, "codec": None}
    return row | {"from": origin, "to": to, "start": start, "finish": finish} | more


def plan(
    problem: Problem, tasks: list[Row], transfers: Sequence[Row] = (), copies: Sequence[Row] = ()
) -> Plan:
    """A plan of these rows."""
    return Document(problem, tasks, list(transfers), list(copies)).plan()


def found(
    problem: Problem,
    tasks: list[Row],
    transfers: Sequence[Row] = (),
    copies: Sequence[Row] = (),
    **options: Any,
) -> list[Violation]:
    """Violations of a plan of these rows."""
    return check(problem, plan(problem, tasks, transfers, copies), **options)


def one(violations: list[Violation]) -> tuple[str, tuple[str, ...], float | None, Any, Any]:
    """The only violation: rule, items, time, needed, found."""
    assert len(violations) == 1, [str(violation) for violation in violations]
    only = violations[0]
    assert only.message
    return only.rule, only.items, only.time, only.needed, only.found
