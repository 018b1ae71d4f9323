"""Pictures: functions that take a plan, a problem or a table and an Axes, and return the Axes.

They need matplotlib: ``pip install 'offload[plot]'``.
"""

from __future__ import annotations

from offload.plot.bandwidth import bandwidth
from offload.plot.gantt import gantt
from offload.plot.performance import profiles
from offload.plot.stages import stages
from offload.plot.sweep import sweep
from offload.plot.topology import topology

__all__ = ["bandwidth", "gantt", "profiles", "stages", "sweep", "topology"]
