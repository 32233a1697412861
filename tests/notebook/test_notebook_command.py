"""``sinehil notebook`` with the real JupyterLab."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from sinehil.base.folders import resource
from tests.bench.conftest import until
from tests.bench.test_interruption import Run, started
from tests.conftest import Cli

SHIPPED = {"en": "sine_model.ipynb", "ko": "sine_model.ko.ipynb"}
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
WITHOUT_JUPYTERLAB = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "jupyterlab" else real(name, *rest)
from sinehil.cli import main
main(["notebook"])
"""


def first_object(run: Run) -> dict[str, str]:
    """Return the one object on stdout, which ends with the line that closes it."""
    assert run.process.stdout is not None
    text = ""
    for line in run.process.stdout:
        text += line
        if line.rstrip() == "}":
            break
    document: dict[str, str] = json.loads(text)
    return document


def asked(url: str, path: str, data: bytes | None = None) -> bytes:
    """Ask the server that ``url``, with its token, belongs to."""
    server, token = url.split("/lab/tree/")[0], url.split("token=")[1]
    headers = {"Authorization": f"token {token}"}
    with urllib.request.urlopen(urllib.request.Request(f"{server}/{path}", data, headers)) as answer:
        content: bytes = answer.read()
    return content


@pytest.mark.slow
@pytest.mark.parametrize("language", SHIPPED)
@SIGNALS
def test_jupyterlab_serves_the_notebook_until_a_signal_and_leaves_nothing(
    tmp_path: Path, language: str, number: signal.Signals
) -> None:
    name = SHIPPED[language]
    with started("notebook", "--no-browser", "--language", language, cwd=tmp_path) as run:
        told = first_object(run)
        assert told["notebook"] == f"notebook/{name}" and f"/lab/tree/{name}?token=" in told["url"]
        with urllib.request.urlopen(told["url"]) as page:
            assert b"JupyterLab" in page.read()
        served = json.loads(asked(told["url"], f"api/contents/{name}"))["content"]
        assert served["cells"][0]["source"] == first_cell(name)
        kernel = json.loads(asked(told["url"], "api/kernels", b'{"name": "python3"}'))
        until(kernel_runs(told["url"], kernel["id"]), "the kernel")
        ended(run, number)
    assert (tmp_path / "notebook" / name).read_bytes() == shipped(name)


def first_cell(name: str) -> str:
    return "".join(json.loads(shipped(name))["cells"][0]["source"])


def shipped(name: str) -> bytes:
    return resource(f"pipeline/notebooks/{name}").read_bytes()


def kernel_runs(url: str, kernel: str) -> Callable[[], bool]:
    return lambda: json.loads(asked(url, f"api/kernels/{kernel}"))["id"] == kernel


def ended(run: Run, number: signal.Signals) -> None:
    assert len(run.programs()) >= 3  # sinehil, JupyterLab, the kernel: or the check below would show nothing
    run.process.send_signal(number)
    stdout, stderr = run.process.communicate(timeout=60)
    assert run.process.returncode == 130 and stdout == "" and "Traceback" not in stderr, stderr
    until(lambda: not run.programs(), "the end of JupyterLab and its kernel")


@pytest.mark.slow
def test_a_changed_copy_is_kept(tmp_path: Path) -> None:
    copy = tmp_path / "mine" / SHIPPED["en"]
    copy.parent.mkdir()
    changed = shipped(copy.name).replace(b"The sine model", b"My sine model")
    copy.write_bytes(changed)
    with started("notebook", "--no-browser", "--out", "mine", cwd=tmp_path) as run:
        first_object(run)
        run.process.send_signal(signal.SIGINT)
        _, stderr = run.process.communicate(timeout=60)
    assert "yours, kept as it is" in stderr and copy.read_bytes() == changed


def test_without_jupyterlab_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_JUPYTERLAB], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5 and 'pip install "sinehil[notebook]"' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_language_is_a_usage_error(cli: Cli) -> None:
    assert cli("notebook", "--language", "xx").returncode == 2


def test_a_folder_that_cannot_be_written_is_an_artefact_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("notebook", "--no-browser", "--out", tmp_path / "file" / "x")
    assert done.returncode == 6 and "Traceback" not in done.stderr
