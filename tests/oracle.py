"""What the contract says, once more: slow, plain Python, straight from the words of SPEC 1 to 4.

Nothing here uses the library beyond the records of a problem: no tables, no metrics, no decoder.
Where the library must agree with the contract to the last digit, it is compared with this.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite

from oracle_durations import Durations, Parts

__all__ = ["Decoded", "Oracle", "Transfer"]

TOLERANCE = 1e-9  # relative, on bytes of memory


@dataclass
class Transfer:
    """Something that moves to another node, and when."""

    kind: str
    what: tuple[int | str, ...]
    src: int | None  # None: no node that has it can be reached
    dst: int
    size: float
    require: Sequence[str]
    codec: int
    start: float
    arrival: float
    parts: Parts


@dataclass
class Decoded:
    """The times that placements and an order lead to."""

    nodes: Sequence[int]
    modes: Sequence[int]
    copies: Collection[tuple[int, int]]
    start: list[float]
    finish: list[float]
    transfers: dict[tuple[int | str, ...], Transfer] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)  # node -> start of the task placed last
    held: dict[tuple[int, str], list[tuple[float, float]]] = field(default_factory=dict)


class Oracle(Durations):
    """Answers about one problem; tasks, nodes, data and codecs are named by position."""

    # -- section 2: decoding ---------------------------------------------------------------------

    def decode(
        self,
        nodes: Sequence[int],
        order: Sequence[int],
        modes: Sequence[int] | None = None,
        codecs: Sequence[int] | None = None,
        copies: Collection[tuple[int, int]] = (),
    ) -> Decoded:
        """Times from placements and an order; ``copies`` are pairs (data, node)."""
        count = len(self.tasks)
        modes = [0] * count if modes is None else modes
        codecs = [-1] * len(self.edges) if codecs is None else codecs
        made = Decoded(nodes, modes, copies, [inf] * count, [inf] * count)
        done: list[int] = []
        for i in order:
            ready = self._arrivals(made, i, codecs)
            self._run(made, i, ready, done)
            done.append(i)
        return made

    def _arrivals(self, made: Decoded, i: int, codecs: Sequence[int]) -> float:
        """When a task's release is past and all that it waits for is there."""
        task, k = self.tasks[i], made.nodes[i]
        times = [task.release]
        for e, edge in enumerate(self.edges):
            if edge.dst != task.id:
                continue
            sender = self.task_at[edge.src]
            item = e if edge.item is None else edge.item
            sent = Transfer(
                "edge", ("edge", edge.src, item, k), made.nodes[sender], k, edge.bytes,
                edge.require, codecs[e], made.finish[sender], inf,
                self.parts(edge.bytes, made.nodes[sender], k, codecs[e]),
            )  # fmt: skip
            times.append(self._send(made, sent))
        for name in task.reads:
            d = self.data_at[name]
            data = self.problem.data[d]
            holders = self.homes(d) | {l for c, l in made.copies if c == d}
            src = k if k in holders else self.source(d, k, holders)
            parts = self.parts(data.bytes, src, k)
            fetch = Transfer(
                "read", ("read", d, k), src, k, data.bytes, data.require, -1, 0.0, inf, parts
            )
            times.append(self._send(made, fetch))
        if task.at is not None:
            src, size = self.node_at[task.at], task.move_bytes
            parts = self.parts(size, src, k)
            move = Transfer("move", ("move", i, k), src, k, size, (), -1, 0.0, inf, parts)
            times.append(self._send(made, move))
        return max(times)

    def has_route(self, transfer: Transfer) -> bool:
        """Whether a transfer may take its route, and there is one."""
        src, dst = transfer.src, transfer.dst
        return src is not None and self.permitted(src, dst, transfer.require)

    def _send(self, made: Decoded, new: Transfer) -> float:
        """When something has arrived; sends it if it is not on its way already."""
        if new.src == new.dst:
            return new.start
        if new.what in made.transfers:
            return made.transfers[new.what].arrival
        made.transfers[new.what] = new
        if not self.has_route(new):
            new.start = inf
            return inf
        lines = [
            (made.held.setdefault(hop.channels, []), hop.link.channels)
            for hop in self.hops_between(new.src, new.dst)
            if hop.link.channels is not None and new.parts.serialise > 0
        ]
        wish = new.start + new.parts.encode
        moments = [wish] + [moment for holds, _ in lines for hold in holds for moment in hold]
        for hold in sorted(moment for moment in moments if moment >= wish):
            if all(_free(holds, channels, hold) for holds, channels in lines):
                break
        for holds, _ in lines:
            holds.append((hold, hold + new.parts.serialise))
        if hold > wish:
            new.start = hold - new.parts.encode
        new.arrival = new.start + sum(new.parts)
        return new.arrival

    def _run(self, made: Decoded, i: int, ready: float, done: Sequence[int]) -> None:
        """Start a task as early as its inputs and its node allow."""
        k = made.nodes[i]
        length = self.execution(i, k, made.modes[i])
        wish = max(ready, made.begun.get(k, 0.0))
        start = inf
        if isfinite(length) and self._resident(made.nodes, k) <= self._memory(k):
            beside = [j for j in done if made.nodes[j] == k]
            moments = [wish, *(made.finish[j] for j in beside)]
            for moment in sorted(moment for moment in moments if moment >= wish):
                if length == 0 or self._fits(made, i, beside, moment):
                    start = moment
                    break
        made.begun[k] = made.start[i] = start
        made.finish[i] = start + length

    def _fits(self, made: Decoded, i: int, beside: Sequence[int], moment: float) -> bool:
        """Whether a node has slots and memory for a task at a time at which no later one began."""
        k = made.nodes[i]
        running = [j for j in beside if made.start[j] < made.finish[j] and made.finish[j] > moment]
        slots = sum(self.tasks[j].slots for j in [*running, i])
        memory = sum(self.by_selector(self.tasks[j].memory, k) or 0.0 for j in [*running, i])
        room = inf if self._memory(k) == inf else self._memory(k) - self._resident(made.nodes, k)
        return slots <= self.nodes[k].slots and memory <= room

    def _memory(self, k: int) -> float:
        memory = self.nodes[k].memory
        return inf if memory is None else memory * (1 + TOLERANCE)

    def _resident(self, nodes: Sequence[int], k: int) -> float:
        sizes = (self.by_selector(self.tasks[i].resident, k) for i, l in enumerate(nodes) if l == k)
        return sum(inf if size is None else size for size in sizes)

    # -- section 4: metrics ----------------------------------------------------------------------

    def metrics(self, made: Decoded) -> dict[str, float]:
        """All eight metrics. A rate or weight of 0 counts nothing, even for ever."""
        placed = list(zip(self.tasks, made.nodes, made.modes, made.finish, strict=True))
        running = [self.execution(i, k, made.modes[i]) for i, k in enumerate(made.nodes)]
        slot_seconds = [p * task.slots for p, task in zip(running, self.tasks, strict=True)]
        moved = list(made.transfers.values()) + self._pushes(made)
        energy = cost = risk = traffic = 0.0
        for (_, k, m, _), p, busy in zip(placed, running, slot_seconds, strict=True):
            node = self.nodes[k]
            # A mode that the node does not have draws nothing; the task never runs anyway.
            known = m <= len(node.modes)
            power = node.busy_power if not m else node.modes[m - 1].busy_power if known else 0.0
            energy += _at_rate(busy, power)
            cost += _at_rate(busy, node.price)
            risk += _at_rate(p, node.failure_rate)
        for transfer in moved:
            ratio = 1.0 if transfer.codec < 0 else self.problem.codecs[transfer.codec].ratio
            size, hops = transfer.size / ratio, self.hops_between(transfer.src, transfer.dst)
            energy += size * sum(hop.link.energy for hop in hops)
            if transfer.src is not None:
                energy += transfer.parts.encode * self.nodes[transfer.src].busy_power
            energy += transfer.parts.decode * self.nodes[transfer.dst].busy_power
            cost += size * sum(hop.link.price for hop in hops)
            traffic += size * len(hops)
        latency = max(made.finish, default=0.0)
        return {
            "latency": latency,
            "completion": sum(_at_rate(f, task.weight) for task, _, _, f in placed),
            "tardiness": sum(
                _at_rate(max(0.0, f - task.due), task.weight)
                for task, _, _, f in placed
                if task.due is not None
            ),
            "energy": energy + _at_rate(latency, sum(node.idle_power for node in self.nodes)),
            "cost": cost,
            "risk": risk,
            "traffic": traffic,
            "period": max(
                [*self._node_loads(made, slot_seconds), *self._link_loads(made)], default=0.0
            ),
        }

    def _pushes(self, made: Decoded) -> list[Transfer]:
        """One transfer from a home for each placed copy."""
        found = []
        for d, l in made.copies:
            size = self.problem.data[d].bytes
            src = l if l in self.homes(d) else self.source(d, l, self.homes(d))
            if src is not None and src != l:
                parts = self.parts(size, src, l)
                found.append(
                    Transfer("push", ("push", d, l), src, l, size, (), -1, 0.0, 0.0, parts)
                )
        return found

    def _node_loads(self, made: Decoded, slot_seconds: Sequence[float]) -> list[float]:
        loads = []
        for k, node in enumerate(self.nodes):
            busy = sum(s for s, l in zip(slot_seconds, made.nodes, strict=True) if l == k)
            load = busy / node.slots if node.slots else busy
            if node.io == "serial":
                streamed = [t for t in made.transfers.values() if t.kind != "move"]
                load += sum(t.parts.serialise for t in streamed if t.dst == k)
                sent: dict[tuple[int | str, ...], float] = {}
                for t in streamed:
                    if t.src == k:
                        item = t.what[:-1]  # the thing, whatever node it goes to
                        sent[item] = max(sent.get(item, 0.0), t.parts.serialise)
                load += sum(sent.values())
            loads.append(load)
        return loads

    def _link_loads(self, made: Decoded) -> list[float]:
        loads: dict[tuple[int, str], float] = {}
        for t in made.transfers.values():
            for hop in self.hops_between(t.src, t.dst) if t.kind != "move" else []:
                if hop.link.channels is not None:
                    share = t.parts.serialise / hop.link.channels
                    loads[hop.channels] = loads.get(hop.channels, 0.0) + share
        return list(loads.values())


def _free(holds: Sequence[tuple[float, float]], channels: int, moment: float) -> bool:
    """Whether a link has a free channel at a time at or after the last hold begun on it."""
    begun = holds[-1][0] if holds else 0.0
    return moment >= begun and sum(end > moment for _, end in holds) < channels


def _at_rate(seconds: float, rate: float) -> float:
    return seconds * rate if rate else 0.0
