"""Interactive pictures: functions that take a plan or a front and return a plotly ``Figure``.

They need plotly: ``pip install 'offload[plot]'``. Figures show themselves in notebooks;
``.write_html("file.html")`` saves one.
"""

from __future__ import annotations

from offload.plot.interactive.front import front
from offload.plot.interactive.gantt import gantt
from offload.plot.interactive.topology import topology

__all__ = ["front", "gantt", "topology"]
