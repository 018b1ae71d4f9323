"""An instance as frozen objects: tasks and their edges, nodes and their links, data and codecs.

The classes mirror the file format `offload-instance/1` field by field, so that a file and a problem
built in Python are one thing. Units are SI throughout: seconds, bytes, joules, watts, operations.
``Problem`` validates everything once, when it is made; the parts alone are plain records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.tables import Tables
    from offload.validation import Resolved

__all__ = [
    "METRICS", "Codec", "Data", "Edge", "Graph", "Group", "Link", "Mode", "Network", "Node",
    "Problem", "Task",
]  # fmt: skip

if TYPE_CHECKING:
    Many: TypeAlias = Sequence  # what a caller may pass
else:

    class Many:
        """``Many[X]`` is what it is kept as: a tuple of any number of X."""

        def __class_getitem__(cls, kind: Any) -> Any:
            return tuple[kind, ...]


FORMAT = "offload-instance/1"
METRICS = ("latency", "completion", "tardiness", "energy", "cost", "risk", "traffic", "period")

Id = Annotated[str, Meta(min_length=1)]
Amount = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
AmountBySelector = dict[str, Amount]
MOST = 2**53  # integers above this lose digits in float64

# The records hold texts and numbers alone, so no cycle can run through them: gc=False spares the
# garbage collector a walk over hundreds of thousands of them.


class Mode(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A further operating point of a node (DVFS); the node's own speed and power are "default"."""

    id: Annotated[Id, Meta(description="name of the mode, unique within its node")]
    speed: Annotated[Positive, Meta(description="operations per second")]
    busy_power: Annotated[Amount, Meta(description="watts per occupied slot")]


class Node(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A place where tasks run: a device, an edge server, a cloud machine, or a relay (0 slots)."""

    id: Annotated[Id, Meta(description="unique name of the node")]
    tier: Annotated[str, Meta(description="tier, as in the selector tier:edge")] = "edge"
    kind: Annotated[str, Meta(description="hardware kind, as in the selector kind:...")] = ""
    tags: Annotated[Many[str], Meta(description="labels for tag:... and require")] = ()
    speed: Annotated[Positive, Meta(description="operations per second in the default mode")] = 1.0
    slots: Annotated[
        int, Meta(ge=0, le=MOST, description="slot-units of work run at once; 0 is a relay")
    ] = 1
    memory: Annotated[Amount | None, Meta(description="bytes; null is unlimited")] = None
    storage: Annotated[Amount | None, Meta(description="bytes of copies; null is unlimited")] = None
    io: Annotated[
        Literal["overlapped", "serial"],
        Meta(description="whether transfers add to the node's load in the metric period"),
    ] = "overlapped"
    busy_power: Annotated[Amount, Meta(description="watts per occupied slot")] = 0.0
    idle_power: Annotated[Amount, Meta(description="watts, drawn all the time")] = 0.0
    price: Annotated[Amount, Meta(description="currency per slot-second")] = 0.0
    failure_rate: Annotated[Amount, Meta(description="failures per second of execution")] = 0.0
    modes: Annotated[Many[Mode], Meta(description="further operating points")] = ()


class Link(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A direct connection between two nodes."""

    src: Annotated[Id, Meta(description="node at one end")]
    dst: Annotated[Id, Meta(description="node at the other end")]
    bandwidth: Annotated[
        Positive | None, Meta(description="bytes per second; null is infinite")
    ] = None
    latency: Annotated[Amount, Meta(description="seconds")] = 0.0
    duplex: Annotated[
        Literal["full", "half", "simplex"],
        Meta(description="both ways apart, both ways shared, or src to dst only"),
    ] = "full"
    channels: Annotated[
        Annotated[int, Meta(ge=1, le=MOST)] | None,
        Meta(description="transfers at once, each at full bandwidth; null is no contention"),
    ] = None
    energy: Annotated[Amount, Meta(description="joules per byte")] = 0.0
    price: Annotated[Amount, Meta(description="currency per byte")] = 0.0
    tags: Annotated[Many[str], Meta(description="labels for require")] = ()


class Network(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Nodes and links."""

    nodes: Annotated[Many[Node], Meta(description="places where tasks run")] = ()
    links: Annotated[Many[Link], Meta(description="what joins them")] = ()
    reference_bytes: Annotated[
        Amount, Meta(description="message size by which routes are chosen, bytes")
    ] = 1e6


class Task(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A piece of work that runs on one node without interruption."""

    id: Annotated[Id, Meta(description="unique name of the task")]
    work: Annotated[Amount | None, Meta(description="operations")] = None
    time: Annotated[
        AmountBySelector, Meta(description="seconds by selector, in place of work / speed")
    ] = {}
    slots: Annotated[int, Meta(ge=1, le=MOST, description="slot-units occupied while running")] = 1
    memory: Annotated[
        Amount | AmountBySelector, Meta(description="bytes while running; a number or by selector")
    ] = 0.0
    resident: Annotated[
        Amount | AmountBySelector,
        Meta(description="bytes held for the whole plan; a number or by selector"),
    ] = 0.0
    allow: Annotated[Many[str], Meta(description="selectors of nodes it may run on")] = ("*",)
    release: Annotated[Amount, Meta(description="earliest start, seconds")] = 0.0
    due: Annotated[Amount | None, Meta(description="wished finish, seconds (tardiness)")] = None
    deadline: Annotated[Amount | None, Meta(description="latest finish, seconds")] = None
    weight: Annotated[Amount, Meta(description="weight in completion and tardiness")] = 1.0
    reads: Annotated[Many[str], Meta(description="data that it reads")] = ()
    at: Annotated[str | None, Meta(description="node where it is now (migration)")] = None
    move_bytes: Annotated[Amount, Meta(description="bytes to move if it leaves `at`")] = 0.0
    divisible: Annotated[bool, Meta(description="may be spread over nodes in fractions")] = False


class Edge(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`dst` starts after `src` has finished and its bytes have arrived."""

    src: Annotated[Id, Meta(description="task that sends")]
    dst: Annotated[Id, Meta(description="task that receives")]
    bytes: Annotated[Amount, Meta(description="bytes that move if the two run apart")] = 0.0
    item: Annotated[
        str | None, Meta(description="edges of one source with one item share its transfers")
    ] = None
    codecs: Annotated[Many[str], Meta(description="codecs that may compress it")] = ()
    require: Annotated[Many[str], Meta(description="tags that its route must carry")] = ()


class Group(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A rule over the places of several tasks."""

    rule: Annotated[
        Literal["together", "apart", "contiguous"],
        Meta(description="all on one node, no two on one node, or convex on each node"),
    ]
    tasks: Annotated[Many[str], Meta(description="the tasks that it names")]


class Graph(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Tasks, the edges between them, and rules over their places."""

    tasks: Annotated[Many[Task], Meta(description="what there is to do")] = ()
    edges: Annotated[Many[Edge], Meta(description="what waits for what")] = ()
    groups: Annotated[Many[Group], Meta(description="rules over places of several tasks")] = ()


class Data(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Bytes that exist before the plan starts, at one or more homes."""

    id: Annotated[Id, Meta(description="unique name of the data")]
    bytes: Annotated[Amount, Meta(description="size")]
    home: Annotated[Many[str], Meta(min_length=1, description="nodes that hold it for good")]
    max_copies: Annotated[
        Annotated[int, Meta(ge=0, le=MOST)] | None,
        Meta(description="placed copies; null is any number"),
    ] = 0
    allow: Annotated[Many[str], Meta(description="selectors of nodes for copies")] = ("*",)
    require: Annotated[Many[str], Meta(description="tags that its routes must carry")] = ()


class Codec(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A way to compress a transfer."""

    id: Annotated[Id, Meta(description="unique name of the codec")]
    ratio: Annotated[float, Meta(ge=1, description="bytes in over bytes out")]
    encode: Annotated[Amount, Meta(description="operations per byte, at the source")]
    decode: Annotated[Amount, Meta(description="operations per byte, at the destination")]


# Set while a typed decoder makes problems: their fields need no second check of types.
_decoded: ContextVar[bool] = ContextVar("offload_decoded", default=False)


class Problem(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag=FORMAT,
    dict=True, weakref=True,
):  # fmt: skip
    """An instance: a network, a task graph, data and codecs, and what to minimize under limits.

    Parameters
    ----------
    network, graph, data, codecs
        The instance itself. Lists are accepted and kept as tuples.
    minimize : dict of metric to weight, or a metric's name
        Weights >= 0, at least one > 0. Metrics are named in :data:`METRICS`.
    limits : dict of metric to upper bound
        A plan that breaks one is infeasible.
    name, description, source
        Text for people; not part of the digest.

    Raises
    ------
    InstanceError
        With every error that was found, each with its path, the value and a fix.

    Examples
    --------
    >>> import offload
    >>> problem = offload.Problem(
    ...     network=offload.Network(
    ...         [offload.Node("cam", speed=1e9), offload.Node("edge", speed=8e9)],
    ...         [offload.Link("cam", "edge", bandwidth=1e7, latency=0.002)]),
    ...     graph=offload.Graph(
    ...         [offload.Task("grab", work=1e8, allow=["cam"]), offload.Task("detect", work=4e9)],
    ...         [offload.Edge("grab", "detect", bytes=1e6)]))
    >>> offload.solve(problem, method="cpsat").objective
    0.702
    """

    name: Annotated[str, Meta(description="name of the instance, for people")] = ""
    description: Annotated[str, Meta(description="what it is, for people")] = ""
    source: Annotated[str, Meta(description="where the instance comes from, and its licence")] = ""
    network: Annotated[Network, Meta(description="nodes and links")] = Network()
    graph: Annotated[Graph, Meta(description="tasks, edges and groups")] = Graph()
    data: Annotated[Many[Data], Meta(description="bytes that exist beforehand")] = ()
    codecs: Annotated[Many[Codec], Meta(description="ways to compress transfers")] = ()
    minimize: Annotated[
        dict[str, Amount],
        Meta(
            description="weight by metric, at least one above 0",
            extra_json_schema={"propertyNames": {"enum": METRICS}, "default": {"latency": 1}},
        ),
    ] = msgspec.field(default_factory=lambda: {"latency": 1.0})
    limits: Annotated[
        dict[str, Amount],
        Meta(
            description="upper bound by metric",
            extra_json_schema={"propertyNames": {"enum": METRICS}},
        ),
    ] = {}

    def __post_init__(self) -> None:
        from offload.validation import check_types, validate

        if not _decoded.get():
            for field, value in check_types(self).items():
                msgspec.structs.force_setattr(self, field, value)
        self.__dict__["resolved"] = validate(self)

    @cached_property
    def resolved(self) -> Resolved:
        """Positions of the edges' ends, and the tasks in topological order."""
        from offload.validation import validate

        return validate(self)

    def replace(self, **changes: Any) -> Problem:
        """A copy with some fields changed, validated anew."""
        return msgspec.structs.replace(self, **changes)

    @cached_property
    def tables(self) -> Tables:
        """The instance as arrays: the one cost model, made on first use."""
        from offload.tables import Tables

        return Tables(self)

    @cached_property
    def digest(self) -> str:
        """``sha256:`` and the hex digest of the canonical form of network, graph, data, codecs."""
        from offload.files import digest

        return digest(self)

    def plot_graph(self, ax: Axes | None = None) -> Axes:
        """Draw the task graph; see :func:`offload.plot.graph`."""
        from offload.plot import graph

        return graph(self, ax)

    def plot_topology(self, ax: Axes | None = None) -> Axes:
        """Draw the network; see :func:`offload.plot.topology`."""
        from offload.plot import topology

        return topology(self, None, ax)

    def __repr__(self) -> str:
        from offload.units import count

        sizes = (
            count(len(self.graph.tasks), "task"), count(len(self.graph.edges), "edge"),
            count(len(self.network.nodes), "node"), count(len(self.network.links), "link"),
        )  # fmt: skip
        return f"<Problem {self.name!r}: {', '.join(sizes)}>"

    def _repr_html_(self) -> str:
        from offload.html import problem_page

        return problem_page(self)

    def save(self, path: Any) -> None:
        """Write the instance to a file, gzip where the name ends in .gz; :func:`offload.save`."""
        from offload.files import save

        save(self, path)


def as_weights(
    value: str | Mapping[str, float] | None, default: Mapping[str, float]
) -> dict[str, float]:
    """A metric's name or a mapping of metrics to numbers, as a dict; ``None`` means the default."""
    if value is None:
        return dict(default)
    if isinstance(value, str):
        return {value: 1.0}
    return {key: float(number) for key, number in value.items()}
