"""report.html: one file that loads nothing, and in which every figure comes from the result."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import report_cases as cases
from tests.html_page import HOSTILE, PHONE_WIDTH, Page, chromium, on_a_phone

from sinehil.report.report_page import page_html
from sinehil.verify.result import BoardCounters, Cycles, Distance, FirmwareSize, LinkStatistics, VerifyResult

RESULTS = {
    "pass": cases.exhaustive(),
    "fail": cases.exhaustive(cases.wrong_net),
    "samples": cases.samples(12),
    "one": cases.samples(1),
    "none": cases.samples(0),
    "cos": cases.for_cos(cases.exhaustive()),
    "from a file": cases.from_a_file(cases.exhaustive()),
    "not finite": cases.with_device_y(cases.exhaustive(), {2: np.nan, 3: np.inf, 4: -np.inf, 5: 3e38}),
    "hostile": cases.hostile(cases.exhaustive(cases.wrong_net), HOSTILE),
}


@pytest.mark.parametrize("name", RESULTS)
def test_the_page_is_whole_and_loads_nothing(name: str) -> None:
    page = Page(page_html(RESULTS[name]))
    assert page.loads() == []
    identifiers = [value for key, value in page.attributes if key == "id"]
    assert len(identifiers) == len(set(identifiers))
    assert page.tags.count("title") > page.tags.count("desc") > 0
    assert not re.search(r"\b(nan|inf)\b", " ".join(value for key, value in page.attributes if key == "d"))


@pytest.mark.parametrize("source", ['<img src="x">', "<script></script>", '<p onclick="x"></p>'])
def test_a_page_that_loads_something_is_noticed(source: str) -> None:
    assert Page(source).loads()


def test_the_style_loads_nothing() -> None:
    assert not re.search(r"url\(|@import|https?:", page_html(RESULTS["pass"]))


@pytest.mark.parametrize("name", ["fail", "none", "not finite", "hostile"])
def test_no_page_of_a_failed_run_says_pass(name: str) -> None:
    source = page_html(RESULTS[name])
    assert "FAIL" in source
    assert "PASS" not in source
    assert 'class="banner fail"' in source and 'class="banner pass"' not in source


def test_one_differing_bit_turns_the_page() -> None:
    passed = RESULTS["pass"]
    assert "PASS" in page_html(passed) and "FAIL" not in page_html(passed)
    value = np.nextafter(passed.floats.device_y[100], np.float32(9))
    assert "FAIL" in page_html(cases.with_device_y(passed, {100: float(value)}))


CHANGES: dict[str, tuple[VerifyResult, str]] = {
    "frames": (replace(RESULTS["pass"], link=LinkStatistics(4321, 0, 0)), "4,321"),
    "retries": (replace(RESULTS["pass"], link=LinkStatistics(61, 977, 0)), "977"),
    "crc errors": (replace(RESULTS["pass"], link=LinkStatistics(61, 0, 978)), "978"),
    "elapsed": (replace(RESULTS["pass"], elapsed_s=9.876), "9.876 s"),
    "cycles": (replace(RESULTS["pass"], cycles=Cycles(1600.0, 3201, 16_000_000)), "100.0 \u00b5s"),
    "counters": (replace(RESULTS["pass"], counters=BoardCounters(1234, 0, 0, 0)), "1,234 bytes"),
    "flash": (replace(RESULTS["pass"], firmware=FirmwareSize(16128, 32256, 9, 2048)), "50.0 %"),
    "sine": (replace(RESULTS["pass"], distance=Distance(0.4321, 0.01, 0.01)), "0.4321"),
    "port": (replace(RESULTS["pass"], port="socket://rig7:3333"), "socket://rig7:3333"),
    "oracle version": (replace(RESULTS["pass"], oracle_version="9.8.7"), "LiteRT 9.8.7"),
    "output scale": (
        replace(RESULTS["pass"], identity=replace(RESULTS["pass"].identity, output_scale=0.03125)),
        "0.03125",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_number_comes_from_the_result(name: str) -> None:
    changed, shown = CHANGES[name]
    assert shown in Page(page_html(changed)).text
    assert shown not in Page(page_html(RESULTS["pass"])).text


def test_the_curves_come_from_the_result() -> None:
    def curves(result: VerifyResult) -> list[str]:
        return re.findall(r'class="device" d="([^"]{200,})"', page_html(result))

    passed, failed = curves(RESULTS["pass"]), curves(RESULTS["fail"])
    assert len(passed) == len(failed) == 4
    assert not set(passed) & set(failed)


def test_the_page_speaks_of_the_target_that_the_model_was_made_for() -> None:
    cos, sin = (Page(page_html(RESULTS[name])).text for name in ("cos", "pass"))
    assert "largest distance from cos x" in cos and "Board minus cos x" in cos and "sin x" not in cos
    assert "largest distance from sin x" in sin and "cos x" not in sin, "the control"


def test_where_no_function_is_known_the_page_says_so_and_shows_no_distance() -> None:
    source = page_html(RESULTS["from a file"])
    text = Page(source).text
    assert "no function is known" in text and "distance from" not in text and "sin x" not in text
    assert 'class="target"' not in source and 'class="target"' in page_html(RESULTS["pass"])
    assert source.count("<figure") == page_html(RESULTS["pass"]).count("<figure") - 1


@pytest.mark.parametrize("name", RESULTS)
def test_no_tile_stands_beside_a_gap(name: str) -> None:
    """Four stand in a row, unless the style has a rule for just so many."""
    source = page_html(RESULTS[name])
    ((count, list_of_tiles),) = re.findall(r'<dl class="tiles of-(\d)".*?>(.*?)</dl>', source, re.DOTALL)
    assert list_of_tiles.count("<dt>") == int(count)
    assert int(count) % 4 == 0 or f".tiles.of-{count} {{" in source


def test_mismatches_come_first_and_at_most_fifty() -> None:
    source = page_html(RESULTS["fail"])
    assert source.index("What differs") < source.index(">Plots<")
    assert source.count('<tr><th scope="row">code ') + source.count('<tr><th scope="row">x ') == 50
    assert "and 199 more" in source


def test_hostile_strings_are_shown_as_text() -> None:
    page = Page(page_html(RESULTS["hostile"]))
    assert "<script>document.title='owned'</script>" in page.text
    assert "\\x00\\x1b\\u202e\\udc80" in page.text


@pytest.mark.slow
def test_a_browser_runs_nothing_of_a_hostile_board(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_html(RESULTS["hostile"]), encoding="utf-8")
    dom = Page(chromium("--dump-dom", page.as_uri(), profile=tmp_path / "profile"))
    assert not {"script", "img"} & set(dom.tags)
    assert dom.text.lstrip().startswith("FAIL: <script>")
    bare = tmp_path / "bare.html"
    bare.write_text(f"<!doctype html><title>x</title><p>{HOSTILE[:-1]}</p>", encoding="utf-8")
    assert "<title>owned</title>" in chromium("--dump-dom", bare.as_uri(), profile=tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pass", "fail", "samples", "hostile"])
def test_a_phone_needs_no_sideways_scrolling_and_the_style_applies(name: str, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(page_html(RESULTS[name]), encoding="utf-8")
    width, margin = on_a_phone(page)
    assert width <= PHONE_WIDTH and margin == "0px"


@pytest.mark.slow
def test_a_page_too_wide_for_a_phone_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text('<!doctype html><p style="width: 500px">x</p>')
    width, margin = on_a_phone(page)
    assert width > PHONE_WIDTH and margin == "8px"
