"""Progress: a plain line now and then, nothing with --quiet."""

from __future__ import annotations

import io
import re
import threading

import pytest

import offload
from offload import Problem
from offload.cli.output import Session
from offload.cli.progress import meter_for
from offload.meters import LineMeter, LiveMeter, Silent
from offload.plan import Progress
from offload.wording import goal_text, news, solve_text


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines_of(reports: dict[float, Progress], until: float) -> list[str]:
    """What a meter says, looked at ten times a second, for reports at given seconds."""
    clock, said = Clock(), list[str]()
    meter = LineMeter(solve_text(goal_text({"latency": 1.0})), clock, said.append, news)
    for tenth in range(int(until * 10) + 1):
        clock.now = 100.0 + tenth / 10
        if tenth / 10 in reports:
            meter.update(reports[tenth / 10])
        meter.tick()
    return said


def test_a_sign_of_life_every_five_seconds() -> None:
    assert lines_of({}, 11) == ["   5.0 s  working", "  10.0 s  working"]


def test_an_improvement_is_told_at_once_but_no_more_than_one_a_second() -> None:
    reports = {
        0.2: Progress(0.2, 90.0, 54.0, "heft"),
        0.4: Progress(0.4, 85.0, 54.0, "peft"),
        0.9: Progress(0.9, 80.0, 54.0, "cpsat"),
        3.0: Progress(3.0, 80.0, 76.0, "cpsat"),
    }
    assert lines_of(reports, 5) == [
        "   0.2 s  heft  objective 90 s  bound 54 s  gap 40 %",
        "   1.2 s  cpsat  objective 80 s  bound 54 s  gap 32.5 %",
        "   3.0 s  cpsat  objective 80 s  bound 76 s  gap 5 %",
    ]


def test_it_ends_with_what_is_new_since_the_last_line_if_there_was_one() -> None:
    clock, said = Clock(), list[str]()
    meter = LineMeter(solve_text(goal_text({"latency": 1.0})), clock, said.append, news)
    meter.update(Progress(0.1, 90.0, 54.0, "heft"))
    meter.close()
    assert said == []  # soon over: nothing was said, and nothing is
    clock.now = 100.5
    meter.tick()
    meter.close()
    assert said == ["   0.5 s  heft  objective 90 s  bound 54 s  gap 40 %"]
    clock.now = 100.7
    meter.update(Progress(0.7, 80.0, 54.0, "cpsat"))
    meter.tick()  # too soon after the last line
    meter.close()
    assert said[1:] == ["   0.7 s  cpsat  objective 80 s  bound 54 s  gap 32.5 %"]


def test_what_is_not_known_is_left_out() -> None:
    assert lines_of({0.0: Progress(0.0, None, None, "milp")}, 1) == ["   0.0 s  milp  no plan yet"]
    zero = {0.0: Progress(0.0, 0.0, 0.0, "milp")}
    assert lines_of(zero, 1) == ["   0.0 s  milp  objective 0 s  bound 0 s"]


def test_an_objective_of_several_metrics_has_no_unit() -> None:
    assert goal_text({"energy": 1.0, "cost": 0.0})(1500.0) == "1.5 kJ"
    assert goal_text({"latency": 1.0, "energy": 1.0})(1500.0) == "1500"
    assert goal_text({"latency": 2.0})(0.5) == "0.5"


def test_the_meter_fits_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(meter_for(Session(), {"latency": 1.0}), LineMeter)
    assert isinstance(meter_for(Session(quiet=True), {"latency": 1.0}), Silent)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(meter_for(Session(verbose=1), {"latency": 1.0}), LineMeter)
    meter = meter_for(Session(), {"latency": 1.0})
    assert isinstance(meter, LiveMeter)
    meter.update(Progress(1.0, 80.0, 76.0, "cpsat"))
    meter.tick()
    meter.close()
    written = terminal.getvalue()
    assert "cpsat  objective 80 s  bound 76 s  gap 5 %" in re.sub(r"\x1b\[[0-9;?]*\w", "", written)
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")  # the cursor is back


# -- progress=True in Python ---------------------------------------------------------------------


class Screen(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_solve_shows_nothing_unless_asked_and_a_live_line_in_a_terminal(
    paper: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen, told = Screen(), list[Progress]()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    offload.solve(paper, "heft", on_progress=told.append)
    assert screen.getvalue() == ""
    before = len(told)
    offload.solve(paper, "exact", on_progress=told.append, progress=True)
    assert "exact  objective " in screen.getvalue()
    assert screen.getvalue().endswith("\x1b[1A\x1b[2K")  # the line is wiped at the end
    assert len(told) > before > 0


def test_a_comparison_and_a_sweep_show_the_same(
    paper: Problem, capsys: pytest.CaptureFixture[str]
) -> None:
    offload.compare(paper, ["heft", "cpop"], progress=True)
    assert re.search(r"^ +\d\.\d s  (heft|cpop)  ", capsys.readouterr().err)
    offload.sweep_bandwidth(paper, [1.0, 2.0], "heft", progress=True)
    assert re.search(r"^ +\d\.\d s  heft  ", capsys.readouterr().err)
    offload.sweep(paper, {"network.nodes[p1].speed": ["x1", "x2"]}, "heft", progress=True)
    assert re.search(r"^ +\d\.\d s  row \d of 2 \(speed x\d\)  ", capsys.readouterr().err)
    offload.bottlenecks(paper, method="heft", time_limit=1, progress=True)
    assert re.search(r"^ +\d\.\d s  ", capsys.readouterr().err)
    offload.pareto(paper, time_limit=0.5, progress=True)
    assert re.search(r"^ +\d\.\d s  \d+ plans?, \d+ proved  ", capsys.readouterr().err)


def test_the_line_goes_even_where_a_solve_fails(
    paper: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: Progress) -> None:
        raise RuntimeError("from the callback")

    threads = threading.active_count()
    with pytest.raises(RuntimeError, match="from the callback"):
        offload.solve(paper, "heft", on_progress=broken, progress=True)
    assert threading.active_count() == threads
