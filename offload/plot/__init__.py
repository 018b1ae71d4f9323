"""Pictures: functions that take a plan, a problem or a table and an Axes, and return the Axes.

They need matplotlib: ``pip install 'offload[plot]'``. Those of ``interactive`` are plotly figures.
"""

from __future__ import annotations

from offload.plot import interactive
from offload.plot.bandwidth import bandwidth
from offload.plot.convergence import convergence
from offload.plot.front import front
from offload.plot.gantt import gantt
from offload.plot.graph import graph
from offload.plot.performance import profiles
from offload.plot.stages import stages
from offload.plot.sweep import sweep
from offload.plot.topology import topology
from offload.plot.usage import load, memory

__all__ = [
    "bandwidth", "convergence", "front", "gantt", "graph", "interactive", "load", "memory",
    "profiles", "stages", "sweep", "topology",
]  # fmt: skip
