"""From a PyTorch module to processes that share its work: export, measure, plan, cut, run.

Run from the repository root: ``python examples/split_model.py``. A small transformer is measured
on this machine, planned as a pipeline over two nodes, and cut by the plan. Each node is then a
process that has its part of the weights alone; activations go through pipes. Prints each stage's
time as it was predicted, as the same profile predicts it again after the run, and as it was, and
checks the result against the whole module's.
"""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import pickle
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import offload

USER = "user"  # who has the input and wants the result
WARM_UP = 2
Key = tuple[int, str]  # round and name of a tensor


class Mailbox:
    """What arrives from one sender, read by a thread of its own so that no sender ever waits."""

    def __init__(self, connection: Connection) -> None:
        self._arrived: dict[Key, Any] = {}
        self._changed = threading.Condition()
        self._open = True
        threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                arrived = pickle.loads(connection.recv_bytes())
                with self._changed:
                    self._arrived |= arrived
                    self._changed.notify_all()
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def take(self, key: Key) -> Any:
        """Wait for a tensor; raises ``EOFError`` if its sender ended without sending it."""
        with self._changed:
            while key not in self._arrived:
                if not self._open:
                    raise EOFError(f"the process that should send {key} has ended")
                self._changed.wait()
            return self._arrived.pop(key)


def work(
    packed: bytes,
    incoming: dict[str, Connection],
    outgoing: dict[str, Connection],
    rounds: int,
    threads: int,
) -> None:
    """A node's process: its stages, round after round."""
    import torch

    torch.set_num_threads(threads)
    stages, sender, wanted = pickle.loads(packed)
    mail = {source: Mailbox(connection) for source, connection in incoming.items()}
    for number in range(rounds):
        tensors: dict[str, Any] = {}
        for position, stage in stages:
            for name in stage.needs:
                if name not in tensors:
                    tensors[name] = mail[sender[name]].take((number, name))
            start = time.perf_counter()
            given = stage(tensors)
            seconds = time.perf_counter() - start
            tensors |= given
            for reader, connection in outgoing.items():
                letter = {(number, name): given[name] for name in given if name in wanted[reader]}
                if reader == USER:
                    letter[number, f"seconds {position}"] = seconds
                if letter:
                    connection.send_bytes(pickle.dumps(letter))


def routes(split: offload.models.Split) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Who makes each tensor, and which tensors of others each node, and the user, wants."""
    sender = dict.fromkeys(split.needs, USER)
    sender |= {name: stage.node for stage in split.stages for name in stage.gives}
    wanted = {stage.node: set[str]() for stage in split.stages}
    for stage in split.stages:
        wanted[stage.node].update(name for name in stage.needs if sender[name] != stage.node)
    wanted[USER] = {name for name in split.gives if sender[name] != USER}
    return sender, wanted


class Office:
    """The user's end: a process for each node of a split module, and pipes between all."""

    def __init__(self, split: offload.models.Split, rounds: int, threads: int) -> None:
        self.split = split
        self.sender, self.wanted = routes(split)
        context = multiprocessing.get_context("spawn")
        ends = [(a, b) for a in self.wanted for b in self.wanted if a != b]
        pipes = {pair: context.Pipe(duplex=False) for pair in ends}
        self.processes = []
        for node in self.wanted:
            if node == USER:
                continue
            stages = [(k, stage) for k, stage in enumerate(split.stages) if stage.node == node]
            packed = pickle.dumps((stages, self.sender, self.wanted))
            incoming = {a: pipes[a, b][0] for a, b in ends if b == node}
            outgoing = {b: pipes[a, b][1] for a, b in ends if a == node}
            args = (packed, incoming, outgoing, rounds, threads)
            process = context.Process(target=work, args=args)
            process.start()
            self.processes.append(process)
        self.mail = {a: Mailbox(pipes[a, b][0]) for a, b in ends if b == USER}
        self.outgoing = {b: pipes[a, b][1] for a, b in ends if a == USER}
        for (a, b), (receive, send) in pipes.items():  # the other ends are the processes'
            if b != USER:
                receive.close()
            if a != USER:
                send.close()

    def round(self, number: int, inputs: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """Send the input and wait for the result: its tensors, and the seconds it took."""
        start = time.perf_counter()
        for node, connection in self.outgoing.items():
            letter = {(number, name): inputs[name] for name in inputs if name in self.wanted[node]}
            if letter:
                connection.send_bytes(pickle.dumps(letter))
        mail = {name: self.mail[self.sender[name]] for name in sorted(self.wanted[USER])}
        tensors = {name: box.take((number, name)) for name, box in mail.items()}
        return {**inputs, **tensors}, time.perf_counter() - start

    def seconds(self, number: int) -> list[float]:
        """How long each stage took in a round."""
        stages = enumerate(self.split.stages)
        return [self.mail[stage.node].take((number, f"seconds {k}")) for k, stage in stages]


def run(
    split: offload.models.Split, inputs: dict[str, Any], rounds: int, threads: int = 1
) -> tuple[Any, list[float], float]:
    """Run a split module, a process a node; the input goes in when the last result is out.

    Returns
    -------
    tuple
        The result, the median seconds of each stage, and of a round from input to result.
    """
    office = Office(split, WARM_UP + rounds, threads)
    tensors, stages, wholes = dict(inputs), [], []
    for number in range(WARM_UP + rounds):
        tensors, whole = office.round(number, inputs)
        stages.append(office.seconds(number))
        wholes.append(whole)
    for process in office.processes:
        process.join()
    medians = [statistics.median(times) for times in zip(*stages[WARM_UP:], strict=True)]
    return split.result(tensors), medians, statistics.median(wholes[WARM_UP:])


def plan_for(graph: offload.Graph, nodes: int, seconds: float = 3.0) -> offload.Plan:
    """The plan with the least period over some nodes of this machine's kind, pipes between them."""
    ids = [f"node{k}" for k in range(nodes)]
    links = [
        offload.Link(a, b, bandwidth=1e9, latency=1e-4) for k, a in enumerate(ids) for b in ids[:k]
    ]
    machines = [offload.Node(id, tier="device", kind="this-machine") for id in ids]
    problem = offload.Problem(
        name="split", network=offload.Network(machines, links), graph=graph, minimize={"period": 1}
    )
    plan = offload.solve(problem, time_limit=seconds).plan
    assert plan is not None  # every task may run on every node
    return plan


def table(
    split: offload.models.Split, graphs: Sequence[offload.Graph], seconds: Sequence[float]
) -> str:
    """Each stage's time as profiles from before and after the run predict it, and as it was."""

    def row(name: str, tasks: Sequence[str], measured: float) -> str:
        before, after = (
            sum(sum(task.time.values()) for task in graph.tasks if task.id in tasks)
            for graph in graphs
        )
        times = "".join(f"{1e3 * value:9.2f} ms" for value in (before, after, measured))
        return f"{name:8}{len(tasks):6}{times}{2 * measured / (before + after):7.2f}"

    head = f"{'node':8}{'tasks':>6}{'predicted':>12}{'again':>12}{'measured':>12}{'ratio':>7}"
    pairs = list(zip(split.stages, seconds, strict=True))
    everything = [task for stage in split.stages for task in stage.tasks]
    return "\n".join(
        [
            head,
            *(row(stage.node, stage.tasks, measured) for stage, measured in pairs),
            row("all", everything, sum(seconds)),
        ]
    )


def small_transformer() -> tuple[Any, tuple[Any, ...]]:
    """Four encoder layers of width 128, and an input for them."""
    import torch

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(128, 4, 512, batch_first=True)
    module = torch.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False).eval()
    return module, (torch.randn(1, 128, 128),)


def show(module: Any, args: tuple[Any, ...], nodes: int, blocks: int, rounds: int) -> float:
    """Measure, plan, cut, run, print; the largest difference from the whole module's result."""
    import torch

    def profile() -> offload.Graph:
        return offload.models.measure(module, args, graph, blocks=blocks, threads=1, repeats=rounds)

    graph = offload.models.from_torch(module, args, blocks=blocks, contiguous=True)
    before = profile()
    plan = plan_for(before, nodes)
    split = offload.models.split(module, args, plan, blocks=blocks)
    result, seconds, whole = run(split, split.inputs(*args), rounds)
    with torch.no_grad():
        error = float((result - module(*args)).abs().max())
    print(table(split, (before, profile()), seconds))
    print(f"planned period {1e3 * plan.metrics['period']:.2f} ms; ", end="")
    print(f"from input to result, pipes included, {1e3 * whole:.2f} ms")
    print(f"largest difference from the unsplit module: {error:.1e}")
    return error


def main() -> int:
    """The example."""
    if importlib.util.find_spec("torch") is None:
        print('skipped: PyTorch is not installed; pip install "offload[models]"')
        return 0
    module, args = small_transformer()
    return 0 if show(module, args, nodes=2, blocks=8, rounds=9) <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
