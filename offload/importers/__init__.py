"""Foreign formats that become instances: one module a format, one line in the table below.

A module has two functions: ``recognises(text)``, whether a file's text is probably of the format,
and ``read(text, options)``, which makes a :class:`~offload.importers.drafts.Draft` of it or raises
``InstanceError`` with the line (or the path inside the document) that is wrong. Each assumption it
makes goes into ``Draft.notes``, and so into the instance's ``source``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from offload.errors import OffloadError
from offload.importers.drafts import Draft, Options
from offload.typechecks import close

__all__ = ["FORMATS", "Format", "detect", "named"]


@dataclass(frozen=True)
class Format:
    """A format: its name, what it is, the endings of its files, and the module that reads it."""

    name: str
    title: str
    endings: tuple[str, ...]
    module: str

    def recognises(self, text: str) -> bool:
        """Whether a file's text is probably of this format."""
        found = cast("Callable[[str], bool]", importlib.import_module(self.module).recognises)
        return found(text)

    def read(self, text: str, options: Options) -> Draft:
        """What a file says."""
        found = cast("Callable[[str, Options], Draft]", importlib.import_module(self.module).read)
        return found(text, options)


FORMATS = (
    Format("stg", "Standard Task Graph Set", (".stg",), "offload.importers.stg"),
)  # fmt: skip


def named(name: str) -> Format:
    """The format of a name.

    Raises
    ------
    OffloadError
        If there is none; names the closest.
    """
    for form in FORMATS:
        if form.name == name:
            return form
    names = [form.name for form in FORMATS]
    fix = close(name, names, "name one of them")
    raise OffloadError(f"format: must be one of {', '.join(names)}, got {name!r}; {fix}")


def detect(name: str, text: str) -> Format:
    """The format of a file, by its ending and then by its text.

    Raises
    ------
    OffloadError
        If no format recognises it.
    """
    ending = [form for form in FORMATS if name.removesuffix(".gz").endswith(form.endings)]
    for form in [*ending, *(form for form in FORMATS if form not in ending)]:
        if form.recognises(text):
            return form
    names = ", ".join(form.name for form in FORMATS)
    raise OffloadError(
        f"{name}: not recognised as any format ({names}); name its format, as in --format stg"
    )
