"""This machine and codecs, measured."""

from __future__ import annotations

import random
import zlib

import pytest

import offload
from offload import OffloadError


@pytest.fixture(scope="module")
def made() -> offload.Measured:
    """Measured on text of few words."""
    rng = random.Random(1)
    words = ["camera", "edge", "cloud", "frame", "lane", "detect"]
    return offload.profile(" ".join(rng.choices(words, k=20_000)).encode(), seconds=0.05, name="me")


def test_the_machine_is_a_node_that_can_be_used(made: offload.Measured) -> None:
    assert made.node.id == "me"
    assert made.node.speed > 1e8
    assert made.node.memory is None or made.node.memory > 1e8
    problem = offload.Problem(
        network=offload.Network([made.node, offload.Node("far", speed=1e12)],
                                [offload.Link("me", "far", bandwidth=1e5)]),
        graph=offload.Graph(
            [offload.Task("a", work=1e6, allow=["me"]), offload.Task("b", work=1e6, allow=["far"])],
            [offload.Edge("a", "b", bytes=1e7, codecs=[codec.id for codec in made.codecs])],
        ),
        codecs=made.codecs,
    )  # fmt: skip
    plan = offload.solve(problem, method="heft").plan
    assert plan is not None
    assert plan.transfers_frame()["codec"][0] in {codec.id for codec in made.codecs}


def test_codecs_have_the_ratios_of_the_sample(made: offload.Measured) -> None:
    ratio = {codec.id: codec.ratio for codec in made.codecs}
    assert list(ratio)[:3] == ["zlib-1", "zlib-6", "huffman"]
    assert {"zstd-3", "lz4"} <= set(ratio)
    assert ratio["zlib-6"] > ratio["zlib-1"] > ratio["huffman"] > 1.5
    assert all(codec.encode > 0 and codec.decode > 0 for codec in made.codecs)
    effort = {codec.id: codec.encode for codec in made.codecs}
    assert effort["zlib-6"] > effort["lz4"]
    frame = made.to_frame()
    assert frame["encode_rate"].tolist() == [made.node.speed / c.encode for c in made.codecs]


def test_what_does_not_shrink_has_ratio_one() -> None:
    noise = random.Random(1).randbytes(20_000)
    assert len(zlib.compress(noise)) > len(noise)
    made = offload.profile(noise, seconds=0.01)
    assert {codec.ratio for codec in made.codecs} == {1.0}


def test_without_a_sample_there_are_no_codecs() -> None:
    assert offload.profile(seconds=0.01).codecs == ()


def test_nothing_cannot_be_measured() -> None:
    with pytest.raises(OffloadError, match="sample: must not be empty, got 0 bytes"):
        offload.profile(b"")
    with pytest.raises(OffloadError, match="seconds: must be > 0, got 0"):
        offload.profile(seconds=0)
