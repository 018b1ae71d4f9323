"""Numbers for people."""

from __future__ import annotations

import math

import pytest

from offload.units import count, metric, number, percent, quantity


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (73.0, "s", "73 s"),
        (0.0123, "s", "12.3 ms"),
        (4.2e-7, "s", "420 ns"),
        (1.5e-5, "s", "15 µs"),
        (7200.0, "s", "7200 s"),
        (0.0, "J", "0 J"),
        (1.25e7, "B/s", "12.5 MB/s"),
        (999.96e3, "B", "1 MB"),  # not 1000 kB
        (999.94e3, "B", "999.9 kB"),
        (0.5, "B", "0.5 B"),  # there are no millibytes
        (8.4e-9, "J/B", "8.4 nJ/B"),
        (5e9, "op/s", "5 Gop/s"),
        (-3200.0, "J", "-3.2 kJ"),
        (math.inf, "s", "infinite s"),
        (math.nan, "s", "undefined s"),
        (None, "s", "-"),
        (1234.5678, "", "1235"),
    ],
)
def test_quantity_has_four_digits_and_an_si_prefix(
    value: float | None, unit: str, text: str
) -> None:
    assert quantity(value, unit) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("latency", 0.702, "702 ms"),
        ("energy", 1234567.0, "1.23457 MJ"),
        ("traffic", 2e6, "2 MB"),
        ("cost", 0.00015194, "0.00015194"),
        ("risk", 1e-9, "1.00000e-09"),
    ],
)
def test_metrics_carry_their_units(name: str, value: float, text: str) -> None:
    assert metric(name, value) == text


def test_digits_before_the_point_are_never_lost() -> None:
    assert number(123456789.0) == "123456789"
    assert number(99999.9) == "100000"
    assert number(0.99996) == "1"


def test_shares_and_counts() -> None:
    assert percent(0.0875) == "8.75 %"
    assert percent(None) == "-"
    assert count(1, "task") == "1 task"
    assert count(0, "task") == "0 tasks"
    assert count(2, "index", "indices") == "2 indices"
