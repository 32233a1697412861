"""A board, a port and an interpreter whose every name is an attack, in a real browser; and the same unescaped."""

import re
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
import report_cases as cases
from tests.html_page import Page, chromium

from sinehil.report import html_parts as html
from sinehil.report import svg
from sinehil.report.report_page import page_html
from sinehil.verify.result import VerifyResult

pytestmark = pytest.mark.slow

RUN = "document.documentElement.dataset.owned=1"
ATTACKS = {
    "script": f"</title></style></text></svg></td></caption><script>{RUN}</script>",
    "handler": f"\"'><img src=x onerror=\"{RUN}\"><svg onload='{RUN}'>",
    "attribute": f"x\" onfocus=\"{RUN}\" autofocus tabindex=1 x=\"",
    "address": f"<a href=\"javascript:{RUN}\">x</a><iframe src=\"javascript:parent.{RUN}\"></iframe>",
    "comment": f"--><!--><script>{RUN}</script>]]>{{{{ 7 * 7 }}}}{{% raw %}}&lt;script&gt;",
    "order": "\u202egnp.\u2066exe\u200b\x00\x1b[31m",
}  # fmt: skip


def attacked(attack: str) -> VerifyResult:
    return cases.hostile(cases.exhaustive(cases.wrong_net), attack)


def seen(source: str, folder: Path) -> str:
    """Return the page's elements after a browser has loaded it and run what it would."""
    folder.mkdir()
    (folder / "page.html").write_text(source, encoding="utf-8", errors="surrogateescape")
    page = (folder / "page.html").as_uri()
    return chromium("--virtual-time-budget=2000", "--dump-dom", page, profile=folder / "profile")


def test_every_attack_is_text_in_a_browser(tmp_path: Path) -> None:
    """All at once: each name of the board is another."""
    text = iter(ATTACKS.values())
    result = attacked(next(text))
    names = ("firmware", "board", "engine", "oracle", "model_sha256")
    identity = replace(result.identity, **{name: next(text, ATTACKS["script"]) for name in names})
    source = page_html(replace(result, identity=identity, oracle_version=ATTACKS["handler"]))
    dom = seen(source, tmp_path / "escaped")
    page = Page(re.sub(r"<(path|rect|line|circle|br|hr|col)\b([^>]*[^/])>(</\1>)?", r"<\1\2/>", dom))
    assert not {"script", "img", "iframe", "a"} & set(page.tags) and "data-owned" not in dom.split(">")[1]
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for name in ("script", "handler", "attribute", "address", "comment"):
        assert ATTACKS[name] in page.text
    assert "\\u202egnp.\\u2066exe\\u200b\\x00\\x1b[31m" in page.text
    assert not set("\u202e\u2066\u200b\x00\x1b") & set(dom)


@pytest.fixture
def unescaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pages by the same templates, with escaping off."""
    right = html._environment

    def careless(package: str) -> jinja2.Environment:
        found = right.__wrapped__(package)
        found.autoescape, found.finalize = False, lambda value: value
        return found

    monkeypatch.setattr(html, "_environment", careless)
    monkeypatch.setattr(svg, "visible", lambda text: text)


@pytest.mark.usefixtures("unescaped")
@pytest.mark.parametrize("attack", ["script", "handler"])
def test_without_escaping_the_attack_runs_and_the_policy_alone_would_stop_it(
    attack: str, tmp_path: Path
) -> None:
    """Two controls: what the browser test would see, and that a page has a second line of defence."""
    source = page_html(attacked(ATTACKS[attack]))
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    assert bare != source
    assert 'data-owned="1"' in seen(bare, tmp_path / "bare")
    assert 'data-owned="1"' not in seen(source, tmp_path / "policy")
