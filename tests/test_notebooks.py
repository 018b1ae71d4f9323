"""Notebooks: as they are committed, and what the library shows in a kernel.

``pytest --nbmake notebooks/`` runs the notebooks themselves.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STRIP = "pip install nbstripout && nbstripout notebooks/*.ipynb"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_what_running_it_leaves(path: Path) -> None:
    book = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    assert book.cells[0].source.startswith("# "), "a title"
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code), STRIP
    assert [cell.id for cell in book.cells] == [str(n) for n in range(len(book.cells))], STRIP


def test_a_notebook_asks_a_question_and_answers_it() -> None:
    assert len(NOTEBOOKS) == 8
    for path in NOTEBOOKS:
        book = nbformat.read(path, as_version=4)
        texts = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
        assert "**Question.**" in texts[0], path.name
        assert texts[-1].startswith("## Answer"), path.name


def test_the_readme_and_the_overview_name_every_notebook() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"notebooks/{path.name}" not in readme] == []


def test_progress_and_pictures_are_shown_under_the_cell_of_a_notebook(
    tmp_path: Path, instances: Path
) -> None:
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    problem = instances / "topcuoglu-2002.json"
    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_code_cell(source)
        for source in (
            f"import offload\nproblem = offload.load({str(problem)!r})\n"
            "result = offload.solve(problem, progress=True)",
            "result.plan.plot_gantt();",
            "import asyncio\n"
            "await asyncio.to_thread(offload.solve, problem, 'heft', progress=True);",
            "offload.batch(problem, 'heft', 'out', progress=True);",
        )
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter itself
        nbclient.NotebookClient(book, resources={"metadata": {"path": tmp_path}}).execute()
    solved, picture, awaited, batch = (shown(cell) for cell in book.cells)
    assert "s  auto  objective 73 s  bound 73 s  gap 0 %" in solved["text/html"]
    assert picture["image/png"]
    assert "s  heft  objective 80 s" in awaited["text/html"]
    assert "━━━━━━━━━━━━━━━━━━━━  1 of 1 solved" in batch["text/html"]


def shown(cell: Any) -> dict[str, str]:
    """The only thing that stands under a cell, as it is at the end."""
    (output,) = cell.outputs
    return dict(output["data"])
