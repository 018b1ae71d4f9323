"""Gantt charts and load bars as text: nothing sticks out, overlaps, or changes place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from offload.cli.gantt import (
    Bar,
    Lane,
    axis_lines,
    density,
    gantt_lines,
    load_bar,
    name_width,
    shade_lines,
)

times = st.floats(0, 1e3)
bars = st.builds(
    lambda start, length, label: Bar(start, start + length, label),
    times,
    times,
    st.text("ab映é", max_size=6),
)
lanes = st.lists(
    st.builds(Lane, st.text("node-映", max_size=30), st.lists(bars, max_size=12)), max_size=6
)


def test_bars_that_touch_share_the_line_without_a_gap() -> None:
    lane = Lane("a", [Bar(0, 5, "x"), Bar(5, 10, "y")])
    assert gantt_lines([lane], 23, ascii=True)[0] == "a  [x=======][y=======]"
    assert gantt_lines([lane], 23)[0] == "a  ┣x━━━━━━━┫┣y━━━━━━━┫"


def test_lanes_keep_their_order_and_their_times() -> None:
    chart = [Lane("n1", [Bar(5, 10, "late")]), Lane("n2", []), Lane("n3", [Bar(0, 5, "early")])]
    assert gantt_lines(chart, 24, ascii=True) == [
        "n1            [late====]",
        "n2",
        "n3  [early===]",
        "    +---------+--------+",
        "    0 s       5       10",
    ]


def test_a_label_that_does_not_fit_is_left_out_and_not_cut() -> None:
    lane = Lane("a", [Bar(0, 5, "much-too-long"), Bar(5, 10, "fits")])
    assert gantt_lines([lane], 23, ascii=True)[0] == "a  [========][fits====]"


def test_bars_shorter_than_a_column_are_still_seen() -> None:
    lane = Lane("a", [Bar(0, 0.01), Bar(50, 50.01), Bar(99, 100)])
    assert gantt_lines([lane], 23, ascii=True)[0] == "a  |         |        |"


def test_a_column_that_many_bars_want_says_so() -> None:
    lane = Lane("a", [Bar(5, 5.1), Bar(5.1, 5.2), Bar(5.2, 5.3), Bar(9, 10)])
    assert gantt_lines([lane], 23, ascii=True)[0] == "a            #       []"


def test_what_has_no_length_or_no_time_is_not_drawn() -> None:
    lane = Lane("a", [Bar(3, 3, "x"), Bar(float("nan"), 4), Bar(2, float("inf"))])
    assert gantt_lines([lane], 23, span=10, ascii=True)[0] == "a"


def test_a_long_name_is_cut_and_says_so() -> None:
    line = gantt_lines([Lane("camera-in-the-long-hall", [Bar(0, 1)])], 40, ascii=True)[0]
    assert line.startswith("camera-in-t~  [")


@settings(max_examples=60, deadline=None)
@given(lanes, st.integers(12, 150), st.booleans())
def test_no_line_is_wider_than_asked_for(chart: list[Lane], width: int, ascii: bool) -> None:
    for line in gantt_lines(chart, width, ascii=ascii):
        assert cell_len(line) <= width


@settings(max_examples=60, deadline=None)
@given(st.lists(bars, max_size=12), st.integers(12, 150))
def test_ascii_charts_of_ascii_names_are_ascii(drawn: list[Bar], width: int) -> None:
    plain = [Bar(bar.start * 1e-6, bar.finish * 1e-6) for bar in drawn]
    assert all(line.isascii() for line in gantt_lines([Lane("n", plain)], width, ascii=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(4, 9), min_size=1, max_size=8))
def test_bars_one_after_another_are_all_drawn_whole(lengths: list[int]) -> None:
    ends = np.cumsum(lengths).tolist()
    drawn = [Bar(end - length, end, "t") for end, length in zip(ends, lengths, strict=True)]
    line = gantt_lines([Lane("n", drawn)], 3 + ends[-1], ascii=True)[0]
    assert line == "n  " + "".join("[t" + "=" * (length - 3) + "]" for length in lengths)


@pytest.mark.parametrize(
    ("span", "columns", "labels"),
    [
        (100.0, 50, "   0 s       20        40        60        80     100"),
        (0.0123, 40, "   0 ms" + " " * 12 + "5" + " " * 16 + "10"),
        (2e-6, 24, "   0 µs" + " " * 8 + "1" + " " * 10 + "2"),
        (0.0, 20, "   0 s"),
    ],
)
def test_ticks_are_at_round_times_in_a_fitting_unit(span: float, columns: int, labels: str) -> None:
    rule, text = axis_lines(span, columns, 1)
    assert text == labels
    assert len(rule) == 3 + columns


def test_a_crowded_column_wipes_out_a_wide_label_whole() -> None:
    lane = Lane("a", [Bar(0, 9, "映"), Bar(2.1, 2.2)])
    assert gantt_lines([lane], 12)[0] == "a  ┣━▒━━━━━┫"


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-9, 1e9), st.integers(10, 150))
@example(0.4, 50)
def test_every_label_stands_at_its_time(span: float, columns: int) -> None:
    rule, text = axis_lines(span, columns, 0)
    first, *rest = text.split()
    unit = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[rest[0]]
    assert first == "0"
    assert all(cell_len(line) <= 2 + columns for line in (rule, text))
    for label in rest[1:]:
        exact = float(label) * unit / span * columns
        begin = text.index(f" {label}", text.index(rest[0])) + 1 - 2
        # Halfway between two columns a rounding decides.
        near = {round(exact - 1e-9 * columns), round(exact + 1e-9 * columns)}
        assert begin in {*near, columns - len(label)}
        assert "┼" in {rule[2 + min(at, columns - 1)] for at in near}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(times, times, st.integers(1, 4)), min_size=1, max_size=30),
    st.integers(1, 80),
)
def test_density_keeps_the_amount_of_work(
    given_bars: list[tuple[float, float, int]], columns: int
) -> None:
    start, length, weight = (np.array(column, float) for column in zip(*given_bars, strict=True))
    span = float((start + length).max()) or 1.0
    shares = density(start, start + length, weight, span, columns)
    assert shares.shape == (columns,)
    assert shares.sum() * span / columns == pytest.approx(float(length @ weight), abs=1e-6 * span)


def test_shades_tell_how_busy_each_slice_is() -> None:
    shares = np.array([0, 0.1, 0.25, 0.3, 0.5, 0.75, 0.8, 1.0])
    width = name_width(["n"], 11) + 2 + len(shares)
    assert shade_lines([("n", shares)], width, 8.0, ascii=True)[0] == "n   ..::*##"
    assert shade_lines([("n", shares)], width, 8.0)[0] == "n   ░░▒▒▓██"


@pytest.mark.parametrize("ascii", [False, True])
def test_a_load_bar_grows_with_the_load_in_a_fixed_width(ascii: bool) -> None:
    drawn = [load_bar(share, 12, ascii=ascii) for share in np.linspace(0, 1, 13)]
    assert {len(bar) for bar in drawn} == {12}
    assert drawn[0] == ("." if ascii else "·") * 12
    assert drawn[-1] == ("#" if ascii else "█") * 12
    filled = [12 - bar.count("." if ascii else "·") for bar in drawn]
    assert filled == sorted(filled)


def test_a_load_bar_shows_the_least_load_and_no_more_than_all() -> None:
    assert load_bar(1e-9, 10) == "▏" + "·" * 9
    assert load_bar(2.5, 4, ascii=True) == "####"
    assert load_bar(float("nan"), 4) == "????"
