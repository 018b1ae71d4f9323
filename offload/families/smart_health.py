"""Smart health: images and vital signs of patients, with records that must not travel.

A modality (scanner) takes images, which are stripped of names in the hospital, segmented, and
classified; the report needs the patient's record, which never leaves the hospital. Ward monitors
sample an electrocardiogram; they or the ward's gateway look for arrhythmia and raise an alarm
within a second. Three tiers of
privacy: what names a person stays on the hospital's machines (tag ``identified-h``), pseudonymous
images may go to the region's health cloud (tag ``pseudonymous``), anonymous findings anywhere.

Minimized: the sum of the times of reports and alarms, and USD at a hundred seconds each.

Sources. Tiers: ISO 25237:2017 (pseudonymization) and the General Data Protection Regulation,
article 4(5) and recital 26. The application: A. M. Rahmani et al., Exploiting smart e-health
gateways at the edge of healthcare internet-of-things, Future Generation Computer Systems 78, 2018.
An image is a CT slice stack of 64 slices of 512 x 512 x 2 bytes (DICOM); segmentation is a U-Net,
about 55 GFLOP for a slice of 256 x 256 (Isensee et al., nnU-Net, Nature Methods 18, 2021, for the
method), 64 slices. Machines and links: the catalogue. Assumed: the other works and sizes, and
arrivals.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from offload.families.building import Draft, Parameter, brief, draws
from offload.families.sites import machine, portions, shared, uplink, wired
from offload.problem import Data, Link, Network, Node

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    "imaging": Parameter(0.6, "part of the tasks that are about images", most=1),
    "interval": Parameter(2.0, "mean seconds between patients of a hospital"),
    "image": Parameter(64 * 512 * 512 * 2, "mean bytes of an image", beyond=True),
    "record": Parameter(5e6, "mean bytes of a patient's record", beyond=True),
    "variation": Parameter(0.4, "range of works and bytes over their means", most=1.9),
}

ACQUIRE, STRIP, SEGMENT, CLASSIFY, REPORT = 1e9, 5e9, 64 * 55e9, 200e9, 2e9  # operations
SAMPLE, RHYTHM, ALARM, STUDY = 1e6, 5e8, 1e6, 500e9
MASKS, FINDINGS, SIGNAL, BEATS = 2e6, 1e4, 1.2e5, 2e3  # bytes
WITHIN = 1.0  # seconds to an alarm
_ANYWHERE = ("tier:edge", "tier:cloud")


def make(
    size: int, rng: random.Random, *, imaging: float, interval: float, image: float,
    record: float, variation: float,
) -> Draft:  # fmt: skip
    """An instance of exactly ``size`` tasks; what is left over are studies of findings."""
    scans = max(1, int(imaging * (size - 3)) // 5)
    wards, left = divmod(size - 5 * scans, 3)
    hospitals = max(1, size // 250)
    draft, work = Draft(), draws(rng, variation)
    arrivals = [0.0] * hospitals
    for p in range(scans):
        h = p % hospitals
        arrivals[h] += interval * rng.random() * 2
        at = f"modality-{h}.{p // hospitals % _modalities(scans, hospitals)}"
        _scan(draft, work, p, h, at, brief(arrivals[h]), image, record)
    for p in range(wards):
        _bed(draft, work, p, p % hospitals, f"monitor-{p % hospitals}.{p // hospitals}")
    for one in range(left):
        findings = {f"classify-{p}": FINDINGS for p in range(scans)}
        draft.task(f"study-{one}", work(STUDY), findings, allow=_ANYWHERE, weight=0)
    network = _network(_modalities(scans, hospitals), portions(wards, hospitals))
    return draft.on(network, minimize={"completion": 1, "cost": 100})


def _scan(
    draft: Draft, work: Callable[[float], float], p: int, h: int, at: str, start: float,
    image: float, record: float,
) -> None:  # fmt: skip
    """A patient's images, from the scanner to the report."""
    inside, own, safe = (at, f"hospital-{h}"), (f"identified-{h}",), ("pseudonymous",)
    draft.task(f"acquire-{p}", work(ACQUIRE), allow=(at,), release=start, weight=0)
    draft.task(f"strip-{p}", work(STRIP), {f"acquire-{p}": work(image)}, require=own,
               allow=inside, weight=0)  # fmt: skip
    draft.task(f"segment-{p}", work(SEGMENT), {f"strip-{p}": work(image)}, require=safe,
               allow=(*inside, "region"), weight=0, memory=4e9)  # fmt: skip
    draft.task(f"classify-{p}", work(CLASSIFY), {f"segment-{p}": work(MASKS)}, weight=0,
               allow=_ANYWHERE)  # fmt: skip
    draft.data.append(Data(f"record-{p}", work(record), (f"hospital-{h}",), require=own))
    draft.task(f"report-{p}", work(REPORT), {f"classify-{p}": FINDINGS}, allow=inside,
               reads=(f"record-{p}",))  # fmt: skip


def _bed(draft: Draft, work: Callable[[float], float], p: int, h: int, monitor: str) -> None:
    """A patient's heart, from the monitor to the alarm."""
    near, own = (monitor, f"ward-{h}"), (f"identified-{h}",)
    draft.task(f"sample-{p}", work(SAMPLE), allow=(monitor,))
    draft.task(f"rhythm-{p}", work(RHYTHM), {f"sample-{p}": work(SIGNAL)}, require=own,
               allow=near)  # fmt: skip
    draft.task(f"alarm-{p}", ALARM, {f"rhythm-{p}": BEATS}, require=own, allow=near,
               deadline=WITHIN)  # fmt: skip


def _modalities(scans: int, hospitals: int) -> int:
    return max(1, -(-scans // (8 * hospitals)))


def _network(modalities: int, monitors: list[int]) -> Network:
    """Hospitals with scanners, monitors, a ward's gateway and a server; a region; a cloud."""
    nodes: list[Node] = []
    links: list[Link] = []
    for h, beds in enumerate(monitors):
        tags, server = (f"identified-{h}", "pseudonymous"), f"hospital-{h}"
        for k in range(modalities):
            nodes.append(machine("mini-pc-n150", f"modality-{h}.{k}", tags=tags))
            links.append(wired("lan-1g", f"modality-{h}.{k}", server, tags=tags))
        for k in range(beds):
            nodes.append(machine("raspberry-pi-4", f"monitor-{h}.{k}", tags=tags))
            links.append(wired("wifi-5", f"monitor-{h}.{k}", f"ward-{h}", tags=tags))
        nodes.append(machine("mini-pc-n150", f"ward-{h}", tier="edge", tags=tags))
        links.append(wired("lan-1g", f"ward-{h}", server, tags=tags))
        nodes.append(shared("nvidia-t4", server, slots=2, tier="edge", tags=tags))
        links.append(wired("ethernet-1g", server, "region", tags=("pseudonymous",)))
    nodes.append(shared("nvidia-v100", "region", slots=len(monitors), tags=("pseudonymous",)))
    nodes.append(shared("aws-g5.xlarge", "cloud", slots=4))
    return Network(nodes, [*links, *uplink("cloud-uplink", "region", "cloud")])
