"""What all interactive pictures share: plotly, escaped texts, one look."""

from __future__ import annotations

import html
from typing import Any

from offload.errors import OffloadError

__all__ = ["EDGE", "figure", "label", "plotly", "shorter"]

EDGE = "#222222"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif"
# Lassos have nothing to choose here. The others, of some versions of plotly, send the picture's
# data to a server: nothing of a plan shall leave by a click.
_BUTTONS = ("lasso2d", "select2d", "sendChartToCloud", "sendDataToCloud")
_LONGEST = 80  # characters of a text in a tooltip


def plotly() -> Any:
    """The module ``plotly.graph_objects``.

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    try:
        import plotly.graph_objects
    except ImportError:
        fix = "pip install 'offload[plot]'"
        message = f"interactive pictures need plotly, which is not installed; {fix}"
        raise OffloadError(message) from None
    return plotly.graph_objects


def label(text: str, most: int = _LONGEST) -> str:
    """A user's text as plotly shows it literally, which reads texts as a kind of HTML."""
    return html.escape(shorter(text, most), quote=False)


def shorter(text: str, most: int = _LONGEST) -> str:
    """A text cut to a number of characters, with a sign that it is."""
    return text if len(text) <= most else text[: most - 1] + "…"


def figure(traces: list[Any], **layout: Any) -> Any:
    """A figure of these traces in the look of all."""
    go = plotly()
    axes = {"linecolor": "#444444", "gridcolor": "#E4E4E4", "zerolinecolor": "#E4E4E4"}
    for name in ("xaxis", "yaxis"):
        if name in layout:
            layout[name] = axes | layout[name]
    return go.Figure(
        traces,
        go.Layout(**{
            "template": "none", "font": {"family": _FONT, "size": 12, "color": EDGE},
            "margin": {"l": 10, "r": 10, "t": 40, "b": 40}, "plot_bgcolor": "white",
            "paper_bgcolor": "white", "hovermode": "closest",
            "modebar": {"remove": list(_BUTTONS)},
            "hoverlabel": {"align": "left", "bgcolor": "white", "font": {"color": EDGE}},
            "legend": {
                "orientation": "h", "x": 0, "xanchor": "left", "yref": "container", "y": 1,
                "yanchor": "top",
            },
        } | layout),
    )  # fmt: skip
