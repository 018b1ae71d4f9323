"""What ``offload partition`` does: one plan, a sweep over bandwidths, replicated stages."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from offload.cli.output import Session
from offload.cli.saving import save_picture

if TYPE_CHECKING:
    import pandas as pd

    from offload.features import Goal
    from offload.plan import Result
    from offload.problem import Problem

__all__ = ["Ends", "planned", "replicated", "sweeping"]


class Ends(NamedTuple):
    """Where answers go: the session, files of a plan or table and of a picture, and if as JSON."""

    session: Session
    output: str | None
    plot: str | None
    json: bool


def planned(
    ends: Ends, problem: Problem, aim: Goal, method: str | None, options: dict[str, Any]
) -> int:
    """One plan, its stages, and the best single cut beside it."""
    from offload import plot as pictures
    from offload.bandwidth_sweep import best_partition
    from offload.cli import partition_report as report
    from offload.cli.progress import meter_for
    from offload.cli.running import INTERRUPTED, run
    from offload.files import write_bytes
    from offload.plan_writing import result_text

    session, output, plot = ends.session, ends.output, ends.plot
    meter = meter_for(session, aim.minimize)

    def work(cancel: threading.Event) -> tuple[Result, Any]:
        result = best_partition(
            problem, method, aim, on_progress=meter.update, cancel=cancel, **options
        )
        found = _single_cut(problem, aim, cancel)
        if output is not None and result.plan is not None:
            write_bytes(output, result_text(problem, result).encode())
        if result.plan is not None:
            save_picture(plot, pictures.stages, result.plan)
        return result, report.cut_record(found, aim.minimize)

    result, cut = run(work, meter)
    saved = output if result.plan is not None else None
    drawn = plot if result.plan is not None else None
    if ends.json:
        session.json(_record(problem, result, cut, saved, drawn))
    else:
        _show(session, result, cut, aim)
        for what, path in (("plan", saved), ("picture", drawn)):
            if path is not None:
                session.print(f"{what} saved to {path}")
    if result.plan is not None:
        return 0
    return INTERRUPTED if result.stopped == "cancelled" else 1


def _single_cut(problem: Problem, aim: Goal, cancel: threading.Event) -> Any:
    """The best single cut, where the instance has no divisible tasks."""
    from offload.heuristics.single_cut import best_cut
    from offload.registry import Request, Stopped

    if problem.tables.divisible.any() or not problem.graph.tasks:
        return None
    try:
        found = best_cut(Request(problem, aim, cancel=cancel))
    except Stopped:
        return None
    fine = found is not None and Request(problem, aim).keeps(found[1])
    return found if fine else None


def _record(
    problem: Problem, result: Result, cut: Any, saved: str | None, drawn: str | None
) -> dict[str, Any]:
    from offload.cli.answer import result_json
    from offload.cli.partition_report import records
    from offload.stage_table import link_loads, stages

    plan = result.plan
    return {
        "instance": problem.name, "tasks": len(problem.graph.tasks),
        "edges": len(problem.graph.edges), **result_json(result),
        "stages": None if plan is None else records(stages(plan)),
        "links": None if plan is None else records(link_loads(plan)),
        "single_cut": cut, "saved": saved, "plot": drawn,
    }  # fmt: skip


def _show(session: Session, result: Result, cut: Any, aim: Goal) -> None:
    from offload.cli import partition_report as report
    from offload.cli.answer import STYLES, conflict_lines, run_line
    from offload.stage_table import stages
    from offload.wording import headline

    session.print(headline(result), style=STYLES.get(result.status))
    session.print(run_line(result))
    if result.conflict is not None:
        session.print("", *conflict_lines(result.conflict))
    if result.plan is not None:
        table = report.stages_table(stages(result.plan), session.width)
        session.print("", table, "", report.period_line(result.plan))
        assert result.objective is not None
        if len(result.plan.parts.task):
            session.print(report.beside(cut, result.objective, aim.minimize))


def sweeping(
    ends: Ends, problem: Problem, aim: Goal, method: str | None, values: list[float] | None,
    options: dict[str, Any],
) -> int:  # fmt: skip
    """The best cut against bandwidth."""
    import offload
    from offload import plot as pictures
    from offload.bandwidth_sweep import grid_of
    from offload.cli import partition_report as report
    from offload.cli.progress import meter_for
    from offload.cli.running import INTERRUPTED, run
    from offload.files import write_bytes

    session, output, plot = ends.session, ends.output, ends.plot
    meter = meter_for(session, aim.minimize)
    points = grid_of(problem) if values is None else values
    interrupted = False

    def work(cancel: threading.Event) -> pd.DataFrame:
        nonlocal interrupted
        frame = offload.sweep_bandwidth(
            problem, points, method, aim.minimize, aim.limits, on_progress=meter.update,
            cancel=cancel, **options,
        )  # fmt: skip
        interrupted = cancel.is_set()
        if not interrupted:
            if output is not None:
                write_bytes(output, frame.to_csv(index=False).encode())
            save_picture(plot, pictures.bandwidth, frame)
        return frame

    frame = run(work, meter, kept="stopping; what is done is shown, nothing is saved")
    saved, drawn = (None, None) if interrupted else (output, plot)
    if ends.json:
        session.json({
            "instance": problem.name, **frame.attrs, "points": report.records(frame),
            "saved": saved, "plot": drawn,
        })  # fmt: skip
    else:
        session.print(report.sweep_table(frame))
        for what, path in (("table", saved), ("picture", drawn)):
            if path is not None:
                session.print(f"{what} saved to {path}")
    if interrupted:
        return INTERRUPTED
    return 0 if bool(frame["objective"].notna().any()) else 1


def replicated(ends: Ends, problem: Problem, workers: int) -> int:
    """A pipeline of replicated stages; it is a table, no plan."""
    import offload
    from offload.cli import partition_report as report
    from offload.errors import OffloadError
    from offload.files import write_bytes

    session, output = ends.session, ends.output
    function = getattr(offload, "replicated_stages", None)
    if function is None:
        raise OffloadError("--replicas: this installation has no replicated stages; update it")
    found = function(problem, workers=workers)
    frame = found.to_frame()
    if output is not None:
        write_bytes(output, frame.to_csv(index=False).encode())
    if ends.json:
        session.json({
            "instance": problem.name, "period": found.period, "replicas": list(found.replicas),
            "stages": report.records(frame), "saved": output,
        })  # fmt: skip
        return 0
    session.print(str(found), "", report.frame_table(frame))
    if output is not None:
        session.print(f"table saved to {output}")
    return 0
