"""Progress: a plain line now and then, nothing with --quiet."""

from __future__ import annotations

import io
import re

import pytest

from offload.cli.output import Session
from offload.cli.progress import goal_text, meter_for, news, solve_text
from offload.meters import LineMeter, LiveMeter, Silent
from offload.plan import Progress


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
