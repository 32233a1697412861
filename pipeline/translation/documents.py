"""List the documents and their languages, and generate each translation."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from translation.blocks import blocks, translated
from translation.catalogue import read_catalogue, renewed_catalogue, require_all
from translation.notebook_files import markdown_of, notebook_json, read_percent

LANGUAGE = "ko"
NOTEBOOKS = Path("pipeline/notebooks")
CATALOGUES = Path("pipeline/translation")

Translate = Callable[[str], str]


@dataclass(frozen=True)
class Document:
    """An English ``source``, its ``catalogue``, the ``targets`` in each language; all from the repository's root."""

    source: Path
    catalogue: Path
    targets: dict[str, Path]
    texts: Callable[[str], list[str]]
    generate: Callable[[str, Translate], str]


def _markdown_texts(source: str) -> list[str]:
    return [block.text for block in blocks(source)]


def _notebook_texts(source: str) -> list[str]:
    return list(chain.from_iterable(map(_markdown_texts, markdown_of(read_percent(source)))))


def _notebook(source: str, translate: Translate) -> str:
    notebook = copy.deepcopy(read_percent(source))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = translated(cell.source, translate)
    return notebook_json(notebook)


DOCUMENTS = (
    Document(
        Path("README.md"),
        CATALOGUES / "README.ko.po",
        {LANGUAGE: Path("README.ko.md")},
        _markdown_texts,
        translated,
    ),
    Document(
        NOTEBOOKS / "sine_model.py",
        CATALOGUES / "sine_model.ko.po",
        {"en": NOTEBOOKS / "sine_model.ipynb", LANGUAGE: NOTEBOOKS / "sine_model.ko.ipynb"},
        _notebook_texts,
        _notebook,
    ),
)


def renew_catalogues(root: Path) -> None:
    """Give every catalogue the blocks of its source: new ones untranslated, unused ones taken out."""
    for document in DOCUMENTS:
        path = root / document.catalogue
        texts = document.texts((root / document.source).read_text("utf-8"))
        path.write_text(renewed_catalogue(path, texts, LANGUAGE), "utf-8")


def generated_files(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield path and content of every generated file; ArtefactError names a block without a translation."""
    for document in DOCUMENTS:
        source = (root / document.source).read_text("utf-8")
        translations = read_catalogue(root / document.catalogue)
        require_all(document.texts(source), translations, document.catalogue)
        for language, target in document.targets.items():
            translate = translations.__getitem__ if language == LANGUAGE else _as_it_is
            yield target, document.generate(source, translate)


def stale_files(root: Path) -> list[Path]:
    """Return the generated files that are not what their sources give; ArtefactError as above."""
    return [path for path, text in generated_files(root) if _content(root / path) != text]


def _content(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def _as_it_is(text: str) -> str:
    return text
