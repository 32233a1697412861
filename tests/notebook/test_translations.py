"""The notebooks and README.ko.md against what they are made from."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from sinehil.base.folders import resource
from sinehil.errors import ArtefactError
from translation.blocks import blocks, translated
from translation.catalogue import read_catalogue
from translation.documents import DOCUMENTS, generated_files, renew_catalogues, stale_files

ROOT = Path(__file__).parents[2]
SOURCE = Path("pipeline/notebooks/sine_model.py")
ENGLISH, KOREAN = (Path(f"pipeline/notebooks/sine_model{part}.ipynb") for part in ("", ".ko"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of sources, catalogues and generated files, to be changed."""
    for document in DOCUMENTS:
        for path in (document.source, document.catalogue, *document.targets.values()):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]


def test_generated_files_are_up_to_date() -> None:
    assert stale_files(ROOT) == [], "run `make translations`"


@pytest.mark.parametrize(
    ("path", "old"), [(SOURCE, "Now, and only now, the test data."), (Path("README.md"), "## Recipes")]
)
def test_a_changed_english_block_without_a_translation_is_named(tree: Path, path: Path, old: str) -> None:
    replace(tree / path, old, f"{old} Changed")
    renew_catalogues(tree)
    with pytest.raises(ArtefactError, match=f"1 blocks have no translation.*{old.lstrip('# ')} Changed"):
        stale_files(tree)
    catalogue = next(document.catalogue for document in DOCUMENTS if document.source == path)
    assert f'\n#~ msgid "{old.lstrip("# ")}"\n' in (tree / catalogue).read_text("utf-8")


def test_a_changed_code_cell_makes_both_notebooks_stale(tree: Path) -> None:
    replace(tree / SOURCE, "epochs=1000", "epochs=999")
    assert stale_files(tree) == [ENGLISH, KOREAN]


def test_a_changed_generated_file_is_stale(tree: Path) -> None:
    replace(tree / "README.ko.md", "# sinehil\n", "# sinehil!\n")
    assert stale_files(tree) == [Path("README.ko.md")]


def test_renewing_a_complete_catalogue_changes_nothing(tree: Path) -> None:
    renew_catalogues(tree)
    for document in DOCUMENTS:
        assert (tree / document.catalogue).read_bytes() == (ROOT / document.catalogue).read_bytes()


def test_the_notebooks_differ_in_their_text_alone() -> None:
    english, korean = (json.loads((ROOT / path).read_text("utf-8")) for path in (ENGLISH, KOREAN))
    assert cells(ROOT / ENGLISH, "code") == cells(ROOT / KOREAN, "code")
    assert [cell["id"] for cell in english["cells"]] == [cell["id"] for cell in korean["cells"]]
    assert all(not cell["outputs"] for cell in cells(ROOT / ENGLISH, "code"))
    assert cells(ROOT / ENGLISH, "markdown") != cells(ROOT / KOREAN, "markdown")


def test_code_and_commands_are_the_same_in_both_readmes() -> None:
    fences = [re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE) for text in readmes()]
    assert len(fences[0]) > 5 and fences[0] == fences[1]


def test_exit_codes_and_links_are_the_same_in_both_readmes() -> None:
    for pattern in (r"^\| (\d+) \|", r"\]\(((?!README|#)[^)]*)\)"):
        english, korean = (re.findall(pattern, text, re.MULTILINE) for text in readmes())
        assert english and sorted(english) == sorted(korean)


@pytest.mark.parametrize("index", [0, 1])
def test_links_within_a_readme_lead_to_a_heading(index: int) -> None:
    text = readmes()[index]
    headings = {anchor(line) for line in re.findall(r"^#+ (.*)", text, re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]*)\)", text))
    assert links and links <= headings


def test_every_code_span_of_a_translation_is_one_of_the_original() -> None:
    for document in DOCUMENTS:
        for english, korean in read_catalogue(ROOT / document.catalogue).items():
            assert set(code_spans(korean)) == set(code_spans(english)), english


def test_markup_of_translations_is_understood_as_markup() -> None:
    """CommonMark wants more around ``**`` than Korean particles give."""
    for document in DOCUMENTS:
        for korean in read_catalogue(ROOT / document.catalogue).values():
            assert not stray_markup(korean), korean
    assert stray_markup("**PASS(통과)**는")


def test_blocks_are_found_in_every_kind_of_markdown() -> None:
    text = "# A\nb\nc\n\n- d\n  e\n- f\n\n> g\n> h\n\n```sh\ni\n```\n| j | k |\n|---|---|\n| 1 | 2 |\n| l | m |\n"
    found = [(block.prefix, block.text) for block in blocks(text)]
    assert found == [
        ("# ", "A"),
        ("", "b c"),
        ("- ", "d e"),
        ("- ", "f"),
        ("> ", "g h"),
        ("", "| j | k |"),
        ("", "| l | m |"),
    ]
    assert translated(text, str.upper) == (
        "# A\nB C\n\n- D E\n- F\n\n> G H\n\n```sh\ni\n```\n| J | K |\n|---|---|\n| 1 | 2 |\n| L | M |\n"
    )


def test_generated_files_are_what_the_package_ships() -> None:
    paths = {path for path, _ in generated_files(ROOT) if path.suffix == ".ipynb"}
    assert paths == {ENGLISH, KOREAN} and all(resource(str(path)).is_file() for path in paths)


def readmes() -> tuple[str, str]:
    return (ROOT / "README.md").read_text("utf-8"), (ROOT / "README.ko.md").read_text("utf-8")


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def code_spans(text: str) -> Iterator[str]:
    for token in MarkdownIt().parseInline(text)[0].children or []:
        if token.type == "code_inline":
            yield token.content


def stray_markup(text: str) -> bool:
    children = MarkdownIt().parseInline(text)[0].children or []
    return any("**" in token.content or "`" in token.content for token in children if token.type == "text")
