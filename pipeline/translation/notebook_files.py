"""Make a Jupyter notebook from its text source: no outputs, and cell ids that change only with their cell."""

import hashlib

import jupytext
import nbformat
from nbformat import NotebookNode

_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def read_percent(text: str) -> NotebookNode:
    """Return the notebook that a percent-format script describes, as nbformat 4.5."""
    notebook = jupytext.reads(text, fmt="py:percent")
    cells = [_cell(cell) for cell in notebook.cells]
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    )


def _cell(cell: NotebookNode) -> NotebookNode:
    new = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}[cell.cell_type]
    made: NotebookNode = new(cell.source, metadata=cell.metadata)
    made.id = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
    return made


def markdown_of(notebook: NotebookNode) -> list[str]:
    """Return the source of every markdown cell."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def notebook_json(notebook: NotebookNode) -> str:
    """Return the .ipynb file; ValidationError if two cells are alike."""
    nbformat.validate(notebook)
    return f"{nbformat.writes(notebook)}\n"
