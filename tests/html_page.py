"""A page as tests see it: parsed, and in a real browser."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

HOSTILE = "<script>document.title='owned'</script>\"><img src=x onerror=\"document.title='owned'\">\x00\x1b\u202e\udc80"
VOID = {"meta", "img", "link", "br", "input"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


class Page(HTMLParser):
    """The elements, attributes and visible text of a page; checks that tags are balanced."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open

    def loads(self) -> list[str]:
        """Return what could load or run something."""
        tags = {"script", "img", "link", "iframe", "object", "embed", "base", "form"} & set(self.tags)
        return [*tags, *(name for name, _ in self.attributes if name in LOADING or name.startswith("on"))]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def chromium(*arguments: str, profile: Path) -> str:
    program = shutil.which("chromium")
    assert program, "the browser test needs Debian's chromium"
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    )
    command = [
        program,
        *quiet.split(),
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
    ]
    run = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True, timeout=120)
    return run.stdout


PHONE_WIDTH = 390
PROBE = """<!doctype html><iframe id="f" src="PAGE" width="390" height="900"></iframe><p id="p"></p><script>
document.getElementById("f").onload = (event) => {
  const page = event.target.contentDocument, root = page.documentElement;
  const margin = event.target.contentWindow.getComputedStyle(page.body).marginTop;
  document.getElementById("p").textContent = `WIDTH ${root.scrollWidth} MARGIN ${margin}`;
};</script>"""


def on_a_phone(page: Path) -> tuple[int, str]:
    """Return how wide ``page`` gets in a frame of a phone's width, and its body's margin."""
    probe = page.with_name("probe.html")
    probe.write_text(PROBE.replace("PAGE", page.name))
    allow = "--allow-file-access-from-files"
    dom = chromium(allow, "--dump-dom", probe.as_uri(), profile=page.with_name("phone"))
    found = re.search(r"WIDTH (\d+) MARGIN (\w+)", dom)
    assert found, dom[-300:]
    return int(found[1]), found[2]
