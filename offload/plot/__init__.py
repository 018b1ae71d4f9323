"""Pictures: functions that take a plan, a problem or a table and an Axes, and return the Axes.

They need matplotlib: ``pip install 'offload[plot]'``.
"""

from __future__ import annotations

from offload.plot.bandwidth import bandwidth
from offload.plot.convergence import convergence
from offload.plot.front import front
from offload.plot.gantt import gantt
from offload.plot.graph import graph
from offload.plot.performance import profiles
from offload.plot.stages import stages
from offload.plot.topology import topology
from offload.plot.usage import load, memory

__all__ = [
    "bandwidth", "convergence", "front", "gantt", "graph", "load", "memory", "profiles", "stages",
    "topology",
]  # fmt: skip
