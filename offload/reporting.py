"""Reports: a plan or a front as one HTML file that opens without a network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offload import describing
from offload.checker import RULES, check
from offload.files import write_bytes
from offload.plan import Plan, Violation
from offload.plot import interactive
from offload.problem import METRICS
from offload.reports import plan_tables
from offload.reports.html_page import (
    Column,
    cards,
    escaped,
    facts,
    figure,
    items,
    page,
    paragraph,
    section,
    table,
)  # fmt: skip
from offload.stated import amounts, disagreements, recorded_headline
from offload.units import count, metric, number, percent, quantity
from offload.wording import describe, reason_text

if TYPE_CHECKING:
    from offload.fronts.front import Front
    from offload.problem import Problem

__all__ = ["front_page", "plan_page", "save_report"]

_MOST = 100  # violations that are listed


def save_report(plan: Plan, path: str | os.PathLike[str]) -> list[Violation]:
    """Write a plan's report, whole or not at all, and return what the checker found.

    Raises
    ------
    OffloadError
        If plotly is not installed, or the file cannot be written.
    """
    found = check_recorded(plan)
    write_bytes(path, plan_page(plan, found).encode())
    return found


def check_recorded(plan: Plan) -> list[Violation]:
    """Violations of a plan under the limits that it was made for, where it records them."""
    return check(plan.problem, plan, limits=_limits(plan))


def plan_page(plan: Plan, found: list[Violation] | None = None) -> str:
    """A plan as an HTML page: the answer, its proof and check, charts, tables, the instance.

    Parameters
    ----------
    found
        What the checker found; it is asked by default.

    Returns
    -------
    str
        The same for the same plan. Nothing in it is fetched from anywhere.

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    problem = plan.problem
    found = check_recorded(plan) if found is None else found
    name = problem.name or "an unnamed instance"
    empty = bool(problem.tables.tasks) and not len(plan.parts.task)
    title = f"<h1>Plan of {escaped(name)}</h1>"
    top = [title, paragraph(problem.description, "soft"), _answer(plan, empty), facts(_run(plan))]
    if empty:
        return page(f"Plan of {name}", [*top, _instance(problem)])
    shown = [
        section("metrics", "Metrics", cards(_metrics(plan.metrics))),
        section("check", "Check", *_check(plan, found)),
        section("gantt", "Gantt chart", figure("gantt-chart", interactive.gantt(plan))),
        section("topology", "Network", figure("network-chart", interactive.topology(plan))),
        *_tables(plan),
        _instance(problem),
    ]
    return page(f"Plan of {name}", [*top, _contents(), *shown])


def front_page(front: Front) -> str:
    """A front as an HTML page: its picture, how it was made, and a row a plan.

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    title = f"Front of {front.problem.name or 'an unnamed instance'}"
    told = _made(front.facts)
    if front.limits:
        told["limits"] = _limits_text(front.limits)
    frame = front.to_frame()
    columns = [_column("plan", [str(p) for p in range(len(front))], range(len(front)))]
    for name in front.metrics + tuple(m for m in METRICS if m not in front.metrics):
        values = frame[name].tolist()
        columns.append(_column(name, [metric(name, value) for value in values], values))
    gaps = frame["gap"].tolist()
    columns.append(_column("gap", [percent(gap) for gap in gaps], gaps))
    for name in ("proved", "knee"):
        columns.append(Column(name, ["yes" if known else "" for known in frame[name]]))
    return page(title, [
        f"<h1>{escaped(title)}</h1>", paragraph(front.problem.description, "soft"),
        paragraph(front.summary(), "answer"), facts(told),
        section("front", "Front", figure("front-chart", interactive.front(front))),
        section("plans", count(len(front), "plan"), table(columns)),
        _instance(front.problem),
    ])  # fmt: skip


def _column(head: str, texts: Sequence[str], values: Iterable[float]) -> Column:
    return Column(head, texts, [float(value) for value in values])


def _limits_text(limits: Mapping[str, float]) -> str:
    return ", ".join(f"{name} at most {metric(name, value)}" for name, value in limits.items())


def _contents() -> str:
    names = {
        "metrics": "Metrics", "check": "Check", "gantt": "Gantt chart", "topology": "Network",
        "chain": "Why so long", "tasks": "Tasks", "transfers": "Transfers", "nodes": "Nodes",
        "links": "Links", "instance": "Instance",
    }  # fmt: skip
    links = (f'<a href="#{key}">{text}</a>' for key, text in names.items())
    return f"<nav>{''.join(links)}</nav>"


def _answer(plan: Plan, empty: bool) -> str:
    head = recorded_headline(plan)
    if empty:
        head = head or "the file holds no plan"
    fails = plan.result.get("status") in ("infeasible", "unknown")
    if not head:
        head = f"latency {metric('latency', plan.metrics['latency'])}; no solve is recorded"
    return f'<p class="answer{" fails" if fails else ""}">{escaped(head)}</p>'


def _limits(plan: Plan) -> dict[str, float] | None:
    return amounts(plan.result.get("limits"))


def _run(plan: Plan) -> dict[str, str]:
    """What the plan file records of its solve, as far as it can be read."""
    facts, told = plan.result, {}
    minimize = amounts(facts.get("minimize"))
    if minimize:
        told["goal"] = describe(minimize)
    for name in ("objective", "bound"):
        value = facts.get(name)
        if isinstance(value, int | float):
            (only,) = minimize if minimize and len(minimize) == 1 else ("",)
            exact = minimize is not None and minimize.get(only) == 1.0
            told[name] = metric(only, value, 9) if exact else number(value, 9)
    if isinstance(facts.get("gap"), int | float):
        told["gap"] = number(100 * facts["gap"], 3) + " %"
    return told | _made(facts)


def _made(facts: Mapping[str, Any]) -> dict[str, str]:
    """How it was made: why it stopped, by which method, how long, with what."""
    told = {}
    if facts.get("stopped"):
        told["stopped"] = reason_text(str(facts["stopped"]), None)
    if facts.get("reason"):
        told["reason"] = str(facts["reason"])
    if facts.get("method"):
        told["method"] = str(facts["method"]) + _options(facts.get("options"))
    if isinstance(facts.get("seconds"), int | float):
        told["time"] = quantity(float(facts["seconds"]), "s", 3)
    if isinstance(facts.get("seed"), int):
        told["seed"] = str(facts["seed"])
    versions = facts.get("versions")
    if isinstance(versions, dict) and versions:
        told["with"] = ", ".join(f"{name} {version}" for name, version in versions.items())
    return told


def _options(options: Any) -> str:
    if not isinstance(options, dict) or not options:
        return ""
    return " (" + ", ".join(f"{name} {value}" for name, value in options.items()) + ")"


def _metrics(metrics: Mapping[str, float]) -> dict[str, str]:
    return {name: metric(name, value) for name, value in metrics.items()}


def _check(plan: Plan, found: list[Violation]) -> list[str]:
    limits = plan.problem.limits if _limits(plan) is None else _limits(plan)
    under = _limits_text(limits or {})
    told = paragraph(f"Limits: {under}.", "soft") if under else ""
    remarks = [paragraph(f"Note: {remark}.", "soft") for remark in disagreements(plan)]
    if not found:
        text = f"<b>holds</b>every one of {len(RULES)} rules, times and metrics measured anew"
        return [f'<p class="answer">{text}</p>', told, *remarks]
    more = len(found) - _MOST
    return [
        f'<p class="answer fails"><b>does not hold</b>{count(len(found), "violation")}</p>',
        items([str(violation) for violation in found[:_MOST]], "violations"),
        paragraph(f"and {more} more; offload check lists them all" if more > 0 else ""),
        told, *remarks,
    ]  # fmt: skip


def _tables(plan: Plan) -> list[str]:
    chain = plan_tables.chain_table(plan) or paragraph("Nothing runs, or times are not finite.")
    moved = count(len(plan.transfers.plan), "transfer")
    return [
        section("chain", "Why so long: what the last finish waited for", chain),
        section("tasks", count(plan.problem.tables.tasks, "task").capitalize(),
                plan_tables.tasks_table(plan)),
        section("transfers", moved.capitalize(), plan_tables.transfers_table(plan)),
        section("nodes", count(plan.problem.tables.nodes, "node"), plan_tables.nodes_table(plan)),
        section("links", "Links, by direction", plan_tables.links_table(plan)),
    ]  # fmt: skip


def _instance(problem: Problem) -> str:
    told = {"name": problem.name} if problem.name else {}
    told |= describing.facts(problem) | {"digest": problem.digest}
    source = paragraph(f"Source: {problem.source}" if problem.source else "", "soft")
    return section("instance", "Instance", source, facts(told))
