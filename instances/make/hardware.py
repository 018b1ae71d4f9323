"""Machines and links of the crossings: data-sheet figures, and what is assumed on top of them.

Sustained speed is 30 % of the dense FP16 peak of the data sheet. On a Jetson Orin Nano that is
3 TFLOP/s; YOLOv8m (78.9 GFLOP at 640 pixels) in 23.6 ms, as measured with TensorRT FP16
(github.com/the0807/YOLOv8-ONNX-TensorRT, 2024), is 3.3.
"""

from __future__ import annotations

from offload import Link, Node

FIGURES = (
    "Speeds, in FLOP/s, are 30 % of the dense FP16 peak of NVIDIA's data sheets: Jetson Orin Nano"
    " 8GB 10 TFLOP/s and AGX Orin 64GB 42.5 (a quarter of the GPU's sparse INT8 figure, 40 and 170"
    " TOPS), L4 121, A100 312. Powers: Orin Nano 10 W on top of 2 W idle (of 15 W), AGX Orin 55 W"
    " on top of 5 W (of 60 W), L4 72 W and 55 W of its host at PUE 1.58 (Uptime Institute, 2023),"
    " an eighth of a DGX A100's 6.5 kW at PUE 1.1; idle machines of city and cloud do not count."
    " Prices: AWS list, us-east-1, 2024: g6.xlarge 0.8048 USD/h for an L4, an eighth of"
    " p4d.24xlarge's 32.77 for an A100, egress 0.09 USD/GB. Work: YOLOv8m at 1280 pixels is four"
    " times the 78.9 GFLOP of Ultralytics' table at 640, five pictures 1.578 TFLOP. Assumed: the"
    " other tasks' work, bytes and memory; idle powers; failure rates; Wi-Fi 6 600 Mb/s, 3 ms and"
    " 2 W while it sends; Ethernet 940 Mb/s and 0.3 ms; 5G 120 Mb/s up, 600 Mb/s down, 8 ms and"
    " 4 W; WAN 1 Gb/s and 12 ms; memory is what each machine lends."
)

MBIT = 1e6 / 8
WIFI, ETHERNET, UPLINK, DOWNLINK, WAN = 600 * MBIT, 940 * MBIT, 120 * MBIT, 600 * MBIT, 1000 * MBIT
HOUR = 3600
STREET = ("street", "trusted")


def camera(name: str) -> Node:
    """A camera with a Jetson Orin Nano 8GB, of which 3 GB are free for models."""
    return Node(
        name, tier="device", kind="jetson-orin-nano", tags=STREET, speed=3e12, memory=3e9,
        busy_power=10, idle_power=2, failure_rate=1e-8,
    )  # fmt: skip


def roadside(name: str, memory: float) -> Node:
    """A roadside unit with a Jetson AGX Orin 64GB, shared with other services of the road."""
    return Node(
        name, tier="edge", kind="jetson-agx-orin", tags=STREET, speed=12.75e12, memory=memory,
        busy_power=55, idle_power=5, failure_rate=6e-9,
    )  # fmt: skip


def metro(slots: int, memory: float) -> Node:
    """L4 cards in a data centre of the city."""
    return Node(
        "metro", tier="edge", kind="l4", tags=("trusted",), speed=36.3e12, slots=slots,
        memory=memory, busy_power=round((72 + 55) * 1.58, 1), price=round(0.8048 / HOUR, 9),
        failure_rate=3e-9,
    )  # fmt: skip


def cloud(slots: int, memory: float) -> Node:
    """A100 cards of a cloud region."""
    return Node(
        "cloud", tier="cloud", kind="a100", speed=93.6e12, slots=slots, memory=memory,
        busy_power=round(6500 / 8 * 1.1, 1), price=round(32.77 / 8 / HOUR, 9), failure_rate=2e-8,
    )  # fmt: skip


def wifi(src: str, dst: str, channels: int | None = None, rate: float = WIFI) -> Link:
    """Wi-Fi 6: one medium for both directions."""
    return Link(src, dst, rate, 0.003, "half", channels, round(2 / rate, 10), tags=STREET)


def ethernet(src: str, dst: str, channels: int | None = None) -> Link:
    """Gigabit Ethernet along the street: 0.3 ms, 5 nJ a byte."""
    return Link(src, dst, ETHERNET, 0.0003, "full", channels, 5e-9, tags=STREET)


def cellular(src: str, dst: str, channels: int | None = None) -> list[Link]:
    """A private 5G slice between roadside and city: slower up than down."""
    tags = ("trusted",)
    up, down = round(4 / UPLINK, 10), round(4 / DOWNLINK, 10)
    return [
        Link(src, dst, UPLINK, 0.008, "simplex", channels, up, tags=tags),
        Link(dst, src, DOWNLINK, 0.008, "simplex", channels, down, tags=tags),
    ]


def wan(src: str, dst: str, channels: int | None = None) -> Link:
    """The Internet between city and cloud: 20 nJ a byte, and the cloud's egress price."""
    return Link(src, dst, WAN, 0.012, "full", channels, 2e-8, price=9e-11)
