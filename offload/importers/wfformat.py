"""WfCommons' WfFormat, schema 1.4 to 1.6: runs of workflows, recorded or generated.

Coleman et al. 2022, "WfCommons: a framework for enabling scientific workflow research and
development", and https://github.com/wfcommons/WfFormat. Until 1.4 a task has everything in one
record, and names its parents by their names; from 1.5 on the specification (files, parents) and
the execution (runtimes, machines) are apart, and tasks go by their ids.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
from msgspec import Struct

from offload.errors import NOTHING
from offload.importers.drafts import Draft, Options
from offload.importers.json_reading import decode, wrong
from offload.importers.workflows import Job, workflow
from offload.problem import Amount, Id

__all__ = ["read", "recognises"]

_VERSIONS = ("1.4", "1.5", "1.6")


class _Cpu(Struct):
    speed: Amount | None = None  # MHz, as 1.4 calls it
    speed_in_mhz: Amount | None = msgspec.field(default=None, name="speedInMHz")


class _Machine(Struct):
    cpu: _Cpu | None = None


class _OldFile(Struct, rename="camel"):
    name: Id
    size_in_bytes: Amount
    link: str
    path: str = ""


class _OldTask(Struct, rename="camel"):
    name: Id
    runtime_in_seconds: Amount
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    files: tuple[_OldFile, ...] = ()
    cores: Amount | None = None
    id: str = ""


class _OldWorkflow(Struct):
    tasks: tuple[_OldTask, ...]
    machines: tuple[_Machine, ...] = ()


class _Old(Struct):
    workflow: _OldWorkflow
    name: str = ""
    description: str = ""


class _Task(Struct, rename="camel"):
    id: Id
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    input_files: tuple[str, ...] = ()
    output_files: tuple[str, ...] = ()


class _File(Struct, rename="camel"):
    id: Id
    size_in_bytes: Amount


class _Specification(Struct):
    tasks: tuple[_Task, ...]
    files: tuple[_File, ...] = ()


class _Run(Struct, rename="camel"):
    id: Id
    runtime_in_seconds: Amount
    core_count: Amount | None = None


class _Execution(Struct):
    tasks: tuple[_Run, ...]
    machines: tuple[_Machine, ...] = ()


class _Workflow(Struct):
    specification: _Specification
    execution: _Execution | None = None


class _New(Struct):
    workflow: _Workflow
    name: str = ""
    description: str = ""


class _Version(Struct, rename="camel"):
    schema_version: str


def recognises(text: str) -> bool:
    """Whether a text is a JSON object that has a workflow and the version of its schema."""
    return bool(
        text.lstrip()[:1] == "{"
        and re.search(r'"schemaVersion"\s*:', text)
        and re.search(r'"workflow"\s*:\s*\{', text)
    )


def read(text: str, options: Options) -> Draft:
    """The workflow: tasks with their runtimes, and files as items.

    Raises
    ------
    InstanceError
        With the path of everything that is missing or wrong, for a schema other than 1.4 to 1.6,
        and for a workflow that was not run.
    """
    version = decode(text, _Version).schema_version
    if version not in _VERSIONS:
        fix = "convert it to 1.5 with the tools of WfCommons"
        raise wrong("$.schemaVersion", f"must be one of {', '.join(_VERSIONS)}", version, fix)
    if version == "1.4":
        old = decode(text, _Old)
        draft = _read_old(old.workflow)
        head: Any = old
        machines = old.workflow.machines
    else:
        new = decode(text, _New)
        draft = _read_new(new.workflow)
        head = new
        machines = new.workflow.execution.machines if new.workflow.execution else ()
    # Many names are those of a file long gone, or "workflow-test".
    draft.description = ": ".join(text for text in (head.name, head.description) if text)
    _clock(draft, machines)
    still = sum(task.work == 0 for task in draft.tasks)
    if still:
        draft.notes.append(f"tasks that the file gives a runtime of 0 ({still}) keep it")
    draft.notes.append("the memory that the file says tasks took is left out: its unit varies")
    return draft


def _read_new(found: _Workflow) -> Draft:
    if found.execution is None:
        fix = "only a workflow that was run has runtimes"
        raise wrong("$.workflow.execution", "is required", NOTHING, fix)
    runs = {run.id: run for run in found.execution.tasks}
    sizes = {file.id: file.size_in_bytes for file in found.specification.files}
    base = "$.workflow.specification.tasks"
    jobs = []
    for position, task in enumerate(found.specification.tasks):
        run = runs.get(task.id)
        if run is None:
            fix = "add its run to $.workflow.execution.tasks"
            raise wrong(f"{base}[{position}].id", "names no task that was run", task.id, fix)
        files = []
        for side, names in (("inputFiles", task.input_files), ("outputFiles", task.output_files)):
            for number, name in enumerate(names):
                if name not in sizes:
                    where = f"{base}[{position}].{side}[{number}]"
                    fix = "add it to $.workflow.specification.files"
                    raise wrong(where, "names no file", name, fix)
            files.append({name: sizes[name] for name in names})
        jobs.append(
            Job(
                task.id,
                run.runtime_in_seconds,
                _slots(run.core_count),
                files[0],
                files[1],
                list(task.parents),
            )
        )
    _add_children(jobs, [task.children for task in found.specification.tasks], base)
    return workflow(jobs, lambda position: f"{base}[{position}]")


def _read_old(found: _OldWorkflow) -> Draft:
    base = "$.workflow.tasks"
    by_id = {task.id: task.name for task in found.tasks if task.id}
    names = {task.name for task in found.tasks}
    jobs = []
    for position, task in enumerate(found.tasks):
        files: dict[str, dict[str, float]] = {"input": {}, "output": {}}
        for number, file in enumerate(task.files):
            if file.link not in files:
                where = f"{base}[{position}].files[{number}].link"
                raise wrong(where, "must be 'input' or 'output'", file.link, "write one of them")
            files[file.link][file.path + file.name] = file.size_in_bytes
        parents = [name if name in names else by_id.get(name, name) for name in task.parents]
        jobs.append(
            Job(
                task.name, task.runtime_in_seconds, _slots(task.cores), files["input"],
                files["output"], parents,
            )
        )  # fmt: skip
    children = [
        tuple(name if name in names else by_id.get(name, name) for name in task.children)
        for task in found.tasks
    ]
    _add_children(jobs, children, base)
    return workflow(jobs, lambda position: f"{base}[{position}]")


def _slots(cores: float | None) -> int:
    return max(1, math.ceil(cores or 1))


def _add_children(jobs: list[Job], children: list[tuple[str, ...]], base: str) -> None:
    """Edges that the file gives on the parent's side alone."""
    position = {job.id: i for i, job in enumerate(jobs)}
    for i, names in enumerate(children):
        for k, name in enumerate(names):
            if name not in position:
                raise wrong(f"{base}[{i}].children[{k}]", "names no task", name, "add the task")
            jobs[position[name]].parents.append(jobs[i].id)


def _clock(draft: Draft, machines: tuple[_Machine, ...]) -> None:
    """The speed of the machine that the runtimes are of."""
    clocks = set()
    for machine in machines:
        if machine.cpu is not None:
            clocks.add(machine.cpu.speed_in_mhz or machine.cpu.speed)
    listed = sorted(clock for clock in clocks if clock)
    if not listed:
        draft.notes.append("the file gives no clock for the machine that its runtimes are of")
        return
    draft.speed = listed[-1] * 1e6
    text = (
        f"runtimes are taken as those of a machine of one operation a cycle at {listed[-1]:g} MHz"
    )
    if len(listed) > 1:
        text += (
            f", the highest clock in the file (the lowest is {listed[0]:g}: readings of idle "
            "processors, so that runtimes are not scaled by them)"
        )
    draft.notes.append(text)
