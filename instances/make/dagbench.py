"""Task graphs with networks from DAGBench: mobile offloading, video, classics, GPT-2.

Run from the repository root: ``python instances/make/dagbench.py [DATA_FOLDER]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from making import complete, run

from offload import Edge, Graph, InstanceError, Issue, Link, Network, Node, Problem, Task

SOURCE = (
    "DAGBench (Autonomous Networks Research Group, University of Southern California), entry"
    " {entry}, commit e69984f, 2026-02-19, licence Apache-2.0 (licences/Apache-2.0.txt); changed:"
    " converted to this format. {origin}"
)
UNITS = (
    "Units are the set's own: a task takes cost / speed, an edge size / speed of the link; each is"
    " read here as operations, bytes and seconds. Each pair of nodes uses its own link, never a"
    " detour (reference_bytes 0), and links run both ways."
)
SLEIPNIR = (
    "Task costs (million instructions) and the tasks that must stay on the mobile device are those"
    " of {code} in the simulator SLEIPNIR (github.com/vindem/sleipnir, MIT, copyright (c) 2018"
    " Vincenzo), V. De Maio, I. Brandic, First hop mobile offloading of DAG computations, CCGrid"
    " 2018, doi:10.1109/CCGRID.2018.00023."
)


class Entry(NamedTuple):
    """One entry of the set, the text that goes with it, and what its file does not say."""

    path: str
    name: str
    description: str
    origin: str
    tiers: Mapping[str, str] = {}
    pinned: Mapping[str, str] = {}


MOBILE = {"MobileDevice": "device"}
ENTRIES = (
    Entry(
        "mec/sleipnir_chess",
        "sleipnir-chess",
        "A mobile chess game of five moves, each a user interface, an update, a search and an"
        " output, on a phone and two edge servers. Interface and output stay on the phone.",
        SLEIPNIR.format(code="ChessApp.java"),
        MOBILE,
        {f"CHESS_{part}_{move}": "MobileDevice" for part in ("UI", "OUTPUT") for move in range(5)},
    ),
    Entry(
        "mec/sleipnir_facerecognizer",
        "sleipnir-facerecognizer",
        "A mobile face recogniser on a phone and two edge servers. Interface and output stay on"
        " the phone. The set maps its 10 MB image to 3000 units and its control signals to 100.",
        SLEIPNIR.format(code="FacerecognizerApp.java"),
        MOBILE,
        {"FACERECOGNIZER_UI": "MobileDevice", "FACERECOGNIZER_OUTPUT": "MobileDevice"},
    ),
    Entry(
        "edge_computing/mtec_video_analytics",
        "mtec-video-analytics",
        "Video analytics on a desktop and three Jetsons: split, two branches of frame extraction"
        " and classification, write. Costs and sizes are the set's estimates; no task is bound.",
        "Structure: application 3 of figure 5 of X. Li et al., Dynamic DAG-application scheduling"
        " for multi-tier edge computing in heterogeneous networks, arXiv:2409.10839, 2024.",
        {"AGXXavier": "device", "XavierNX": "device", "JetsonTX2": "device"},
    ),
    Entry(
        "edge_computing/ml_surveillance_pipeline",
        "ml-surveillance-pipeline",
        "Camera, microphone and seismic sensor feed a vehicle and a person branch, each detection"
        " then classification, on three sensors, three edge servers and a cloud. Costs and sizes"
        " are the set's estimates. Added here: each encoder is bound to a sensor of its own, for"
        " the data start there; without it the cloud takes everything.",
        "Structure: figure 1 of L. Wu et al., Enhancing resilience in distributed ML inference"
        " pipelines for edge computing, MILCOM 2024, doi:10.1109/MILCOM61039.2024.10773652.",
        {"Sensor1": "device", "Sensor2": "device", "Sensor3": "device", "Cloud": "cloud"},
        {"CameraEnc": "Sensor1", "AudioEnc": "Sensor2", "SeismicEnc": "Sensor3"},
    ),
    Entry(
        "classic_benchmarks/fft_16",
        "fft-16",
        "Butterfly graph of a 16-point fast Fourier transform on 4 equal machines.",
        "Costs and sizes are the set's representative ones.",
    ),
    Entry(
        "classic_benchmarks/cholesky_6",
        "cholesky-6",
        "Tiled Cholesky factorization of 6 x 6 tiles on 4 equal machines.",
        "Costs and sizes are the set's representative ones.",
    ),
)
GPT2 = Entry(
    "ml_pipelines/gpt2_tensor_sh12_decode",
    "gpt2-decode-12-shards",
    "GPT-2 makes one token: 12 layers, each cut into 12 tensor shards, on 12 machines. The times"
    " (one machine, prompt and context of 128 tokens) and bytes are measured; work is in the"
    " milliseconds measured, at 1000 of them a second. The set's links of 500 units are replaced by"
    " 10 Gb/s Ethernet: 1.25e9 B/s and 50 microseconds.",
    "Profile: Hugging Face transformers' GPT-2 (A. Radford et al., 2019), traced with the group's"
    " dagprofiler, graph of github.com/ANRGUSC/gpt2-dag.",
)


def read(data: Path, entry: Entry) -> dict[str, Any]:
    """An entry's graph and network as the file has them."""
    text = (data / "dagbench" / entry.path / "graph.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def links_of(edges: Iterable[Mapping[str, Any]]) -> tuple[Link, ...]:
    """Two-way links; the set gives some in one direction, some in both, and each node its own."""
    speeds: dict[frozenset[str], float] = {}
    links = []
    for edge in edges:
        ends = frozenset((edge["source"], edge["target"]))
        if len(ends) == 1:
            continue
        if ends not in speeds:
            speeds[ends] = edge["speed"]
            links.append(Link(edge["source"], edge["target"], bandwidth=edge["speed"]))
        elif speeds[ends] != edge["speed"]:
            fix = "write two simplex links"
            raise InstanceError([Issue(str(sorted(ends)), "unlike ways", edge["speed"], fix)])
    return tuple(links)


def problem_of(entry: Entry, graph: Mapping[str, Any], network: Network, units: str) -> Problem:
    """An entry's tasks and edges on a network."""
    tasks = [
        Task(t["name"], work=t["cost"], allow=(entry.pinned.get(t["name"], "*"),))
        for t in graph["tasks"]
    ]
    edges = [Edge(d["source"], d["target"], bytes=d["size"]) for d in graph["dependencies"]]
    return Problem(
        name=entry.name,
        description=" ".join(filter(None, (entry.description, units))),
        source=SOURCE.format(entry=entry.path, origin=entry.origin),
        network=network,
        graph=Graph(tuple(tasks), tuple(edges)),
    )


def make(data: Path) -> Iterable[Problem]:
    """The chosen entries, each on its own network, and GPT-2 on Ethernet."""
    for entry in ENTRIES:
        content = read(data, entry)
        nodes = [
            Node(n["name"], tier=entry.tiers.get(n["name"], "edge"), speed=n["speed"])
            for n in content["network"]["nodes"]
        ]
        network = Network(tuple(nodes), links_of(content["network"]["edges"]), reference_bytes=0)
        yield problem_of(entry, content["task_graph"], network, UNITS)
    content = read(data, GPT2)
    machines = [n["name"] for n in content["network"]["nodes"]]
    links = tuple(
        msgspec.structs.replace(link, latency=50e-6) for link in complete(machines, 1.25e9)
    )
    network = Network(tuple(Node(name, speed=1000) for name in machines), links)
    yield problem_of(GPT2, content["task_graph"], network, "")


if __name__ == "__main__":
    run(make)
