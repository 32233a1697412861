"""Split Markdown into blocks that are translated one by one: headings, paragraphs, list items, table rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Block:
    """Lines ``first`` up to ``end`` of a document: ``prefix`` (as "- " or "## ") and ``text``, without line breaks."""

    first: int
    end: int
    prefix: str
    text: str


def blocks(markdown: str) -> list[Block]:
    """Return what can be translated, in order; code in fences and what holds no letter cannot."""
    lines = markdown.splitlines()
    return [block for block in _all_blocks(lines) if any(map(str.isalpha, block.text))]


def translated(markdown: str, translation: Callable[[str], str]) -> str:
    """Return the document with each block's text replaced, one line each; all else stays as it is."""
    lines = markdown.splitlines()
    for block in reversed(blocks(markdown)):
        lines[block.first : block.end] = [block.prefix + translation(block.text)]
    return "\n".join(lines) + ("\n" if markdown.endswith("\n") else "")


def _all_blocks(lines: list[str]) -> Iterator[Block]:
    in_row = False
    for token in _MARKDOWN.parse("\n".join(lines)):
        in_row = token.type == "tr_open" or (in_row and token.type != "tr_close")
        if token.type == "tr_open" or (token.type == "inline" and not in_row):
            yield _block(token, lines)


def _block(token: Token, lines: list[str]) -> Block:
    assert token.map is not None
    first, end = token.map
    text = lines[first].strip() if token.type == "tr_open" else token.content
    start = lines[first].index(text.split("\n", 1)[0])
    return Block(first, end, lines[first][:start], " ".join(text.split()))
