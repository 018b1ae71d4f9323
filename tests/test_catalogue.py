"""The catalogue of machines and links: sources, figures, and the nodes and links made of it."""

from __future__ import annotations

import ast
import operator
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import offload
from offload import Graph, Network, OffloadError, Problem, Task
from offload.catalogue import FIGURES, KINDS, Profile, catalogue

ROOT = Path(__file__).parents[1]
PROFILES = list(catalogue().values())
_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow,
}  # fmt: skip


def evaluated(formula: str) -> float:
    """What arithmetic on plain numbers gives."""

    def value(part: ast.expr) -> float:
        if isinstance(part, ast.Constant) and isinstance(part.value, int | float):
            return part.value
        assert isinstance(part, ast.BinOp), f"{formula}: more than arithmetic"
        return _OPERATORS[type(part.op)](value(part.left), value(part.right))

    return value(ast.parse(formula, mode="eval").body)


def test_formulas_are_read_as_arithmetic() -> None:
    assert evaluated("(8 + 0.5 * 4) / 2 - 1") == 4
    with pytest.raises(AssertionError, match="more than arithmetic"):
        evaluated("max(1, 2)")


def test_there_are_enough_kinds_and_those_that_were_asked_for() -> None:
    asked = {
        "jetson-orin-nano", "raspberry-pi-5", "aws-c7g.large", "wifi-6", "5g", "lan-1g",
        "wan-eu-us",
    }  # fmt: skip
    assert asked <= set(catalogue())
    assert len(PROFILES) >= 50
    assert {profile.kind for profile in PROFILES} == set(KINDS)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_figure_has_a_dated_source_and_follows_from_its_formula(profile: Profile) -> None:
    needed = {"bandwidth", "latency"} if profile.kind == "link" else {"speed"}
    assert needed <= set(profile.figures)
    assert profile.title
    for name, figure in profile.figures.items():
        assert figure.value > 0, name
        assert len(figure.document) > 10, name
        assert re.fullmatch(r"20\d\d(-[01]\d)?", figure.date), name
        if figure.formula:
            assert figure.value == pytest.approx(evaluated(figure.formula), rel=1e-6), name


def test_the_file_has_no_other_fields_and_no_source_that_nothing_uses() -> None:
    data = tomllib.loads((ROOT / "offload" / "profiles.toml").read_text(encoding="utf-8"))
    assert set(data) == {"source", *KINDS}
    used = set()
    for kind in KINDS:
        for name, entry in data[kind].items():
            assert set(entry) <= {"title", "duplex", *FIGURES}, name
            for figure in FIGURES:
                if figure in entry:
                    assert set(entry[figure]) <= {"value", "source", "formula", "note"}, name
                    used.add(entry[figure]["source"])
    assert used == set(data["source"])


def test_names_are_unique_and_none_is_a_selector() -> None:
    data = tomllib.loads((ROOT / "offload" / "profiles.toml").read_text(encoding="utf-8"))
    names = [name for kind in KINDS for name in data[kind]]
    assert len(names) == len(set(names)) == len(PROFILES)
    assert [name for name in names if not re.fullmatch(r"[a-z0-9.-]+", name)] == []


def test_the_frame_has_a_row_a_profile_and_nothing_where_no_source_gives_a_figure() -> None:
    frame = offload.profiles()
    assert list(frame.columns) == ["name", "kind", "title", *FIGURES, "sources"]
    assert list(frame["name"]) == list(catalogue())
    rows = frame.set_index("name")
    assert rows.at["raspberry-pi-5", "speed"] == 4 * 2.4e9 * 16
    assert rows["speed"].isna().sum() == (rows["kind"] == "link").sum()
    assert rows["purchase"].isna()["aws-c7g.large"]
    assert "sbc-reviews" in rows.at["raspberry-pi-5", "sources"]["idle_power"]


def test_a_node_has_the_figures_of_its_kind() -> None:
    made = offload.node("aws-g5.xlarge", "worker")
    figures = catalogue()["aws-g5.xlarge"].figures
    assert (made.id, made.kind, made.tier, made.slots) == ("worker", "aws-g5.xlarge", "cloud", 1)
    assert made.speed == figures["speed"].value == 31.2e12
    assert (made.memory, made.price) == (24e9, figures["price"].value)
    assert offload.node("nvidia-l4").id == "nvidia-l4"
    assert offload.node("nvidia-l4").tier == "edge"


def test_derating_and_changes_are_applied_to_a_node() -> None:
    made = offload.node("raspberry-pi-5", "pi", derate=0.25, tags=("home",), memory=1e9)
    assert made.speed == pytest.approx(0.25 * 153.6e9, rel=1e-12)
    assert (made.tags, made.memory, made.price) == (("home",), 1e9, 0)


def test_links_that_differ_by_direction_are_two() -> None:
    up, down = offload.links("4g-lte", "phone", "tower", tags=("licensed",))
    assert (up.src, up.dst, up.bandwidth) == ("phone", "tower", 6e6 / 8)
    assert (down.src, down.dst, down.bandwidth) == ("tower", "phone", 13e6 / 8)
    assert up.duplex == down.duplex == "simplex"
    assert up.energy > 4 * down.energy
    assert up.tags == down.tags == ("licensed",)


def test_links_that_do_not_are_one() -> None:
    (only,) = offload.links("wifi-6", "a", "b")
    assert only == offload.link("wifi-6", "a", "b")
    assert (only.duplex, offload.link("ethernet-1g", "a", "b").duplex) == ("half", "full")
    assert offload.link("wan-eu-us", "a", "b", price=1.0, channels=2).price == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: offload.node("jetson-orin-nan"), "got 'jetson-orin-nan'; did you mean 'jetson-or"),
        (lambda: offload.link("wifi6", "a", "b"), "got 'wifi6'; did you mean 'wifi-6'"),
        (lambda: offload.node("wifi-6"), r"'wifi-6' is a link; write offload.link\('wifi-6'"),
        (lambda: offload.link("nvidia-t4", "a", "b"), "'nvidia-t4' is a machine; write offload.no"),
        (lambda: offload.link("5g", "a", "b"), "'5g' is slower up than down; write offload.links"),
        (lambda: offload.node("nvidia-t4", derate=0), "derate: must be above 0 and at most 1, got"),
        (lambda: offload.node("nvidia-t4", sped=1), "node: has no field 'sped'; did you mean"),
        (lambda: offload.link("wifi-6", "a", "b", chanels=1), "has no field 'chanels'; did you"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_the_closest_name(call: Callable[[], object], message: str) -> None:
    with pytest.raises(OffloadError, match=message):
        call()


def test_every_profile_fits_into_an_instance() -> None:
    nodes = [offload.node(p.name) for p in PROFILES if p.kind != "link"]
    links, hub = [], nodes[0].id
    for profile, node in zip([p for p in PROFILES if p.kind == "link"], nodes[1:], strict=False):
        links += offload.links(profile.name, hub, node.id)
    problem = Problem(network=Network(nodes, links), graph=Graph([Task("t", work=1e9)]))
    assert offload.solve(problem, "heft").objective == pytest.approx(1e9 / 156e12)


def test_nodes_and_links_need_no_numpy() -> None:
    code = (
        "import sys, offload; offload.node('raspberry-pi-5'); offload.links('5g', 'a', 'b'); "
        "print({'numpy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
