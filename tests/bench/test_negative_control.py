"""The comparison itself can fail: a board with the right identity and constants but wrong arithmetic."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from sinehil.arduino import compile_sketch, prepare_environment, stage_sketch, upload
from sinehil.base.manifest import KERNEL
from sinehil.model.tflite import load_quantized_model
from sinehil_kernels import generate_kernel
from tests.bench.conftest import Bench

pytestmark = pytest.mark.board

RIGHT, WRONG = "[j] + (", "[j] / 2 * 2 + ("


def test_wrong_arithmetic_behind_a_right_identity_fails(virtual: Bench, tmp_path: Path) -> None:
    kernel = generate_kernel(load_quantized_model(virtual.artifacts / "sine_model_quantized.tflite"))
    assert kernel.source.count(RIGHT) == 1
    environment = prepare_environment(str)
    sketch = stage_sketch({KERNEL: kernel.source.replace(RIGHT, WRONG)}, tmp_path)
    upload(
        environment, compile_sketch(environment, sketch, "arduino:avr:uno", tmp_path / "out"), virtual.port
    )
    done = virtual.cli(
        "verify", "--port", virtual.port, *virtual.words(), "--json", "--report", tmp_path / "report"
    )
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["verdict"] == "FAIL" and 0 < document["mismatches"] < document["compared"]
    assert document["max_error_lsb"] >= 1
    assert "PASS" not in (tmp_path / "report" / "report.html").read_text().split("</header>")[0]
    suites = ElementTree.parse(tmp_path / "report" / "junit.xml").getroot()
    assert int(suites.get("failures", "0")) > 0
