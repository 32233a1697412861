"""The main job on a board: the same bodies for a virtual Uno and, with --port, for a real one."""

import json
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sinehil.board import locks as port_lock
from tests.bench.conftest import Bench, until
from tests.serial_over_tcp import SCHEMES, bridged

pytestmark = pytest.mark.board


def test_exhaustive_verify_passes_and_says_what_it_compared(flashed: Bench, tmp_path: Path) -> None:
    report = tmp_path / "report"
    done = flashed.cli("verify", "--port", flashed.port, *flashed.words(), "--json", "--report", report)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "PASS" and document["mismatches"] == 0 and document["max_error_lsb"] == 0
    assert (
        document["compared"] >= 256 + 510
        and document["oracle"] == "litert"
        and document["mode"] == "exhaustive"
    )
    assert 0 < document["sine"]["mae"] <= document["sine"]["rmse"] <= document["sine"]["max_abs_error"] < 0.3
    assert document["link"]["frames"] > 10 and document["device"]["board"] == "uno"
    assert {path.name for path in report.iterdir()} == {"report.html", "report.json", "junit.xml"}
    suites = ElementTree.parse(report / "junit.xml").getroot()
    assert suites.get("failures") == "0" and int(suites.get("tests", "0")) > 0


def test_the_200_test_samples_pass(flashed: Bench) -> None:
    done = flashed.cli("verify", "--port", flashed.port, *flashed.words(), "--mode", "test-set", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["compared"] == 200


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_board_behind_tcp_passes(victim: Bench, scheme: str) -> None:
    with bridged(victim.port, scheme) as url:
        done = victim.cli("verify", "--port", url, "--json", *victim.words())
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["verdict"], result["port"], result["compared"]) == ("PASS", url, 790)


def test_samples_are_shown_one_by_one(flashed: Bench) -> None:
    done = flashed.cli(
        "verify", "--port", flashed.port, *flashed.words(), "--mode", "samples", "--samples", 7
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[:10].strip().replace(".", "").isdigit()]
    assert len(lines) == 7 and "DIFFERS" not in done.stdout


def holds_what_the_board_counted(counters: dict[str, int]) -> bool:
    """The Uno has 2048 bytes of RAM."""
    none_lost = {"ring_overruns": 0, "uart_overruns": 0, "framing_errors": 0}
    return counters == none_lost | {"least_free_ram_bytes": counters["least_free_ram_bytes"]} and (
        500 < counters["least_free_ram_bytes"] < 2048
    )


def test_bench_measures_cycles_and_wire(flashed: Bench) -> None:
    done = flashed.cli("bench", "--port", flashed.port, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert 100 < document["cycles_per_inference"] <= document["cycles_max"] < 60_000
    assert document["wire"]["codes"]["bytes_per_value"] < document["wire"]["floats"]["bytes_per_value"] < 40
    assert holds_what_the_board_counted(document["counters"])
    done = flashed.cli("bench", "--port", flashed.port)
    assert "counted by the board: " in done.stdout and "0 overruns, 0 framing errors" in done.stdout


def test_verify_reports_what_the_board_counted(flashed: Bench) -> None:
    done = flashed.cli("verify", "--port", flashed.port, "--json", *flashed.words())
    assert holds_what_the_board_counted(json.loads(done.stdout)["counters"]), done.stderr


def test_firmware_fits_its_budget(flashed: Bench) -> None:
    done = flashed.cli("compile", *flashed.words(), "--json")
    document = json.loads(done.stdout)
    assert document["flash_bytes"] <= 9_000 and document["ram_bytes"] <= 700
    assert Path(document["hex"]).exists()


def test_the_artefact_folder_has_the_kernel_in_c(flashed: Bench, tmp_path: Path) -> None:
    done = flashed.cli("sketch", "--out", tmp_path, "--artifacts", flashed.artifacts)
    assert done.returncode == 0, done.stderr
    staged = tmp_path / "arduino_sketch" / "sinehil_kernel.c"
    assert staged.read_bytes() == (flashed.artifacts / "sinehil_kernel.c").read_bytes()


def test_board_list_names_the_board(flashed: Bench) -> None:
    done = flashed.cli("ports", "--json")
    ports = {port["address"]: port for port in json.loads(done.stdout)["ports"]}
    assert ports[flashed.port]["name"] == "Arduino UNO" and ports[flashed.port]["fqbn"] == "arduino:avr:uno"


def test_flash_says_under_which_name_the_board_is_now(virtual: Bench) -> None:
    """And has let go of its device before, whose number may be another board's when this one comes back."""
    assert virtual.control is not None
    lock = port_lock._name(virtual.port)
    control, moved = virtual.control, str(Path(virtual.port).with_name("uno-moved"))
    control.unplug_after_upload()
    control.rename("uno-moved")
    with ThreadPoolExecutor() as threads:
        flashing = threads.submit(virtual.cli, "flash", "--port", virtual.port, *virtual.words(), "--json")
        until(lambda: flashing.done() or port_lock._holder(lock) is not None, "its lock")
        flasher = port_lock._holder(lock)
        until(lambda: flashing.done() or not control.stats().plugged, "the end of the upload")
        until(lambda: flashing.done() or port_lock._holder(lock) != flasher, "the end of its lock")
        control.plug()
    assert f"the board is on {moved} now" in flashing.result().stderr
    document = json.loads(flashing.result().stdout)
    assert (document["port"], document["requested_port"]) == (moved, virtual.port)
    again = virtual.cli("flash", "--port", moved, *virtual.words(), "--json")
    assert json.loads(again.stdout)["port"] == moved and "now" not in again.stderr
    assert virtual.cli("verify", "--port", moved, *virtual.words()).returncode == 0


@pytest.mark.slow
def test_flash_says_that_a_board_did_not_come_back(virtual: Bench) -> None:
    assert virtual.control is not None
    virtual.control.unplug_after_upload()
    done = virtual.cli("flash", "--port", virtual.port, *virtual.words(), "--json")
    assert done.returncode == 3, done.stderr
    error = json.loads(done.stdout)["error"]
    assert f"the board on {virtual.port} did not come back" in error["message"] and error["next_step"]


def test_sketch_for_the_ide_is_whole(flashed: Bench, tmp_path: Path) -> None:
    done = flashed.cli("sketch", "--out", tmp_path, "--artifacts", flashed.artifacts)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "arduino_sketch").iterdir()}
    assert {"arduino_sketch.ino", "sinehil_kernel.c", "sketch.yaml"} <= names


def test_doctor_finds_every_tool(flashed: Bench) -> None:
    done = flashed.cli("doctor", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["ok"]
