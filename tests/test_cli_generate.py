"""``offload generate`` and ``offload profiles`` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run

import offload
from offload.catalogue import catalogue
from offload.families import FAMILIES


def test_an_instance_goes_to_standard_output_and_is_the_library_s() -> None:
    outcome = run("generate", "smart-traffic", "--size", 12, "--seed", 3)
    assert (outcome.status, outcome.err) == (0, "")
    assert offload.loads(outcome.out) == offload.generate("smart-traffic", 12, 3)


def test_what_is_generated_can_be_solved_in_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = (
        f"{sys.executable} -m offload generate smart-traffic --size 10 | "
        f"{sys.executable} -m offload solve - --method heft --json"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    plan = next(tmp_path.glob("*.json"))
    problem = offload.generate("smart-traffic", 10)
    assert offload.check(problem, offload.load_plan(plan, problem)) == []


def test_a_file_is_written_and_told_of(tmp_path: Path) -> None:
    path = tmp_path / "shape.json.gz"
    outcome = run(
        "generate", "layered", "-n", 30, "--set", "ccr=0.5", "--set", "degree=2", "-o", path
    )
    problem = offload.load(path)
    edges = len(problem.graph.edges)
    assert outcome.out == f"30 tasks, {edges} edges, 8 nodes: saved to {path}\n"
    assert problem == offload.generate("layered", 30, ccr=0.5, degree=2)
    told = run("generate", "layered", "-n", 30, "-o", path, "--json").json()
    assert (told["tasks"], told["nodes"], told["saved"]) == (30, 8, str(path))
    assert told["digest"] == offload.generate("layered", 30).digest


def test_all_families_are_listed() -> None:
    outcome = run("generate", "--list")
    assert [family.name for family in FAMILIES if family.name not in outcome.out] == []
    records = run("generate", "--list", "--json").json()
    assert [record["family"] for record in records] == [family.name for family in FAMILIES]
    assert records[7]["parameters"]["ccr"] == 1.0


def test_parameters_and_sources_of_one_family_are_told() -> None:
    outcome = run("generate", "vr-ar", "--list")
    assert "MobiSys 2018" in outcome.out
    assert "headsets of a room" in outcome.out
    told = run("generate", "vr-ar", "--list", "--json").json()
    assert told["parameters"]["headsets"]["range"] == "1 or more and at most 4"
    assert told["least"] == 9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate"], "FAMILY: is missing, got 'nothing'; offload generate --list names them"),
        (["generate", "smart-hom"], "got 'smart-hom'; did you mean 'smart-home'?"),
        (["generate", "chains", "--set", "ccr"], "--set: must be NAME=VALUE, got 'ccr'"),
        (["generate", "chains", "--set", "ccr=x"], "--set: ccr needs a number, got 'x'"),
        (["generate", "chains", "--set", "ccr=1", "--set", "ccr=2"], "given more than once, got"),
        (["generate", "chains", "--set", "cr=1"], "chains: has no parameter 'cr'; did you mean"),
        (["generate", "chains", "--size", "0"], "--size: must be a whole number, 1 or more, got"),
        (["generate", "vr-ar", "--size", "3"], "size: must be 9 or more for vr-ar, got 3"),
        (["generate", "chains", "--json"], "--json: tells of a file that was written, got '-o -'"),
        (["generate", "chains", "-o", "/no/such/x.json"], "/no/such/x.json: cannot be written"),
        (["profiles", "wfi-6"], "profile: there is none of that name, got 'wfi-6'; did you mean"),
        (["profiles", "--kind", "lnk"], "--kind: is no kind, got 'lnk'; did you mean 'link'?"),
        (["profiles", "wifi-6", "-k", "cloud"], "--kind: wifi-6 is of another, got 'cloud'; write"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments: list[str], message: str) -> None:
    outcome = run(*arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_the_catalogue_is_listed_and_filtered() -> None:
    everything = run("profiles").out
    assert [name for name in catalogue() if name not in everything] == []
    jetsons = run("profiles", "jetson", "--kind", "device").out
    assert "jetson-agx-orin" in jetsons
    assert "raspberry" not in jetsons
    links = run("profiles", "--kind", "link").out
    assert "wifi-6" in links
    assert "nvidia" not in links


def test_one_profile_is_told_with_its_sources() -> None:
    outcome = run("profiles", "aws-c7g.large")
    assert "0.0725 USD/h" in outcome.out
    assert "Cloud Carbon Footprint" in outcome.out
    assert "0.09 USD/GB" in run("profiles", "cloud-uplink").out


def test_the_catalogue_is_json_for_machines() -> None:
    records = json.loads(run("profiles", "--json").out)
    assert [record["name"] for record in records] == list(catalogue())
    (one,) = run("profiles", "raspberry-pi-5", "--json").json()
    assert one["figures"]["idle_power"] == {
        "value": 2.8, "date": "2025", "formula": None, "note": None,
        "source": catalogue()["raspberry-pi-5"].figures["idle_power"].document,
    }  # fmt: skip
