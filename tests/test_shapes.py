"""The random shapes: each has the structure of its name, and the weights that it was asked for."""

from __future__ import annotations

from collections import Counter
from statistics import fmean

import networkx as nx
import pytest

import offload
from offload import Problem
from offload.catalogue import catalogue

SHAPES = (
    "layered", "in-tree", "out-tree", "fork-join", "chains", "series-parallel", "montage-like",
)  # fmt: skip


def graph_of(problem: Problem) -> nx.MultiDiGraph:
    """The task graph; parallel edges would show."""
    made = nx.MultiDiGraph()
    made.add_nodes_from(task.id for task in problem.graph.tasks)
    made.add_edges_from((edge.src, edge.dst) for edge in problem.graph.edges)
    return made


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_no_edge_is_there_twice(name: str, seed: int) -> None:
    edges = [(edge.src, edge.dst) for edge in offload.generate(name, 120, seed).graph.edges]
    assert len(edges) == len(set(edges))


@pytest.mark.parametrize("name", SHAPES)
def test_ratio_of_communication_to_computation_is_what_was_asked_for(name: str) -> None:
    """Without variation every transfer takes ccr times the mean task, on identical machines."""
    problem = offload.generate(name, 100, ccr=2.5, variation=0, heterogeneity=0)
    (speed,) = {node.speed for node in problem.network.nodes}
    bandwidth = catalogue()["ethernet-1g"].figures["bandwidth"].value
    mean = fmean(task.work / speed for task in problem.graph.tasks if task.work is not None)
    assert mean == pytest.approx(1.0, rel=1e-3)
    sizes = {edge.bytes for edge in problem.graph.edges}
    assert len(sizes) == 1
    assert sizes.pop() / bandwidth == pytest.approx(2.5 * mean, rel=2e-3)


def test_heterogeneity_spreads_speeds_and_variation_spreads_works() -> None:
    speed = catalogue()["raspberry-pi-5"].figures["speed"].value
    problem = offload.generate("chains", 400, heterogeneity=1.0, variation=0.4, processors=64)
    shares = [node.speed / speed for node in problem.network.nodes]
    works = [task.work / speed for task in problem.graph.tasks if task.work is not None]
    assert len(shares) == 64
    assert 0.5 <= min(shares) < 0.6
    assert 1.4 < max(shares) <= 1.5
    assert 0.8 <= min(works) < 0.81
    assert 1.19 < max(works) <= 1.2


@pytest.mark.parametrize("seed", range(3))
def test_trees_have_one_root_and_no_more_children_than_asked(seed: int) -> None:
    out = graph_of(offload.generate("out-tree", 200, seed, degree=2))
    assert sorted(Counter(dict(out.in_degree()).values()).items()) == [(0, 1), (1, 199)]
    assert max(dict(out.out_degree()).values()) == 2
    into = graph_of(offload.generate("in-tree", 200, seed, degree=2))
    assert sorted(Counter(dict(into.out_degree()).values()).items()) == [(0, 1), (1, 199)]
    assert max(dict(into.in_degree()).values()) == 2
    assert nx.is_weakly_connected(out)
    assert nx.is_weakly_connected(into)


def test_chains_are_as_many_as_asked_and_even() -> None:
    graph = graph_of(offload.generate("chains", 50, chains=7))
    parts = [len(part) for part in nx.weakly_connected_components(graph)]
    assert sorted(parts) == [7, 7, 7, 7, 7, 7, 8]
    assert max(dict(graph.out_degree()).values()) == max(dict(graph.in_degree()).values()) == 1
    assert nx.number_weakly_connected_components(graph_of(offload.generate("chains", 3))) == 3


def test_fork_join_alternates_split_and_merge() -> None:
    graph = graph_of(offload.generate("fork-join", 32, width=8))
    assert [len(layer) for layer in nx.topological_generations(graph)] == [
        1,
        8,
        1,
        1,
        8,
        1,
        1,
        10,
        1,
    ]


@pytest.mark.parametrize("seed", range(3))
def test_layers_are_fed_by_the_layer_before_and_by_no_more_than_the_degree(seed: int) -> None:
    graph = graph_of(offload.generate("layered", 400, seed, degree=4))
    degrees = dict(graph.in_degree())
    assert max(degrees.values()) <= 4
    layers = list(nx.topological_generations(graph))
    place = {task: level for level, layer in enumerate(layers) for task in layer}
    assert all(place[dst] == place[src] + 1 for src, dst in graph.edges())
    assert all(degrees[task] >= 1 for layer in layers[1:] for task in layer)
    assert 10 <= len(layers) <= 40  # about sqrt(400)


def test_alpha_makes_layered_graphs_wide() -> None:
    depths = [
        len(list(nx.topological_generations(graph_of(offload.generate("layered", 400, alpha=a)))))
        for a in (0.5, 2.0)
    ]
    assert depths[0] > 2 * depths[1]


@pytest.mark.parametrize("seed", range(5))
def test_series_parallel_graphs_reduce_to_a_single_edge(seed: int) -> None:
    """Valdes, Tarjan, Lawler 1982: merge parallel edges, and edges in series, until one is left."""
    graph = nx.DiGraph(graph_of(offload.generate("series-parallel", 150, seed)))
    inner = [v for v in graph if graph.in_degree(v) and graph.out_degree(v)]
    assert len(inner) == 148
    while inner:
        series = [v for v in inner if graph.in_degree(v) == graph.out_degree(v) == 1]
        assert series, "not series-parallel"
        for v in series:
            (before,), (after,) = graph.predecessors(v), graph.successors(v)
            graph.remove_node(v)
            graph.add_edge(before, after)  # a second one merges with the first
            inner.remove(v)
    assert graph.number_of_edges() == 1


def test_chance_of_parallel_parts_is_a_parameter() -> None:
    row = graph_of(offload.generate("series-parallel", 60, parallel=0))
    assert nx.dag_longest_path_length(nx.DiGraph(row)) == 59
    wide = graph_of(offload.generate("series-parallel", 60, parallel=1))
    assert nx.dag_longest_path_length(nx.DiGraph(wide)) < 40


def test_montage_has_its_levels_and_their_relative_works() -> None:
    problem = offload.generate("montage-like", 500, variation=0)
    graph = graph_of(problem)
    levels = [len(layer) for layer in nx.topological_generations(graph)]
    images = round(494 / 4.9)
    assert levels[0] == levels[4] == images
    assert levels[2:4] == [1, 1]
    assert levels[5:7] == [1, 1]
    assert levels[-1] == 1
    assert sum(levels) == 500
    work = [task.work for task in problem.graph.tasks]
    assert work[0] is not None
    assert work[images] is not None
    assert work[images] / work[0] == pytest.approx(0.66 / 1.73, rel=1e-3)
