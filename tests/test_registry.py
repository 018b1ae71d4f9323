"""The table of methods, what importing costs, and methods of other packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import offload
from offload import registry
from offload.features import FEATURES

ENTRIES = registry.entries()
BUILT_IN = {entry.name for entry in registry._TABLE}


def run(script: str, *arguments: str, path: Path | None = None) -> str:
    """What a script prints in a fresh process, which must end well and write no errors."""
    environment = dict(os.environ)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("name", list(ENTRIES))
def test_every_entry_can_be_loaded(name: str) -> None:
    entry = ENTRIES[name]
    assert callable(entry.load())
    assert entry.name == name
    assert entry.honours <= set(FEATURES)
    assert entry.source
    assert entry.guarantee


def test_the_table_has_a_row_for_each_method() -> None:
    table = offload.methods()
    columns = ["method", "kind", "honours", "guarantee", "source", "options", "use"]
    assert list(table.columns) == columns
    assert list(table["method"]) == list(ENTRIES)
    for row in table.to_dict("records"):
        entry = ENTRIES[row["method"]]
        assert set(row["honours"].split(", ")) == entry.honours
        assert row["kind"] == entry.kind
        assert row["use"] == entry.use
        for option in entry.options:
            assert f"{option}: " in row["options"]


def test_every_built_in_method_says_for_what_to_use_it() -> None:
    uses = [entry.use for name, entry in ENTRIES.items() if name in BUILT_IN]
    assert all(uses)
    assert len(set(uses)) == len(uses)
    named = {word for use in uses for word in re.findall("`([^`]*)`", use)}
    assert named <= {"auto", *BUILT_IN}


def test_an_unknown_method_is_named_with_its_nearest() -> None:
    with pytest.raises(offload.OffloadError, match=r"unknown method, got 'cpsta'; .*'cpsat'"):
        registry.find("cpsta")


def test_a_method_that_cannot_be_loaded_says_so() -> None:
    entry = registry.Entry("x", "offload.nowhere:run", "exact", frozenset(), "none", "none")
    with pytest.raises(offload.SolverUnavailable, match=r"method 'x' cannot be loaded: .*nowhere"):
        entry.load()


def test_another_package_may_bring_a_method(tmp_path: Path, instances: Path) -> None:
    (tmp_path / "slowly.py").write_text(
        "from offload.features import FEATURES\n"
        "from offload.heuristics.policies import local\n"
        "from offload.registry import Entry\n"
        "honours = frozenset(FEATURES) - {'modes', 'codecs', 'copies', 'splitting'}\n"
        "entry = Entry('slowly', 'slowly:local', 'policy', honours, 'a plan', 'a test')\n"
        "shadow = Entry('heft', 'slowly:local', 'policy', honours, 'a plan', 'a test')\n"
    )
    package = tmp_path / "slowly-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: slowly\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[offload.methods]\nslowly = slowly:entry\nshadow = slowly:shadow\n"
    )
    script = (
        "import sys, offload\n"
        "problem = offload.load(sys.argv[1])\n"
        "print(offload.solve(problem, 'slowly').method, offload.solve(problem, 'heft').objective)\n"
        "print('slowly' in set(offload.methods()['method']))"
    )
    printed = run(script, str(instances / "topcuoglu-2002.json"), path=tmp_path)
    assert printed == "slowly 80.0\nTrue"


def test_an_entry_point_that_is_no_method_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("entry = 'heft'\n")
    package = tmp_path / "wrong-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[offload.methods]\nwrong = wrong:entry\n")
    script = (
        "import offload\n"
        "try:\n    offload.methods()\n"
        "except offload.OffloadError as error:\n    print(error)"
    )
    printed = run(script, path=tmp_path)
    assert printed == "entry point 'wrong:entry' of offload.methods is no Entry"


# -- what importing costs ------------------------------------------------------------------------


def test_importing_loads_neither_arrays_nor_a_solver() -> None:
    script = (
        "import sys, offload\n"
        "heavy = {'numpy', 'scipy', 'pandas', 'ortools', 'highspy', 'pulp', 'msgspec'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(script) == "[]"


def test_a_heuristic_loads_no_solver(instances: Path) -> None:
    script = (
        "import sys, offload\n"
        "offload.solve(offload.load(sys.argv[1]), 'heft')\n"
        "print(sorted({'ortools', 'highspy', 'pulp', 'pandas'} & set(sys.modules)))"
    )
    assert run(script, str(instances / "topcuoglu-2002.json")) == "[]"


@pytest.mark.parametrize("order", [("cpsat", "milp"), ("milp", "cpsat")])
def test_both_solvers_live_in_one_process(order: tuple[str, str], instances: Path) -> None:
    script = (
        "import sys, offload\n"
        "problem = offload.load(sys.argv[1])\n"
        "for method in sys.argv[2:]:\n"
        "    result = offload.solve(problem, method)\n"
        "    print(result.status, round(result.objective, 6), *sorted(result.versions))"
    )
    printed = run(script, str(instances / "arabnejad-barbosa-2014.json"), *order).splitlines()
    assert len(printed) == 2
    assert all(line.startswith("optimal 113.0 ") for line in printed)


def test_every_public_name_is_there() -> None:
    for name in offload.__all__:
        assert getattr(offload, name) is not None
    assert set(offload.__all__) <= set(dir(offload))
    with pytest.raises(AttributeError, match="module 'offload' has no attribute 'solv'"):
        _ = offload.solv
