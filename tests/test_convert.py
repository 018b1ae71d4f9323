"""``offload convert`` and ``offload.convert``: formats, options, files."""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import test_import_dagbench
import test_import_dax
import test_import_dnn_partitioning
import test_import_dot
import test_import_estee
import test_import_fjsp
import test_import_gap
import test_import_graphml
import test_import_gxl
import test_import_pipedream
import test_import_stg
import test_import_tgff
import test_import_topohub
import test_import_wfformat
from command_line import run, street, write
from foreign import converted, refused

import offload
from offload.importers import FORMATS
from offload.importers.drafts import Options, finish

SAMPLES = {
    "dagbench": test_import_dagbench.text(), "dax": test_import_dax.SAMPLE,
    "dnn-partitioning": test_import_dnn_partitioning.text(),
    "dot": test_import_dot.SAMPLE, "estee": json.dumps(test_import_estee.SAMPLE, indent=1),
    "fjsp": test_import_fjsp.SAMPLE, "gap": test_import_gap.SAMPLE,
    "graphml": test_import_graphml.SAMPLE, "gxl": test_import_gxl.SAMPLE,
    "pipedream": test_import_pipedream.SAMPLE,
    "stg": test_import_stg.SAMPLE, "tgff": test_import_tgff.SAMPLE,
    "topohub": test_import_topohub.text(), "wfformat": test_import_wfformat.text(),
}  # fmt: skip
NETWORKED = {"dagbench", "dnn-partitioning", "fjsp", "gap", "graphml", "tgff", "topohub"}
STG = SAMPLES["stg"]


def options_of(name: str) -> dict[str, Any]:
    """What a format's sample needs to become an instance."""
    return {} if name in NETWORKED else {"processors": 2}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_format_has_a_sample() -> None:
    assert sorted(form.name for form in FORMATS) == sorted(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_of_its_format_and_no_other(name: str) -> None:
    assert [form.name for form in FORMATS if form.recognises(SAMPLES[name])] == [name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_format_is_found_out(name: str, tmp_path: Path) -> None:
    title = next(form.title for form in FORMATS if form.name == name)
    found = converted(tmp_path, "some.thing", SAMPLES[name], **options_of(name))
    assert found.source.startswith(f"Converted from some.thing ({title}). ")
    named = converted(tmp_path, "some.thing", SAMPLES[name], format=name, **options_of(name))
    assert named == found
    assert offload.loads(offload.files.dumps(found)) == found


@pytest.mark.parametrize("name", SAMPLES)
def test_no_text_breaks_an_importer(name: str) -> None:
    """Cut, changed and shuffled samples become an instance or one error of ours, nothing else."""
    source, text = random.Random(name), SAMPLES[name]
    form = next(form for form in FORMATS if form.name == name)
    broken = [text[:end] for end in range(0, len(text), max(1, len(text) // 150))]
    for _ in range(150):
        at, length = source.randrange(len(text)), source.randrange(1, 9)
        piece = source.choice(
            [
                "",
                "-1",
                "0",
                "nan",
                "1e999",
                "{",
                "]",
                '"',
                "<",
                "\n",
                "é\0",
                "9" * 30,
                "9" * 5000,
                "\u00b2",
                "1_0",
            ]
        )
        broken.append(text[:at] + piece + text[at + length :])
    lines = text.splitlines()
    for _ in range(30):
        broken.append("\n".join(source.sample(lines, len(lines))))
    said: list[str] = []
    for damaged in broken:
        form.recognises(damaged)
        options = Options(processors=None if name in NETWORKED else 2)
        try:
            finish(form.read(damaged, options), options, name)
        except offload.InstanceError as error:
            said += error.lines()
        except offload.OffloadError as error:  # of several problems, none was chosen
            said.append(f"line 1: {error}")
    assert len(said) > len(broken) // 4
    # Paths of the instance in place of those of the file would not help.
    assert [
        line for line in said if not re.match(r"line \d+|\$(?!\.graph\.(tasks|edges))", line)
    ] == []


@pytest.mark.parametrize("name", ["dagbench", "dnn-partitioning", "estee", "topohub", "wfformat"])
def test_json_nested_without_end(name: str, tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"a":' * 100_000, '{"workflow": ' + "[" * 5000 + "]" * 5000 + "}"):
        assert re.match(r"line 1 column|\$", refused(tmp_path, "x.json", text, format=name)[0])


def test_a_text_of_no_format(tmp_path: Path) -> None:
    with pytest.raises(offload.OffloadError, match=r"x\.txt: not recognised as any format \(stg, "):
        converted(tmp_path, "x.txt", "hello\n")
    with pytest.raises(offload.OffloadError, match=r"not recognised as any format"):
        converted(tmp_path, "x.txt", "")


def test_the_ending_decides_what_a_broken_file_is_said_to_be(tmp_path: Path) -> None:
    assert refused(tmp_path, "x.gxl", "<gx", processors=2)[0].startswith("line 1: not XML")
    assert refused(tmp_path, "x.fjs", "1 2\n1 2 1 5\n")[0].startswith(
        "line 2: a machine must follow"
    )


def test_a_format_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(
        offload.OffloadError, match=r"^format: must be one of .*, got 'stgg'; did you mean 'stg'\?"
    ):
        converted(tmp_path, "x.stg", STG, format="stgg", processors=2)


def test_an_instance_is_read_as_it_is(here: Path) -> None:
    path = write(here, street())
    assert offload.convert(path).digest == street().digest
    with pytest.raises(offload.OffloadError, match="is an instance already; leave out all options"):
        offload.convert(path, processors=2)


def test_encodings(tmp_path: Path) -> None:
    path = tmp_path / "x.stg"
    path.write_bytes(b"\xef\xbb\xbf" + STG.replace("\n", "\r\n").encode())
    first = converted(tmp_path, "y.stg", STG, processors=2)
    assert offload.convert(path, processors=2).digest == first.digest
    path.write_bytes(STG.encode() + b"# \xe9t\xe9\n")
    with pytest.raises(offload.InstanceError, match=r"line 8: not UTF-8, got b'\\xe9t\\xe9\\n'"):
        offload.convert(path, processors=2)
    path = tmp_path / "z.stg.gz"
    path.write_bytes(gzip.compress(STG.encode()))
    zipped = offload.convert(path, processors=2)
    assert (zipped.digest, zipped.name) == (first.digest, "z")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, "has no network; say --processors N, --network FILE or --family NAME"),
        ({"processors": 0}, "processors: must be 1 or more, got 0"),
        ({"processors": 513}, "processors: must be from 1 to 512, got 513"),
        ({"processors": 2, "speed": 0}, "speed: must be > 0 and finite, got 0"),
        ({"processors": 2, "speed": float("nan")}, "speed: must be > 0 and finite, got nan"),
        ({"processors": 2, "bandwidth": -1}, "bandwidth: must be > 0 and finite, got -1"),
        ({"processors": 2, "latency": -1}, "latency: must be >= 0 and finite, got -1"),
        ({"processors": 2, "part": 0}, "part: must be 1 or more, got 0"),
        ({"processors": 2, "part": 1}, "holds one problem; leave out part"),
        ({"processors": 2, "maximize": True}, "no table of costs or profits; leave out maximize"),
        ({"processors": 2, "inference": True}, "is no profile of training; leave out inference"),
        ({"processors": 2, "contiguous": False}, "no rule of contiguous parts; leave out contig"),
        ({"processors": 2, "family": "x"}, "processors, network, family: give one of them"),
        ({"network": street().network, "bandwidth": 5}, "those of the network given; leave out ba"),
        ({"network": "nowhere.json"}, "nowhere.json: no such file; check the path"),
    ],
)
def test_one_error_a_wrong_option(here: Path, options: dict[str, Any], error: str) -> None:
    with pytest.raises(offload.OffloadError, match=re.escape(error)):
        converted(here, "x.stg", STG, **options)


def test_a_network_from_a_file_without_one(here: Path) -> None:
    (here / "other.stg").write_text(STG)
    with pytest.raises(offload.OffloadError, match=r"^network: other\.stg has none; name a file"):
        converted(here, "x.stg", STG, network="other.stg")
    (here / "broken.json").write_text(SAMPLES["topohub"].replace('"dist": 0.0', '"dist": -1'))
    with pytest.raises(
        offload.InstanceError, match=r"^broken\.json: \$\.edges\[2\]\.dist: must be"
    ):
        converted(here, "x.stg", STG, network="broken.json")


def test_options_scale_times_and_links(here: Path) -> None:
    problem = converted(
        here, "x.gxl", SAMPLES["gxl"], processors=2, speed=4.0, bandwidth=2.0, latency=0.5
    )
    assert [task.work for task in problem.graph.tasks] == [8.0, 12.0, 16.0]
    evaluation = offload.evaluate(problem, [[0, 1, 0]], [[0, 1, 2]])
    assert evaluation.finish.tolist() == [[2.0, 2 + 1 + 0.5 + 3, 6.0]]
    assert [edge.bytes for edge in problem.graph.edges] == [2.0, 18.0]


def test_delays_on_a_network(here: Path) -> None:
    network = offload.Network(
        [offload.Node("x", speed=2.0), offload.Node("y", speed=4.0)],
        [offload.Link("x", "y", bandwidth=5e8)],
    )
    # Four times the link that delays are taken to be of, and twice and four times the machine.
    problem = converted(here, "x.gxl", SAMPLES["gxl"], network=network, speed=1.0)
    evaluation = offload.evaluate(problem, [[0, 1, 1]], [[0, 1, 2]])
    assert evaluation.finish.tolist() == [[1.0, 1 + 1 / 4 + 3 / 4, 1 + 9 / 4 + 1]]
    assert "delays are taken as those of a link of 1.25e+08 bytes" in problem.source.lower()
    problem = converted(here, "x.gxl", SAMPLES["gxl"], network=network, speed=1.0, bandwidth=5e8)
    evaluation = offload.evaluate(problem, [[0, 1, 1]], [[0, 1, 2]])
    assert evaluation.finish.tolist() == [[1.0, 1 + 1 + 3 / 4, 1 + 9 + 1]]


def test_the_network_of_an_instance(here: Path) -> None:
    write(here, street())
    problem = converted(here, "x.stg", STG, network="street.json", speed=8e9)
    assert problem.network == street().network
    assert [task.work for task in problem.graph.tasks] == [0.0, 2.4e10, 3.2e10, 0.0]
    assert "The network is that of street.json. Times are taken as those of a machine of 8e+09" in (
        problem.source
    )
    write(here, street().replace(source="Drawn from life."), "drawn.json")
    problem = converted(here, "x.stg", STG, network="drawn.json")
    assert "The network is that of drawn.json. Drawn from life. Times are" in problem.source


def test_command_to_a_file(here: Path) -> None:
    (here / "x.stg").write_text(STG)
    outcome = run("convert", "x.stg", "--processors", 2, "-o", "out.json")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("4 tasks, 4 edges, 2 nodes: saved to out.json\nConverted from")
    assert offload.load("out.json") == offload.convert("x.stg", processors=2)


def test_command_to_the_current_folder(here: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub" / "x.stg.gz").write_bytes(gzip.compress(STG.encode()))
    outcome = run("convert", "sub/x.stg.gz", "--processors", 2, "--json")
    assert outcome.json() == {
        "converted": [{
            "file": "sub/x.stg.gz", "saved": "x.json", "tasks": 4, "edges": 4, "nodes": 2,
            "source": offload.load("x.json").source,
        }],
        "failed": 0,
    }  # fmt: skip


def test_command_with_options_of_neural_networks(here: Path) -> None:
    (here / "net.txt").write_text(SAMPLES["pipedream"])
    run("convert", "net.txt", "--processors", 2, "--inference", "--no-contiguous", "-o", "a.json")
    graph = offload.load("a.json").graph
    assert (len(graph.tasks), graph.groups) == (3, ())
    run("convert", "net.txt", "--processors", 2, "-o", "b.json")
    assert offload.load("b.json").graph.groups[-1].rule == "contiguous"


def test_command_with_several_files(here: Path) -> None:
    for name in ("stg", "gxl", "dot"):
        (here / f"{name}.{name}").write_text(SAMPLES[name])
    (here / "to").mkdir()
    outcome = run("convert", "stg.stg", "gxl.gxl", "dot.dot", "--processors", 3, "-o", "to")
    assert (outcome.status, outcome.err) == (0, "")
    assert sorted(path.name for path in (here / "to").iterdir()) == [
        "dot.json", "gxl.json", "stg.json",
    ]  # fmt: skip
    assert {len(offload.load(path).network.nodes) for path in (here / "to").iterdir()} == {3}


def test_a_bad_file_among_good_ones(here: Path) -> None:
    for name in ("a", "b", "c"):
        (here / f"{name}.stg").write_text(STG if name != "b" else STG.replace("3   1", "x   1"))
    outcome = run("convert", "a.stg", "b.stg", "c.stg", "--processors", 2)
    assert outcome.status == 2
    assert "error: b.stg: line 3: must be whole numbers, got '1 x 1 0'" in outcome.err
    assert "1 of 3 files could not be converted" in outcome.err
    assert sorted(path.name for path in here.glob("*.json")) == ["a.json", "c.json"]
    listed = run("convert", "a.stg", "b.stg", "--processors", 2, "--json")
    assert (listed.status, listed.json()["failed"], len(listed.json()["converted"])) == (2, 1, 1)


def test_a_bad_file_alone(here: Path) -> None:
    (here / "b.stg").write_text(STG.replace("3   1", "x   1"))
    outcome = run("convert", "b.stg", "--processors", 2, "-o", "out.json")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: b.stg: line 3: must be whole numbers")
    assert not (here / "out.json").exists()


def test_standard_streams(here: Path) -> None:
    outcome = run("convert", "-", "--processors", 2, "-o", "-", stdin=STG)
    assert (outcome.status, outcome.err) == (0, "")
    problem = offload.loads(outcome.out)
    assert problem.source.startswith("Converted from standard input (Standard Task Graph Set).")
    solved = run("solve", "-", "-o", "plan.json", "--json", stdin=outcome.out)
    assert (solved.status, solved.json()["objective"]) == (0, 4.0)
    run("convert", "-", "--format", "stg", "--processors", 2, stdin=STG)
    assert offload.load("converted.json").digest == problem.digest


def test_no_input_is_overwritten(here: Path) -> None:
    text = SAMPLES["estee"]
    (here / "x.json").write_text(text)
    outcome = run("convert", "x.json", "--processors", 2, "-o", "./x.json")
    assert outcome.status == 2
    assert "--output: must not be a file that is read, got './x.json'; name another" in outcome.err
    outcome = run("convert", "x.json", "--processors", 2)
    assert (outcome.status, (here / "x.json").read_text()) == (0, text)
    assert len(offload.load("x.instance.json").graph.tasks) == 4
    write(here, street())
    outcome = run("convert", "x.json", "--network", "street.json", "-o", "street.json")
    assert outcome.status == 2
    assert offload.load("street.json") == street()
    (here / "link.json").symlink_to("x.json")
    outcome = run("convert", "x.json", "--processors", 2, "-o", "link.json")
    assert (outcome.status, (here / "x.json").read_text()) == (2, text)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("x.stg",), "has no network; say --processors N"),
        (("x.stg", "--processors", "0"), "--processors: must be a whole number, 1 or more"),
        (("x.stg", "--processors", "2", "--speed", "fast"), "--speed: must be a number"),
        (("x.stg", "--processors", "2", "--speed", "0"), "speed: must be > 0 and finite, got 0"),
        (("x.stg", "--processors", "2", "--latency", "5parsec"), "--latency: "),
        (
            ("x.stg", "--processors", "2", "--part", "x"),
            "--part: must be a whole number, 1 or more",
        ),
        (("x.stg", "--processors", "2", "-f", "stgs"), "got 'stgs'; did you mean 'stg'?"),
        (("x.stg", "--family", "nowhere"), "nowhere"),
        (("x.stg", "x.stg", "--processors", "2"), "two would be written to one file, got 'x.json'"),
        (("x.stg", "y.stg", "--processors", "2", "-o", "out.json"), "must be a folder for several"),
        (("x.stg", "-", "--processors", "2"), "must be alone if it is standard input"),
        (("-", "--network", "-"), "cannot both be standard input"),
        (("missing.stg", "--processors", "2"), "missing.stg: no such file; check the path"),
        (("x.stg", "--processors", "2", "-o", "no/where.json"), "cannot be written"),
    ],
)
def test_wrong_usage(here: Path, arguments: tuple[str, ...], error: str) -> None:
    (here / "x.stg").write_text(STG)
    outcome = run("convert", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    assert error in outcome.err
    assert "Traceback" not in outcome.err
    assert list(here.glob("*.json")) == []
