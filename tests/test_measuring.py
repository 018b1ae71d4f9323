"""This machine and its codecs, measured: what must hold whatever the machine."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import run

import offload
from offload import Codec, Edge, Graph, Link, Network, OffloadError, Problem, Task, measuring
from offload.measuring import Measured

SAMPLE = b"".join(b"%d: all work and no play, " % k for k in range(4000))
ALWAYS = ["zlib-1", "zlib-6", "zlib-9", "deflate-huffman"]


@pytest.fixture(scope="module")
def measured() -> Measured:
    """A short measurement."""
    return offload.profile(SAMPLE, id="here", seconds=0.01, tier="device", busy_power=7)


def test_the_node_is_this_machine_with_what_the_caller_adds(measured: Measured) -> None:
    node = measured.node
    assert (node.id, node.slots, node.tier, node.busy_power) == ("here", 1, "device", 7)
    assert 1e7 < node.speed < 1e16
    assert node.memory is None or node.memory > 1e7


def test_ratios_are_those_of_the_codecs_on_the_sample(measured: Measured) -> None:
    ratios = {codec.id: codec.ratio for codec in measured.codecs}
    assert [name for name in ratios if name in ALWAYS] == ALWAYS
    for level in (1, 6, 9):
        packed = zlib.compress(SAMPLE, level)
        assert ratios[f"zlib-{level}"] == pytest.approx(len(SAMPLE) / len(packed), rel=1e-3)
    assert 1 < ratios["deflate-huffman"] < ratios["zlib-1"]
    assert all(codec.encode > 0 and codec.decode > 0 for codec in measured.codecs)


def test_huffman_coding_alone_does_not_search_for_repetitions() -> None:
    """Repeating it does not help: five bits a byte and no less for 32 equally likely bytes."""
    data = bytes(range(32)) * 4096
    packed = measuring._huffman(data)
    assert zlib.decompress(packed) == data
    assert len(data) / len(packed) == pytest.approx(8 / 5, rel=0.01)
    assert len(zlib.compress(data)) < len(packed) / 50


def test_operations_a_byte_are_seconds_a_byte_at_the_measured_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "_best", lambda work, seconds: 0.5)
    found = measuring._measured("x", (zlib.compress, zlib.decompress), SAMPLE, 1e9, 1.0)
    assert isinstance(found, Codec)
    expected = pytest.approx(0.5e9 / len(SAMPLE), rel=1e-3)
    assert (found.encode, found.decode) == (expected, expected)


def test_speed_is_operations_of_a_product_over_its_best_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "_best", lambda work, seconds: 0.25)
    assert measuring._speed(1.0) == pytest.approx(2 * 256**3 / 0.25, rel=1e-3)


def test_codecs_that_do_not_shrink_or_do_not_restore_are_left_out() -> None:
    noise = bytes((k * k * 2654435761 >> 13) & 255 for k in range(5000))
    found = measuring._measured("none", (lambda d: d + b"x", lambda d: d[:-1]), noise, 1e9, 0.0)
    assert found == "makes the sample larger (5001 of 5000 bytes)"
    found = measuring._measured("bad", (lambda d: d[:9], lambda d: d), noise, 1e9, 0.0)
    assert found == "does not give the sample back"


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_module", lambda name: None)
    made = offload.profile(SAMPLE, seconds=0.01)
    assert [codec.id for codec in made.codecs] == ALWAYS
    assert set(made.left_out) == {"zstd-1", "zstd-3", "zstd-9", "lz4"}
    assert made.left_out["lz4"].startswith("not installed; pip install")


def test_entries_make_an_instance_that_compresses(measured: Measured) -> None:
    other = offload.node("nvidia-l4", "edge")
    codecs = tuple(codec.id for codec in measured.codecs)
    problem = Problem(
        network=Network([measured.node, other], [Link("here", "edge", bandwidth=1e4)]),
        graph=Graph(
            [Task("take", work=1, allow=["here"]), Task("see", work=1, allow=["edge"])],
            [Edge("take", "see", 1e6, codecs=codecs)],
        ),
        codecs=measured.codecs,
    )
    result = offload.solve(problem, "heft")
    assert result.objective is not None
    best = max(codec.ratio for codec in measured.codecs)
    assert 100 / best <= result.objective < 50


def test_the_command_tells_the_same_to_people_and_machines(tmp_path: Path) -> None:
    path = tmp_path / "sample.bin"
    path.write_bytes(SAMPLE)
    told = json.loads(run("profile", path, "--time", "10ms", "--id", "pi", "--json").out)
    assert told["nodes"][0]["id"] == "pi"
    assert [codec["id"] for codec in told["codecs"] if codec["id"] in ALWAYS] == ALWAYS
    piped = run("profile", "-", "--time", "10ms", stdin=SAMPLE)
    assert piped.status == 0
    assert "deflate-huffman" in piped.out
    assert "codec" not in run("profile", "--time", "10ms").out


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: offload.profile(b""), "sample: is empty; give some data as they will be sent"),
        (lambda: offload.profile("/no/such"), "/no/such: cannot be read"),
        (lambda: offload.profile(seconds=0), "seconds: must be above 0 and at most 600, got 0"),
        (lambda: offload.profile(seconds=0.01, teir="edge"), "node: has no field 'teir'; did you"),
    ],
)
def test_mistakes_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(OffloadError, match=message):
        call()
