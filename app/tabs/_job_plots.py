"""The metrics of a job: drawn over the units done, and as a table where several lines belong together.

A metric named plot/line is a line of that plot; line low and line high are the ends of its interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any

from storage.job_events import MetricPoint

MOST_PLOTS = 6
LONGEST_TABLE = 64  # rows; a longer line is only drawn
_COLOURS = ("#4F46E5", "#94A3B8", "#0D9488", "#D97706")
_BAND = "rgba(79,70,229,.14)"
_ENDS = (" low", " high")


def told_once(points: Sequence[MetricPoint]) -> dict[str, float]:
    """Metrics with one value, such as what a bench came to: there is nothing to draw of them."""
    times = Counter(name for point in points for name in point.metrics)
    return {name: value for point in points for name, value in point.metrics.items() if times[name] == 1}


def _plots(points: Sequence[MetricPoint]) -> dict[str, list[str]]:
    """The metrics of each plot, in the order in which they came."""
    once, plots = told_once(points), {}
    for name in dict.fromkeys(name for point in points for name in point.metrics):
        if name not in once:
            plots.setdefault(name.partition("/")[0], []).append(name)
    return plots


def figure(points: Sequence[MetricPoint]) -> Any:
    """Each plot over the units done, small and below one another; None where nothing was measured more than once."""
    plots = dict(list(_plots(points).items())[:MOST_PLOTS])
    if not plots:
        return None
    from plotly.subplots import make_subplots

    rows = -(-len(plots) // 2)
    drawn = make_subplots(rows=rows, cols=min(2, len(plots)), subplot_titles=list(plots), vertical_spacing=0.35 / rows)
    for index, names in enumerate(plots.values()):
        for line in _lines(points, names):
            drawn.add_scatter(**line, row=index // 2 + 1, col=index % 2 + 1)
    several = any(len(names) > 1 for names in plots.values())
    drawn.update_layout(
        height=60 + 170 * rows + 90 * several,
        margin={"l": 44, "r": 12, "t": 30, "b": 28},
        showlegend=several,
        legend={"orientation": "h", "y": -0.14, "traceorder": "normal"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 12, "color": "#64748B"},
    )
    drawn.update_xaxes(gridcolor="rgba(100,116,139,.18)", zeroline=False)
    drawn.update_yaxes(gridcolor="rgba(100,116,139,.18)", zeroline=False)
    return drawn


def _lines(points: Sequence[MetricPoint], names: list[str]) -> list[dict[str, Any]]:
    """The lines of one plot; the ends of an interval are the edges of a band that lies below them."""
    ends = [name for name in names if name.endswith(_ENDS)]
    lines = []
    for name in ends:
        fill = {"fill": "tonexty", "fillcolor": _BAND} if name.endswith(_ENDS[1]) else {}
        lines.append(_line(points, name) | {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"} | fill)
    for place, name in enumerate(name for name in names if name not in ends):
        lines.append(_line(points, name) | {"line": {"color": _COLOURS[place % len(_COLOURS)], "width": 2}})
    return lines


def _line(points: Sequence[MetricPoint], name: str) -> dict[str, Any]:
    drawn = [(point.done, point.metrics[name]) for point in points if name in point.metrics]
    return {
        "x": [x for x, _ in drawn],
        "y": [y for _, y in drawn],
        "mode": "lines",
        "name": name.rpartition("/")[2],
    }


def tables(points: Sequence[MetricPoint]) -> str:
    """Plots of several lines as tables, a row for each unit done; an interval stands behind its value."""
    return "".join(_table(points, title, names) for title, names in _plots(points).items() if len(names) > 1)


def _table(points: Sequence[MetricPoint], title: str, names: list[str]) -> str:
    rows = [point for point in points if any(name in point.metrics for name in names)]
    if len(rows) > LONGEST_TABLE:
        return ""
    columns = [name for name in names if not name.endswith(_ENDS)]
    head = "".join(f"<th>{escape(name.rpartition('/')[2])}</th>" for name in columns)
    body = "".join(
        f"<tr><th>{point.done}</th>{''.join(f'<td>{_cell(point, name)}</td>' for name in columns)}</tr>"
        for point in rows
    )
    return f'<h4>{escape(title.capitalize())}</h4><table class="figures"><tr><th></th>{head}</tr>{body}</table>'


def _cell(point: MetricPoint, name: str) -> str:
    if name not in point.metrics:
        return ""
    low, high = (point.metrics.get(f"{name}{end}") for end in _ENDS)
    interval = "" if low is None or high is None else f" <small>{low:.3g}–{high:.3g}</small>"
    return f"{point.metrics[name]:.4g}{interval}"
