"""How the values of options are read."""

from __future__ import annotations

import pytest

from offload.cli.values import (
    amount,
    duration,
    goal,
    method_options,
    one_standard_input,
    stem,
    whole,
)
from offload.errors import OffloadError
from offload.wording import describe


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90s", 90.0),
        ("1.5m", 90.0),
        ("2min", 120.0),
        ("1h", 3600.0),
        ("500ms", 0.5),
        ("1e3", 1000.0),
        (" 2 m ", 120.0),
        ("0", 0.0),
        ("none", None),
        (None, None),
    ],
)
def test_durations(text: str | None, seconds: float | None) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5x", "-1", "m", "nan", "1,5s", "e", "1 2"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(OffloadError, match=r"--time-limit: is no duration, got .* 90s, 2m"):
        duration(text)


def test_a_goal_is_a_metric_or_weights() -> None:
    assert goal("latency", None) == ({"latency": 1.0}, None)
    assert goal("latency=1, energy=0.1", None) == ({"latency": 1.0, "energy": 0.1}, None)
    assert goal(None, ["energy=50", "cost=0"]) == (None, {"energy": 50.0, "cost": 0.0})
    assert goal(None, ["none"]) == (None, {})
    assert goal(None, None) == (None, None)


@pytest.mark.parametrize(
    ("minimize", "limits", "message"),
    [
        ("latancy", None, "--minimize: is no metric, got 'latancy'; did you mean 'latency'"),
        ("", None, "--minimize: is no metric, got ''"),
        ("latency=fast", None, "--minimize: latency needs a number, got 'latency=fast'"),
        ("latency=nan", None, "--minimize: latency needs a number, got 'latency=nan'"),
        ("latency=0", None, "--minimize: needs a weight above 0, got 'latency=0'"),
        ("latency,latency=2", None, "--minimize: metric given more than once, got 'latency'"),
        (None, ["energy"], "--limit: energy needs a number, got 'energy'"),
        (None, ["energy=-1"], "--limit: energy needs a number, got 'energy=-1'"),
        (None, ["power=1"], "--limit: is no metric, got 'power'"),
        (None, ["energy=1", "energy=2"], "--limit: metric given more than once, got 'energy'"),
        (None, ["none", "energy=2"], "--limit: is no metric, got 'none'"),
    ],
)
def test_a_wrong_goal_names_option_value_and_fix(
    minimize: str | None, limits: list[str] | None, message: str
) -> None:
    with pytest.raises(OffloadError, match=message):
        goal(minimize, limits)


def test_options_of_methods_are_numbers_words_or_text() -> None:
    given = ["solver=cbc", "depth=3", "rate=0.5", "cut=true", "none=null", "name=a=b", "list=[1]"]
    assert method_options(given) == {
        "solver": "cbc", "depth": 3, "rate": 0.5, "cut": True, "none": None, "name": "a=b",
        "list": "[1]",
    }  # fmt: skip
    assert method_options(None) is None
    with pytest.raises(OffloadError, match="--option: must be KEY=VALUE, got 'solver'"):
        method_options(["solver"])


def test_numbers_out_of_range_say_what_was_found() -> None:
    assert whole("--threads", 1)("4") == 4
    assert amount("--gap")("1e-3") == 1e-3
    with pytest.raises(OffloadError, match=r"--threads: must be a whole number, 1 .* got '0'"):
        whole("--threads", 1)("0")
    with pytest.raises(OffloadError, match=r"--seed: must be a whole number, 0 .* got '1\.5'"):
        whole("--seed")("1.5")
    with pytest.raises(OffloadError, match="--gap: must be a number, 0 or more, got 'inf'"):
        amount("--gap")("inf")


def test_only_one_file_can_be_standard_input() -> None:
    one_standard_input(INSTANCE="-", PLAN="plan.json")
    with pytest.raises(OffloadError, match="INSTANCE and PLAN: cannot both be standard input"):
        one_standard_input(INSTANCE="-", PLAN="-")


def test_a_plan_is_named_after_its_instance() -> None:
    assert stem("instances/city.json", "x") == "city"
    assert stem("city.v2.json.gz", "x") == "city.v2"
    assert stem("-", "Main Street/7") == "Main-Street-7"
    assert stem("-", "") == "instance"


def test_goals_in_words() -> None:
    assert describe({"latency": 1.0}) == "latency"
    assert describe({"latency": 1.0, "energy": 0.1, "cost": 0.0}) == "latency + 0.1 energy"
