"""Networks of real places."""

from __future__ import annotations

import networkx as nx
import pytest

import offload
from offload.families import network_of
from offload.formulas import path_gain, shannon_rate, thermal_noise


def as_graph(network: offload.Network) -> nx.Graph:
    """Nodes and links, the latter with themselves as attribute."""
    graph = nx.Graph()
    graph.add_nodes_from(node.id for node in network.nodes)
    graph.add_edges_from((link.src, link.dst, {"link": link}) for link in network.links)
    return graph


@pytest.mark.parametrize(
    ("place", "devices", "servers"),
    [("melbourne", 24, 16), ("polska", 12, 12), ("germany", 17, 17)],
)
def test_places_have_their_sites_and_hang_together(place: str, devices: int, servers: int) -> None:
    network = network_of(place)
    tiers = [node.tier for node in network.nodes]
    assert (tiers.count("device"), tiers.count("edge"), tiers.count("cloud")) == (
        devices, servers, 1
    )  # fmt: skip
    assert nx.is_connected(as_graph(network))


def test_delays_between_cities_are_those_of_their_fibre() -> None:
    graph = as_graph(network_of("polska"))
    # SNDlib has 273.93 km from Gdansk to Warsaw.
    assert graph["Gdansk"]["Warsaw"]["link"].latency == pytest.approx(273.93 * 4.9e-6, rel=1e-3)
    assert {"cloud", "gateway-Warsaw", "Gdansk", "Krakow"} <= set(graph["Warsaw"])
    assert graph.subgraph(node for node in graph if "-" not in node).size() == 18 + 1


def test_users_reach_their_station_at_the_rate_of_the_distance() -> None:
    network = network_of("melbourne")
    graph = as_graph(network)
    nearest = {}
    for user in (node.id for node in network.nodes if node.tier == "device"):
        (site,) = graph[user]
        nearest[user] = graph[user][site]["link"].bandwidth
        assert site.startswith("site-")
    # The first user is 37 m from a station.
    expected = shannon_rate(20e6, 0.1, path_gain(37.0), thermal_noise(20e6, 7.0))
    assert nearest["user-0"] == pytest.approx(expected, rel=0.02)
    assert max(nearest.values()) > 1.5 * min(nearest.values())


def test_tasks_of_a_file_can_run_there(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "a.stg"
    file.write_text("2\n0 5 0\n1 7 1 0\n")
    problem = offload.convert(file, family="melbourne")
    assert "the network is that of the family melbourne" in problem.source.lower()
    assert offload.solve(problem, method="heft").plan is not None


def test_unknown_places_name_the_nearest() -> None:
    with pytest.raises(offload.OffloadError, match="got 'melborne'; did you mean 'melbourne'"):
        network_of("melborne")
