"""What the engine promises to the other container tests."""

from dataclasses import replace
from pathlib import Path

import pytest

from sinehil.errors import ToolError
from tests.container.engine import LABEL, Engine

pytestmark = [pytest.mark.extended, pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]

OFFLINE = ("--network=none",)
SECRET_WORDS = "not to be found in an image"
DOCKERFILE = f"""\
ARG BASE_IMAGE
FROM ${{BASE_IMAGE}}
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=pip_conf \\
    grep -q '{SECRET_WORDS[:5]}' /run/secrets/ca_bundle && grep -q ^cert /run/secrets/pip_conf
"""


def containers(engine: Engine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--filter", f"label={engine.label}").stdout.split()


def test_a_container_is_gone_after_its_run(engine: Engine, base_image: str) -> None:
    done = engine.run(base_image, "sh", "-c", "echo out; echo err >&2; exit 3", options=OFFLINE, check=False)
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    with pytest.raises(AssertionError, match="exit code 1"):
        engine.run(base_image, "false", options=OFFLINE)
    with pytest.raises(ToolError, match="did not finish"):
        engine.run(base_image, "sleep", "infinity", options=OFFLINE, timeout_s=2.0)
    assert containers(engine) == []


def test_what_a_killed_run_left_is_removed_and_nothing_else(engine: Engine, base_image: str) -> None:
    words = ("run", "--detach", *OFFLINE, "--label")
    ours = engine.docker(*words, engine.label, base_image, "sleep", "infinity").stdout.strip()
    other = replace(engine, state=engine.state / "other")
    with other.started(base_image, "sleep", "infinity", options=OFFLINE) as name:
        engine.remove_leftovers()
        assert engine.docker("inspect", ours, check=False).code != 0
        assert engine.docker("inspect", "--format", "{{.State.Running}}", name).stdout == "true\n"


def test_a_build_sees_the_site_s_bundle_and_the_image_keeps_nothing(
    engine: Engine, base_image: str, tmp_path: Path
) -> None:
    context, bundle = tmp_path / "context", tmp_path / "ca.crt"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    bundle.write_text(f"# {SECRET_WORDS}\n")
    site = replace(engine, environment={**engine.environment, "PIP_CERT": str(bundle)})
    tag = f"localhost/{LABEL}:secrets"
    site.build(context, tag, "--no-cache", base_image=base_image)
    search = f"! grep -rqs '{SECRET_WORDS}' /etc /run /root /tmp /usr/local /var && ! test -s /run/secrets/pip_conf"
    engine.run(tag, "sh", "-c", search, options=OFFLINE)
    assert SECRET_WORDS not in engine.docker("history", "--no-trunc", tag).stdout
    engine.docker("rmi", tag)


def test_the_base_image_is_slim_and_keeps_its_licences(engine: Engine, base_image: str) -> None:
    size = int(engine.docker("image", "inspect", "--format", "{{.Size}}", base_image).stdout)
    assert 50e6 < size < 100e6
    script = "find /usr/share/doc /usr/share/man -type f | grep -cv /copyright$; test -s /usr/share/doc/apt/copyright"
    done = engine.run(base_image, "sh", "-c", script, options=OFFLINE)
    assert done.stdout == "0\n"
    assert (
        "VERSION_CODENAME=bookworm"
        in engine.run(base_image, "cat", "/etc/os-release", options=OFFLINE).stdout
    )
