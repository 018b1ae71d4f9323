"""Programs of models as task graphs: contraction, folding, blocks, twins. Needs no PyTorch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import offload
from offload import Edge, Graph, Network, Node, Problem
from offload.models.graphs import modelled
from offload.models.options import Options, checked_options, width_of
from offload.models.program import Operation, Program, Size, contracted, folded

PLAIN = Options(None, None, None, False, False, False)


def program(*operations: Operation, outputs: tuple[str, ...] = ("y",), **bytes: float) -> Program:
    """A program with the input x; tensors have 8 bytes unless they are named."""
    names = {"x", *outputs, *(name for op in operations for name in (*op.reads, *op.gives))}
    sizes = {name: Size(bytes.get(name, 8.0)) for name in sorted(names)}
    weights = {name: Size(100.0) for op in operations for name in op.parameters}
    return Program(operations, sizes, ("x",), outputs, weights)


def op(
    gives: str, reads: str, work: float = 0.0, *parameters: str, moves: bool = False, path: str = ""
) -> Operation:
    made = tuple(gives.split())
    modules = tuple(path.split(".")) if path else ()
    return Operation(made[0], modules, work, tuple(reads.split()), made, parameters, moves)


def graph(given: Program, **options: object) -> Graph:
    return modelled(given, Options(**{**PLAIN.__dict__, **options})).graph  # type: ignore[arg-type]


def works(made: Graph) -> dict[str, float | None]:
    return {task.id: task.work for task in made.tasks}


def shape(made: Graph) -> set[tuple[str, str, float, str | None]]:
    return {(edge.src, edge.dst, edge.bytes, edge.item) for edge in made.edges}


def test_operations_without_work_join_the_last_part_they_read() -> None:
    made = program(op("a", "x", 5), op("b", "a", 7), op("c", "a b"), op("y", "c", 3))
    assert works(graph(made)) == {"a": 5, "b": 7, "y": 3}
    assert shape(graph(made)) == {("a", "b", 8, "a"), ("b", "y", 8, "c")}


def test_what_reads_the_input_alone_joins_its_first_reader() -> None:
    made = program(op("e", "x", 0, "table"), op("a", "e", 5), op("y", "a e", 3))
    tasks = {task.id: task.resident for task in graph(made).tasks}
    assert tasks == {"a": 100, "y": 0}


def test_a_norm_joins_its_reader_where_its_input_moves_anyway() -> None:
    made = program(op("a", "x", 5), op("n", "a"), op("b", "n", 7), op("y", "b a"))
    assert shape(graph(made)) == {("a", "b", 8, "a")}


def test_the_smaller_tensor_moves() -> None:
    wide = program(op("a", "x", 5), op("w", "a"), op("y", "w", 3), w=64)
    thin = program(op("a", "x", 5), op("w", "a"), op("y", "w", 3), w=2)
    assert shape(graph(wide)) == {("a", "y", 8, "a")}
    assert shape(graph(thin)) == {("a", "y", 2, "w")}


def test_views_move_once_as_their_tensor() -> None:
    made = program(
        op("a", "x", 5), op("v", "a", moves=True), op("w", "v", moves=True), op("b", "v w", 3),
        op("y", "b a", 2),
    )  # fmt: skip
    assert shape(graph(made)) == {("a", "b", 8, "a"), ("b", "y", 8, "b"), ("a", "y", 8, "a")}


def test_slices_move_by_themselves_unless_their_tensor_goes_to_the_same_task() -> None:
    cut = op("s", "a", moves=True)
    apart = program(op("a", "x", 5), cut, op("b", "s", 3), op("y", "b a", 2), s=4)
    both = program(op("a", "x", 5), cut, op("b", "s a", 3), op("y", "b", 2), s=4)
    assert shape(graph(apart)) == {("a", "b", 4, "s"), ("b", "y", 8, "b"), ("a", "y", 8, "a")}
    assert shape(graph(both)) == {("a", "b", 8, "a"), ("b", "y", 8, "b")}


def test_constants_are_made_by_whoever_reads_them_and_their_parameters_count_once() -> None:
    made = program(
        op("m", "", 0, "mask"), op("t", "m"), op("a", "x t", 5), op("y", "a t", 3, "mask")
    )
    assert {task.id: task.resident for task in graph(made).tasks} == {"a": 100, "y": 0}
    assert shape(graph(made)) == {("a", "y", 8, "a")}
    short, positions = folded(made)
    assert positions == (2, 3)
    assert short.operations[0].parameters == ("mask",)


def test_results_leave_from_where_they_are_made() -> None:
    made = program(op("a", "x", 5), op("r", "a"), op("y", "a", 3), outputs=("y", "r"))
    ends = shape(graph(made, pin=("tier:device",)))
    assert ends == {
        ("input", "a", 8, "x"), ("a", "y", 8, "a"), ("y", "output", 8, "y"),
        ("a", "output", 8, "r"),
    }  # fmt: skip


def test_a_model_without_work_is_one_task_and_one_without_operations_none() -> None:
    assert works(graph(program(op("a", "x"), op("y", "a")))) == {"a": 0}
    with pytest.raises(offload.OffloadError, match="computes nothing from its inputs"):
        contracted(program(outputs=("x",)))


def test_names_tell_modules_and_their_own_operations_apart() -> None:
    made = program(
        op("a", "x", 1, path="net.up"), op("b", "a", 1, path="net"), op("c", "b", 1, path="net.up"),
        op("d", "c", 1), op("y", "d", 1, path="head"),
    )  # fmt: skip
    assert list(works(graph(made))) == ["net.up:a", "net:b", "net.up:c", "d", "head"]


def test_modules_that_are_called_input_keep_their_name_apart_from_the_end() -> None:
    made = program(op("a", "x", 1, path="input"), op("y", "a", 1, path="output"))
    ids = [task.id for task in graph(made, pin=("*",)).tasks]
    assert ids == ["input", "input#2", "output#2", "output"]


def test_training_has_a_twin_beside_each_task_and_gradients_the_other_way() -> None:
    made = program(op("a", "x", 5, "w"), op("i", "a"), op("y", "a i", 3, "v"))
    sizes = {**made.sizes, "i": Size(8.0, gradient=False)}
    weights = {"w": Size(100.0), "v": Size(60.0, gradient=False)}
    made = Program(made.operations, sizes, made.inputs, made.outputs, weights)
    trained = graph(made, pin=("*",), training=True, contiguous=True)
    tasks = {task.id: (task.work, task.resident) for task in trained.tasks}
    assert tasks["backward a"] == (10, 100)
    assert tasks["backward y"] == (6, 0)
    back = [e for e in trained.edges if e.dst.startswith("backward")]
    assert {(e.src, e.dst, e.bytes, e.item) for e in back} == {
        ("output", "backward y", 8, "gradient of y"),
        ("backward y", "backward a", 8, "gradient of a"),
    }
    assert {(group.rule, group.tasks) for group in trained.groups} == {
        ("contiguous", ("a", "y")),
        ("together", ("a", "backward a")),
        ("together", ("y", "backward y")),
    }
    network = Network((Node("n", speed=1.0),), ())
    plan = offload.solve(Problem(network=network, graph=trained), time_limit=5).plan
    assert plan is not None
    assert plan.metrics["latency"] == pytest.approx(3 * (5 + 3))


def test_without_ends_the_backward_pass_begins_after_the_last_task() -> None:
    made = program(op("a", "x", 5), op("y", "a", 3))
    trained = graph(made, training=True)
    assert Edge("y", "backward y") in trained.edges


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs of up to 14 operations over tensors before them, in modules two deep."""
    operations: list[Operation] = []
    sizes = {"x": Size(float(draw(st.integers(1, 9))))}
    for number in range(draw(st.integers(1, 14))):
        reads = draw(st.lists(st.sampled_from(sorted(sizes)), max_size=3, unique=True))
        work = float(draw(st.sampled_from([0, 0, 1, 4])))
        path = ".".join(draw(st.lists(st.sampled_from("pqr"), max_size=2)))
        moves = draw(st.booleans()) and not work
        weights = draw(st.lists(st.sampled_from(["u", "w"]), max_size=1))
        operations.append(op(f"t{number}", " ".join(reads), work, *weights, moves=moves, path=path))
        sizes[f"t{number}"] = Size(float(draw(st.integers(1, 9))))
    weights = {"u": Size(10.0), "w": Size(20.0)}
    outputs = (f"t{len(operations) - 1}",)
    return Program(tuple(operations), sizes, ("x",), outputs, weights)


@given(programs(), st.integers(1, 9), st.booleans(), st.booleans())
def test_no_program_gives_a_cycle_or_loses_work(
    made: Program, blocks: int, training: bool, ends: bool
) -> None:
    if not folded(made)[0].operations:
        return
    pin = ("*",) if ends else None
    found = graph(made, blocks=blocks, training=training, pin=pin, contiguous=True)
    Problem(network=Network((Node("n"),), ()), graph=found)  # refuses cycles
    forward = [task for task in found.tasks if not task.id.startswith("backward ")]
    assert len(forward) - 2 * ends <= blocks
    assert sum(task.work or 0 for task in forward) == sum(o.work for o in made.operations)
    held = sum(task.resident for task in forward if isinstance(task.resident, float))
    kept = folded(made)[0].operations
    used = {name for operation in kept for name in operation.parameters}
    assert held == sum(made.parameters[name].bytes for name in used)


@pytest.mark.parametrize("blocks", range(1, 12))
def test_blocks_are_modules_where_the_number_allows(blocks: int) -> None:
    layers = [f"body.{k // 2}.{'ab'[k % 2]}" for k in range(8)]
    operations = [op(f"t{k}", f"t{k - 1}" if k else "x", 1, path=p) for k, p in enumerate(layers)]
    made = program(*operations, op("y", "t7", 1, path="head"))
    found = works(graph(made, blocks=blocks))
    assert len(found) <= blocks
    wanted = {
        2: ["body", "head"],
        3: ["body.0..body.1", "body.2..body.3", "head"],
        5: ["body.0", "body.1", "body.2", "body.3", "head"],
        9: [*layers, "head"],
    }
    assert list(found) == wanted.get(blocks, list(found))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, "blocks: must be an integer of at least 1, got 0"),
        ({"blocks": 2.5}, "blocks: must be an integer"),
        ({"pin": "tier:device"}, r"write \('tier:device',\)"),
        ({"pin": (1,)}, "pin: must be selectors"),
        ({"pin": ()}, "pin: must be selectors"),
        ({"pin": 7}, "pin: must be selectors"),
        ({"dtype": "float12"}, "dtype: unknown, got 'float12'"),
        ({"dtype": 0}, "dtype: unknown"),
        ({"elementwise": 1}, "elementwise: must be True or False"),
        ({"training": None}, "training: must be True or False"),
    ],
)
def test_options_that_are_wrong_are_named(options: dict[str, object], message: str) -> None:
    right = {
        "blocks": None, "pin": None, "dtype": None, "elementwise": False, "training": False,
        "contiguous": None,
    }  # fmt: skip
    with pytest.raises(offload.OffloadError, match=message):
        checked_options(**{**right, **options})  # type: ignore[arg-type]


def test_types_have_their_bytes() -> None:
    assert [width_of(x) for x in (None, "float16", "torch.bfloat16", "int4", 3)] == [
        None, 2, 2, 0.5, 3,
    ]  # fmt: skip


ABSENT = """
import sys
sys.modules["torch"] = sys.modules["onnx"] = None
import offload
for call in (
    lambda: offload.models.from_torch(object()),
    lambda: offload.models.from_onnx("model.onnx"),
    lambda: offload.models.measure(object()),
    lambda: offload.models.split(object(), (), {}),
):
    try:
        call()
    except offload.SolverUnavailable as error:
        print(error)
"""


def test_without_the_packages_each_function_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ABSENT], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all('pip install "offload[models]"' in line for line in lines)


def test_models_are_an_attribute_that_loads_neither_torch_nor_onnx_nor_numpy() -> None:
    code = (
        "import sys, offload; offload.models.from_torch\n"
        "print({'torch', 'onnx', 'numpy'} & set(sys.modules), 'models' in dir(offload))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "set() True"
