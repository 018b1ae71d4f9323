"""What the families share: parameters with their bounds, random draws, and a growing instance."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offload.errors import OffloadError
from offload.problem import Data, Edge, Graph, Group, Network, Problem, Task
from offload.typechecks import close

__all__ = ["Draft", "Parameter", "brief", "draws", "spread", "values_of"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a family: its default, its bounds, and what it means.

    ``whole`` asks for an integer; ``beyond`` says that ``least`` itself is not allowed.
    """

    default: float
    text: str
    least: float = 0.0
    most: float = math.inf
    whole: bool = False
    beyond: bool = False

    def check(self, name: str, value: Any) -> float:
        """The value as a number, if it is one within the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise OffloadError(f"{name}: must be a number, got {value!r}; its default is {self}")
        low = value <= self.least if self.beyond else value < self.least
        if low or value > self.most or math.isinf(value):
            raise OffloadError(f"{name}: must be {self.range()}, got {value!r}")
        if self.whole and value != int(value):
            raise OffloadError(f"{name}: must be a whole number, got {value!r}")
        return int(value) if self.whole else float(value)

    def range(self) -> str:
        """The bounds in words."""
        low = f"above {self.least:g}" if self.beyond else f"{self.least:g} or more"
        return low if math.isinf(self.most) else f"{low} and at most {self.most:g}"

    def __str__(self) -> str:
        return f"{self.default:g}"


def values_of(
    family: str, known: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Each parameter's value: the given one, checked, or the default.

    Raises
    ------
    OffloadError
        For a parameter that the family does not have, or a value out of its bounds.
    """
    for name in given:
        if name not in known:
            fix = close(name, known) if known else "it has none"
            raise OffloadError(f"{family}: has no parameter {name!r}; {fix}")
    return {
        name: parameter.check(f"{family}: {name}", given.get(name, parameter.default))
        for name, parameter in known.items()
    }


def brief(value: float) -> float:
    """A number with four significant digits: files stay small, and digests the same everywhere."""
    return float(f"{value:.4g}")


def spread(rng: random.Random, mean: float, width: float) -> float:
    """Uniform from ``mean (1 - width / 2)`` to ``mean (1 + width / 2)``, four digits.

    Topcuoglu, Hariri, Wu 2002, section 5.2: the range percentage (beta) of computation costs.
    """
    return brief(mean * (1.0 + width * (rng.random() - 0.5)))


def draws(rng: random.Random, width: float) -> Callable[[float], float]:
    """:func:`spread` with all but the mean given."""
    return functools.partial(spread, rng, width=width)


@dataclass
class Draft:
    """An instance that grows task by task."""

    tasks: list[Task] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    data: list[Data] = field(default_factory=list)
    network: Network = field(default_factory=Network)
    minimize: dict[str, float] = field(default_factory=lambda: {"latency": 1.0})

    def task(
        self, id: str, work: float, after: Mapping[str, float] | None = None, *,
        require: Sequence[str] = (), **fields: Any,
    ) -> str:  # fmt: skip
        """Add a task and the edges to it (bytes by source), and return its id."""
        self.tasks.append(Task(id, work=work, **fields))
        for source, size in (after or {}).items():
            self.edge(source, id, size, require)
        return id

    def edge(self, src: str, dst: str, size: float, require: Sequence[str] = ()) -> None:
        """Add an edge."""
        self.edges.append(Edge(src, dst, size, require=tuple(require)))

    def on(self, network: Network, minimize: Mapping[str, float] | None = None) -> Draft:
        """The same with its network, and with what is minimized if it is not the latency."""
        self.network = network
        self.minimize = dict(minimize or self.minimize)
        return self

    def problem(self, name: str = "", description: str = "", source: str = "") -> Problem:
        """The instance, with what it says of itself."""
        return Problem(
            name=name, description=description, source=source, network=self.network,
            graph=Graph(self.tasks, self.edges, self.groups), data=self.data,
            minimize=self.minimize,
        )  # fmt: skip
