"""``offload report``: one page that says what the plan is, and needs nothing else."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from chromium import Page, opened
from command_line import layers, run, street, write
from drawing import draw_plan, draw_problem
from hand_plans import instance, plan, send
from hand_plans import run as row
from plotly.offline import get_plotlyjs
from test_interactive import trade

import offload
from offload import Edge, Link, Node, Plan, Task
from offload.plan_writing import empty_text
from offload.plot.interactive import gantt
from offload.reporting import front_page, plan_page, save_report

BARS = "#gantt-chart .bars .point path"
TIP = "Array.from(document.querySelectorAll('.hoverlayer .hovertext')).map(e => e.textContent)"
# Ids that would do something if any of them were taken for HTML, script or plotly's markup.
NASTY = (
    "<img src=x onerror=window.hit=1>", "</script><script>window.hit=1</script>",
    '" onmouseover="window.hit=1', "<a href='https://example.org'>a</a>", "%{x} $x$ &lt;",
    "</title><base href='https://example.org'>",
)  # fmt: skip


class Elements(HTMLParser):
    """Elements of a page with their attributes, and its texts outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(page.replace(get_plotlyjs(), ""))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style") and data.strip():
            self.texts.append(data.strip())


def nasty() -> Plan:
    """A plan whose every name is hostile."""
    first, second, third, fourth, fifth, sixth = NASTY
    problem = instance(
        [Task(first, work=1), Task(second, work=1), Task(fifth, work=2)],
        [Edge(first, second, bytes=10, item=fourth)],
        nodes=(Node(third, tier=sixth, kind=first), Node(fourth, tier="edge")),
        links=(Link(third, fourth, bandwidth=10),),
    ).replace(name=second, description=first, source=fourth)  # fmt: skip
    rows = [row(first, third, 0, 1), row(second, fourth, 2, 3), row(fifth, third, 1, 3)]
    sent = send(first, second, "a>b", 1, 2, item=fourth) | {"from": third, "to": fourth}
    made = plan(problem, rows, [sent])
    made.result = {
        "status": first, "objective": 3.0, "bound": 1.0, "gap": 0.5, "method": second,
        "minimize": {"latency": 1.0}, "options": {third: fourth}, "versions": {fifth: sixth},
        "stopped": fourth, "reason": second,
    }  # fmt: skip
    assert offload.check(problem, made) == []
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds street.json and its plan, and is the current one."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, street())
    offload.solve(street(), method="heft").plan.save("street.plan.json")  # type: ignore[union-attr]
    return tmp_path


# -- in a browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of a headless Chromium; skips where none is installed."""
    with opened(tmp_path_factory.mktemp("browser")) as page:
        page.resize(1200, 900)
        yield page


def shown(browser: Page, made: Plan, path: Path) -> Page:
    """The browser with a plan's report, its charts drawn."""
    save_report(made, path)
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(path)
    browser.until(f"document.querySelectorAll('{BARS}').length")
    browser.until("document.querySelectorAll('#network-chart .points path').length")
    return browser


def tooltip(browser: Page, selector: str, number: int = 0) -> list[str]:
    """Texts of the tooltip over an element."""
    element = f"document.querySelectorAll({json.dumps(selector)})[{number}]"
    browser.value(f"{element}.scrollIntoView({{block: 'center'}})")
    x, y, width, height = browser.value(
        f"(r => [r.x, r.y, r.width, r.height])({element}.getBoundingClientRect())"
    )
    browser.point_at(x + width / 2, y + height / 2)
    browser.until(f"{TIP}.length")
    found = browser.value(TIP)
    browser.point_at(1, 1)
    browser.until(f"!{TIP}.length")
    assert isinstance(found, list)
    return found


def test_a_report_opens_in_a_browser_with_bars_tooltips_and_no_complaint(
    browser: Page, tmp_path: Path, paper: offload.Problem
) -> None:
    made = offload.solve(paper, method="heft").plan
    assert made is not None
    path = tmp_path / "report.html"
    page = shown(browser, made, path)
    moved = len(made.transfers.plan)
    assert page.value(f"document.querySelectorAll('{BARS}').length") == 10 + moved
    named = [told[0] for trace in gantt(made).data for told in trace.customdata]
    (text,) = tooltip(page, BARS, named.index("t1"))
    assert text.startswith("t1on p30 s to 9 sexecution 9 s")
    (text,) = tooltip(page, "#network-chart .trace:last-child path.point")
    assert text.startswith("p1edge2 tasks: ")
    (text,) = tooltip(page, "#network-chart .trace:nth-last-child(2) path.point")
    assert text.startswith("p1 ↔ p21 B/s, 0 s, full duplex")
    assert page.complaints == []
    assert page.requests == [path.as_uri()]


def test_a_click_on_a_column_sorts_its_table(browser: Page, tmp_path: Path) -> None:
    made = offload.solve(layers(5, 4, 4), method="heft").plan
    assert made is not None
    page = shown(browser, made, tmp_path / "report.html")
    head = "document.querySelectorAll('#tasks th button')"
    cells = "Array.from(document.querySelectorAll('#tasks tbody tr')).map(r => r.cells[{}]{})"
    names = page.value(f"Array.from({head}).map(b => b.textContent)")
    column = names.index("execution")
    expected = sorted(made.to_frame()["execution"])
    for order in (expected, expected[::-1]):
        page.value(f"{head}[{column}].click()")
        found = page.value(cells.format(column, ".dataset.v"))
        np.testing.assert_allclose([float(value) for value in found], order)
    page.value(f"{head}[0].click()")
    assert page.value(cells.format(0, ".textContent"))[:2] == ["t0.0", "t0.1"]
    assert page.complaints == []


def test_hostile_names_are_shown_as_they_are_and_do_nothing(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    page = shown(browser, nasty(), path)
    texts = [tooltip(page, BARS, number)[0] for number in range(4)]
    for name in (NASTY[0], NASTY[1], NASTY[4]):
        assert any(text.startswith(name) for text in texts)
    cells = page.value("Array.from(document.querySelectorAll('td.text')).map(e => e.textContent)")
    assert set(NASTY[:5]) <= set(cells)
    assert page.value("document.title") == f"Plan of {NASTY[1]}"
    assert page.value("window.hit") is None
    assert page.value("document.querySelectorAll('img, base, svg a').length") == 0
    assert page.complaints == []
    assert page.requests == [path.as_uri()]


def test_charts_fit_a_narrow_window_and_offer_no_upload(browser: Page, tmp_path: Path) -> None:
    made = offload.solve(street(), method="heft").plan
    assert made is not None
    browser.resize(420, 800)
    page = shown(browser, made, tmp_path / "report.html")
    assert page.value("document.documentElement.scrollWidth") <= 420
    titles = page.value(
        "Array.from(document.querySelectorAll('.modebar-btn')).map(e => e.dataset.title)"
    )
    assert titles
    assert not [title for title in titles if re.search("share|cloud|send", title, re.IGNORECASE)]
    browser.resize(1200, 900)


# -- the page --------------------------------------------------------------------------------------


def test_nothing_in_the_page_is_fetched_and_no_name_is_an_element() -> None:
    page = Elements(plan_page(nasty()))
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"img", "base", "iframe", "object", "embed"})
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    policy = [a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a]
    assert policy
    assert policy[0] is not None
    assert policy[0].startswith("default-src 'none'")
    assert "url(" not in plan_page(nasty()).partition("</style>")[0]
    assert {f"Plan of {NASTY[1]}", NASTY[0]} <= set(page.texts)


def test_the_page_says_what_the_plan_says(paper: offload.Problem) -> None:
    result = offload.solve(paper, method="heft")
    assert result.plan is not None
    texts = Elements(plan_page(result.plan)).texts
    after = dict(itertools.pairwise(texts))
    assert "Plan of topcuoglu-2002" in texts
    assert any(text.startswith("feasible: latency 80 s, gap ") for text in texts)
    assert after["objective"] == "80 s"
    assert after["bound"] == f"{result.bound:g} s"
    assert after["method"] == "heft"
    assert "every one of 33 rules, times and metrics measured anew" in texts
    for name in offload.METRICS:
        assert name in texts
    assert after["traffic"] == f"{result.plan.metrics['traffic']:g} B"
    assert {"10 tasks", "3 nodes", paper.digest} <= set(texts)


def test_the_same_plan_makes_the_same_page() -> None:
    assert plan_page(nasty()) == plan_page(nasty())


def test_a_plan_that_does_not_hold_says_which_rules_it_breaks() -> None:
    problem = instance([Task("x", work=1), Task("y", work=1)], limits={"latency": 1.0})
    made = plan(problem, [row("x", "a", 0, 1), row("y", "a", 0.5, 1.5)])
    found = offload.check(problem, made)
    texts = Elements(plan_page(made)).texts
    assert len(found) == 2
    assert "2 violations" in texts
    assert {str(violation) for violation in found} <= set(texts)
    assert "Limits: latency at most 1 s." in texts


def test_a_plan_is_checked_under_the_limits_that_it_was_made_for() -> None:
    problem = instance([Task("x", work=1)], limits={"latency": 0.5})
    made = plan(problem, [row("x", "a", 0, 1)])
    made.result = {"status": "optimal", "limits": {"latency": 2.0}}
    texts = Elements(plan_page(made)).texts
    assert "holds" in texts
    assert "Limits: latency at most 2 s." in texts


def test_what_a_file_claims_and_is_not_so_is_noted() -> None:
    problem = instance([Task("x", work=1)])
    made = plan(problem, [row("x", "a", 0, 1)])
    made.stated = {"latency": 0.5}
    texts = Elements(plan_page(made)).texts
    assert "Note: the plan file says metrics.latency = 0.5, measured 1.0." in texts


def test_plans_with_every_feature_have_a_page() -> None:
    for seed in range(12):
        made = draw_plan(draw_problem(seed), seed)
        if made is not None:
            texts = Elements(plan_page(made)).texts
            assert "holds" in texts


def test_times_that_are_not_finite_make_a_page_too() -> None:
    problem = instance([Task("x", work=1), Task("y", work=1)])
    for bad in (float("nan"), float("inf")):
        made = plan(problem, [row("x", "a", 0, 1), row("y", "b", bad, bad)])
        texts = Elements(plan_page(made)).texts
        assert "does not hold" in texts
        assert "Nothing runs, or times are not finite." in texts


def test_records_of_another_kind_are_no_reason_to_fail() -> None:
    made = plan(instance([Task("x", work=1)]), [row("x", "a", 0, 1)])
    made.result = {
        "status": ["odd"], "objective": "much", "bound": {}, "gap": None, "minimize": "latency",
        "options": 3, "versions": [1], "seconds": "long", "limits": {"speed": 1}, "seed": 1.5,
    }  # fmt: skip
    assert "holds" in Elements(plan_page(made)).texts


def test_long_tables_are_cut_with_a_note() -> None:
    problem = layers(3, 400, 3)
    nodes = np.arange(1200)[None, :] % 3
    made = offload.evaluate(problem, nodes, problem.tables.topological[None, :]).plan()
    page = plan_page(made)
    note = "1000 of 1200 rows by start. offload show --json and offload convert --to csv have all."
    assert note in Elements(page).texts
    assert page.partition('id="tasks"')[2].partition("</section>")[0].count("<tr>") == 1001


def test_a_front_has_a_page_too() -> None:
    shown = trade("latency", "energy")
    texts = Elements(front_page(shown)).texts
    after = dict(itertools.pairwise(texts))
    assert {"Front of street", shown.summary(), f"{len(shown)} plans"} <= set(texts)
    assert (after["method"], after["time"]) == ("by hand", "1.5 s")
    assert after["limits"] == "cost at most 5"
    assert {"702.125 ms", "yes", *offload.METRICS} <= set(texts)


# -- the command -----------------------------------------------------------------------------------


def test_the_command_finds_the_instance_and_names_the_page_after_the_plan(here: Path) -> None:
    outcome = run("report", "street.plan.json")
    assert (outcome.status, outcome.out) == (
        0, "plan of 3 tasks: report saved to street.report.html\n",
    )  # fmt: skip
    assert outcome.err == "instance: street.json\n"
    assert (here / "street.report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    again = run("report", "street.plan.json", "-i", "street.json", "-o", "-")
    assert again.out == (here / "street.report.html").read_text(encoding="utf-8")


def test_the_command_tells_programs_what_it_wrote(here: Path) -> None:
    outcome = run("report", "street.plan.json", "-o", "page.html", "--json", "--quiet")
    assert outcome.err == ""
    assert outcome.json() == {
        "saved": "page.html", "kind": "plan", "instance": "street", "holds": True,
        "violations": 0, "tasks": 3, "transfers": 1,
    }  # fmt: skip


def test_the_command_takes_fronts_too(here: Path) -> None:
    shown = trade("latency", "energy")
    shown.save("street.front.json")
    outcome = run("report", "street.front.json")
    assert outcome.out == f"{shown.summary()}: report saved to street.report.html\n"
    written = (here / "street.report.html").read_text(encoding="utf-8")
    assert written == front_page(shown)
    told = run("report", "street.front.json", "--json").json()
    assert (told["kind"], told["plans"], told["proved"]) == ("front", len(shown), 0)


def test_a_plan_that_does_not_hold_is_reported_all_the_same(here: Path) -> None:
    text = Path("street.plan.json").read_text()
    start = re.search(r'"id": "alarm".*?"start": ([^,]*),', text)
    assert start is not None
    Path("bad.plan.json").write_text(text.replace(f'"start": {start[1]}', '"start": 0.0'))
    outcome = run("report", "bad.plan.json")
    assert outcome.status == 0
    assert "which does not hold (" in outcome.out


def test_a_file_without_a_plan_is_reported_with_its_reason(here: Path) -> None:
    facts = {"status": "infeasible", "reason": "no node runs detect", "minimize": {"latency": 1}}
    Path("none.plan.json").write_text(empty_text("street", street().digest, facts))
    assert run("report", "none.plan.json").status == 0
    texts = Elements((here / "none.report.html").read_text(encoding="utf-8")).texts
    assert "infeasible: no node runs detect" in texts
    assert "3 tasks, 2 edges, 3 nodes, 2 links" in texts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["street.json"], 'street.json: $.format: must be "offload-plan/1", got \'offload-inst'),
        (["gone.json"], "gone.json: no such file; check the path"),
        (["street.plan.json", "-o", "no/page.html"], "--output: its folder does not exist"),
        (["street.plan.json", "-o", "street.plan.json"], "--output: must not be a file that is"),
        (["street.plan.json", "-o", "-", "--json"], "--json: tells of a file that was written"),
        (["-", "-i", "-"], "PLAN and --instance: cannot both be standard input"),
        (["lost.plan.json"], "name it with --instance FILE"),
        (["street.plan.json", "-i", "other.json"], "the plan is for another instance ('street')"),
    ],
)
def test_bad_input_is_one_clear_error(here: Path, arguments: list[str], message: str) -> None:
    write(here, street().replace(graph=offload.Graph()), "other.json")
    digest = street().digest
    text = Path("street.plan.json").read_text()
    Path("lost.plan.json").write_text(text.replace(digest, "sha256:" + "0" * 64))
    outcome = run("report", *arguments)
    assert outcome.status == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 2
    assert not list(here.glob("*.html"))


def test_a_plan_writes_its_own_report(tmp_path: Path) -> None:
    made = nasty()
    assert made.report(tmp_path / "page.html") == []
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == plan_page(made)
