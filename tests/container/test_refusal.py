"""What happens where no container can run: these tests need no engine, only that none is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container import site
from tests.container.engine import ROOT, install_engine
from tests.container.refusal import CannotRunError


@pytest.mark.parametrize(("ci", "code", "outcome"), [("", 0, "1 skipped"), ("true", 1, "1 error")])
def test_not_being_able_to_run_is_a_skip_and_in_ci_a_failure(
    tmp_path: Path, ci: str, code: int, outcome: str
) -> None:
    """On a machine where no engine answers and none can be installed or started."""
    nowhere = {
        "PATH": str(tmp_path / "no-programs"),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine",
        "SINEHIL_CONTAINER_STATE": str(tmp_path / "state"),
    }
    test = "tests/container/test_engine.py::test_a_container_is_gone_after_its_run"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={**nowhere, "HOME": os.environ["HOME"], "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, outcome in done.stdout) == (code, True), done.stdout
    assert "could not run: no container engine answers" in done.stdout


def test_only_root_starts_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(CannotRunError, match="only root"):
        install_engine({})


def test_a_ca_bundle_is_passed_on_only_where_one_is_named(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.touch()
    assert site.build_options({"SSL_CERT_FILE": "/nonexistent"}, tmp_path) == site.run_options({}) == []
    assert f"--volume={bundle}:{site.CA_IN_CONTAINER}:ro" in site.run_options({"PIP_CERT": str(bundle)})
