"""What the documents show must run as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import run

import offload
from offload.features import FEATURES
from offload.importers import FORMATS
from offload.registry import entries

ROOT = Path(__file__).parents[1]


def blocks(document: str, language: str) -> list[str]:
    """The code blocks of a document in one language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_python_of_the_readme_runs_and_prints_a_proved_plan(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instances").symlink_to(ROOT / "instances")
    monkeypatch.chdir(tmp_path)  # what they write goes there
    for block in blocks("README.md", "python"):
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("optimal: objective ")


def test_python_and_commands_of_the_tutorial_print_what_it_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks("docs/tutorial.md", "python"):
        exec(compile(block, "docs/tutorial.md", "exec"), names)
        printed = capsys.readouterr().out
        said = re.findall(r"^ *print\(.*\)  # (.*)$", block, re.MULTILINE)
        assert [line for line in said if line not in printed.splitlines()] == []
        names["printed"] = f"{names.get('printed', '')}{printed}"
    (written,) = blocks("docs/tutorial.md", "json")
    assert offload.loads(written).digest == offload.load("doorbell.json").digest
    commands = "".join(blocks("docs/tutorial.md", "sh")).splitlines()
    for command in commands:
        if command.startswith("offload "):
            outcome = run(*command.split()[1:])
            assert outcome.status == 0, command
            names["printed"] = f"{names['printed']}{outcome.out}"
    shown = "".join(blocks("docs/tutorial.md", "text")).splitlines()
    lines = str(names["printed"]).splitlines()
    assert [line for line in shown if line not in lines] == []


def test_python_of_the_guide_to_pictures_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instances").symlink_to(ROOT / "instances")
    monkeypatch.chdir(tmp_path)
    for block in blocks("docs/pictures.md", "python"):
        exec(compile(block, "docs/pictures.md", "exec"), {})
    drawn = {"gantt.svg", "both.png", "gantt.html", "network.html"}
    assert {path.name for path in tmp_path.glob("*.*")} == drawn


def test_example_of_the_problem_class_has_the_value_it_states() -> None:
    text = offload.Problem.__doc__ or ""
    code = "\n".join(
        line.strip()[4:] for line in text.splitlines() if line.strip().startswith((">>>", "..."))
    )
    setup, _, question = code.rpartition("\n")
    names: dict[str, object] = {}
    exec(setup, names)
    stated = float(text.rstrip().splitlines()[-1])
    assert eval(question, names) == pytest.approx(stated, rel=1e-9)


def test_python_of_the_formats_page_makes_one_instance_twice() -> None:
    names: dict[str, offload.Problem] = {}
    (block,) = blocks("docs/convert.md", "python")
    exec(compile(block, "docs/convert.md", "exec"), names)
    assert len(names["problem"].graph.tasks) == 2
    assert names["same"].graph.edges == names["problem"].graph.edges


def test_python_of_the_partitions_page_cuts_where_the_bandwidth_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, pd.DataFrame] = {}
    period, cuts_and_stages = blocks("docs/partition.md", "python")
    exec(compile(period, "docs/partition.md", "exec"), {})
    assert capsys.readouterr().out == "optimal 17.78990625\n"
    exec(compile(cuts_and_stages, "docs/partition.md", "exec"), names)
    assert names["stages"]["last"].tolist() == ["pool1", "conv2"]
    cuts = names["sweep"]["cut"].tolist()
    assert (cuts[0], cuts[-1]) == ("conv2", "input")


def test_python_of_the_sensitivity_page_says_where_the_placement_changes() -> None:
    names: dict[str, Any] = {}
    for block in blocks("docs/sensitivity.md", "python"):
        exec(compile(block, "docs/sensitivity.md", "exec"), names)
    assert names["frame"]["placement"].tolist() == [0, 0, 1, 1]
    assert names["path"]["what"].tolist() == ["grab", "grab -> detect", "detect"]
    ends = names["table"].set_index(["kind", "name"])
    assert ends.loc[("bandwidth", "cam-edge"), "down"] == pytest.approx(0.2, rel=0.02)
    assert set(ends["range"]) == {"proved", ""}


def test_every_format_is_described() -> None:
    text = (ROOT / "docs/convert.md").read_text(encoding="utf-8")
    assert [form.name for form in FORMATS if f"| `{form.name}` |" not in text] == []


def test_instance_in_the_format_reference_loads_and_solves() -> None:
    (example,) = (block for block in blocks("docs/format.md", "json"))
    problem = offload.loads(example)
    assert offload.solve(problem, "cpsat").status == "optimal"


def test_results_of_benchmarks_have_dates_and_commands() -> None:
    text = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    _, *results = re.split(r"^### ", text.partition("## Results")[2], flags=re.MULTILINE)
    assert len(results) >= 9
    for section in results:
        title, _, body = section.partition("\n")
        assert re.search(r"\b20\d\d-\d\d-\d\d\b", body), title
        for script in set(re.findall(r"`python (benchmarks/\w+\.py)", body)) or {"no command"}:
            assert (ROOT / script).is_file(), (title, script)


def test_every_method_is_described() -> None:
    text = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    assert [name for name in entries() if f"**{name}**" not in text] == []


def test_every_field_is_in_the_format_reference() -> None:
    text = (ROOT / "docs/format.md").read_text(encoding="utf-8")
    fields = {
        name for kind in offload.schema()["$defs"].values() for name in kind.get("properties", {})
    }
    assert [name for name in sorted(fields) if f"`{name}`" not in text] == []


def test_features_named_in_the_methods_table_exist() -> None:
    declared = {feature for entry in entries().values() for feature in entry.honours}
    assert declared <= set(FEATURES)


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [path.stem for path in (ROOT / "offload" / "cli").glob("*.py") if defines_command(path)]
    assert len(names) >= 6
    assert [name for name in names if f"`offload {name}" not in text] == []


def defines_command(path: Path) -> bool:
    """Whether a module of the command line is a subcommand."""
    return bool(re.search(r"^def command\(", path.read_text(encoding="utf-8"), re.MULTILINE))
