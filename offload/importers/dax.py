"""Pegasus DAX, the abstract workflows in XML: jobs with runtimes, and files with sizes.

Deelman et al. 2015, "Pegasus, a workflow management system for science automation"; synthetic ones
by Bharathi et al. 2008, "Characterization of scientific workflows". Schemas 2.x (``uses file=``)
and 3.x (``uses name=``) are read.
"""

from __future__ import annotations

from offload.errors import NOTHING
from offload.importers.drafts import Draft, Options, malformed
from offload.importers.words import amount
from offload.importers.workflows import Job, workflow
from offload.importers.xml_reading import Element, parse_xml

__all__ = ["read", "recognises"]


def recognises(text: str) -> bool:
    """Whether a text is a DAX document."""
    return "<adag" in text[:4000]


def read(text: str, options: Options) -> Draft:
    """The workflow: jobs as tasks with their runtimes, and files as items.

    Raises
    ------
    InstanceError
        With the line: for what is no DAX, for a job without a runtime, for a parent or a child that
        is no job, for two jobs of one id, and for a cycle.
    """
    root = parse_xml(text, "adag")
    elements = list(root.all("job"))
    jobs = [_job(element) for element in elements]
    first: dict[str, Element] = {}
    for element in elements:
        if (other := first.setdefault(element.get("id"), element)) is not element:
            fix = f"already used in line {other.line}; give it another"
            raise malformed(element.line, "duplicate id", element.get("id"), fix)
    position = {job.id: i for i, job in enumerate(jobs)}
    for child in root.all("child"):
        name = _known(child, position)
        parents = jobs[position[name]].parents
        parents += [_known(parent, position) for parent in child.all("parent")]
    draft = workflow(jobs, lambda i: f"line {elements[i].line}")
    name = root.attributes.get("name", "")
    draft.description = name if name != "test" else ""
    draft.notes.insert(0, "runtimes are seconds, sizes bytes")
    return draft


def _job(element: Element) -> Job:
    name = element.get("id")
    runtime = element.attributes.get("runtime")
    line = element.line
    for profile in element.all("profile"):
        if runtime is None and profile.attributes.get("key") == "runtime":
            runtime, line = profile.text.strip(), profile.line
    if runtime is None:
        raise malformed(element.line, "<job> must have a runtime", NOTHING, 'write runtime="1.5"')
    job = Job(name, amount(runtime, line, "runtime"))
    for uses in element.all("uses"):
        file = uses.attributes.get("file") or uses.get("name")
        size = amount(uses.get("size"), uses.line, "size")
        link = uses.get("link").lower()
        if link not in ("input", "output", "inout", "none"):
            raise malformed(uses.line, "link must be input, output or inout", link, "write one")
        if link in ("input", "inout"):
            job.inputs.setdefault(file, size)
        if link in ("output", "inout"):
            job.outputs.setdefault(file, size)
    return job


def _known(element: Element, position: dict[str, int]) -> str:
    name = element.get("ref")
    if name not in position:
        raise malformed(element.line, f"<{element.tag}> names no job", name, "add the job")
    return name
