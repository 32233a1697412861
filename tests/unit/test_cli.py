"""What stands before a command, as a process of its own."""

import io
import json
import logging
import re
import sys

import pytest
from tests.conftest import Cli

from sinehil import __version__
from sinehil.base.logs import PACKAGES, configure_logging, verbosity_first


def test_version_is_an_option_like_any_other(cli: Cli) -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"sinehil {__version__}\n", "")
    assert "--version" in cli("--help").stdout


@pytest.mark.parametrize("words", [["--version", "frobnicate"], ["--version", "--help"]])
def test_the_first_eager_option_decides(cli: Cli, words: list[str]) -> None:
    assert cli(*words).stdout == f"sinehil {__version__}\n"


@pytest.mark.parametrize("words", [["verify", "--version"], ["--versio", "ports"]])
def test_version_elsewhere_is_a_usage_error(cli: Cli, words: list[str]) -> None:
    done = cli(*words)
    assert done.returncode == 2 and "sinehil: " in done.stderr and done.stdout == ""


def test_no_words_at_all_are_a_question_for_help(cli: Cli) -> None:
    assert (cli().returncode, cli().stdout) == (0, cli("--help").stdout)


@pytest.mark.parametrize(
    "words",
    [["-v", "ports"], ["ports", "-v"], ["ports", "--verbose"], ["-vv", "ports"], ["ports", "-v", "-v"]],
)
def test_verbose_stands_anywhere_and_talks_to_stderr(cli: Cli, words: list[str]) -> None:
    done = cli(*words, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)
    assert re.search(
        r"^ +\d+ ms  sinehil\.base\.tools: exit code 0 after [\d.]+ s: \S*arduino-cli", done.stderr, re.M
    )
    assert ("tools: start: " in done.stderr) == (str(words).count("v") - str(words).count("verbose") == 2)


def test_without_verbose_there_is_no_talk(cli: Cli) -> None:
    assert "sinehil.base" not in cli("ports", "--json").stderr


def test_what_is_behind_two_dashes_is_no_option() -> None:
    assert verbosity_first(["ports", "--", "-v"]) == ["ports", "--", "-v"]
    assert verbosity_first(["ports", "-x", "-vvv"]) == ["-vvv", "ports", "-x"]


def test_a_log_hides_nothing_and_a_closed_stderr_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("sinehil")
    try:
        configure_logging(1)
        logger.info("port %s", "a\x1b[2J")
        logger.debug("not this")
        assert capsys.readouterr().err.endswith("sinehil: port a\\x1b[2J\n")
        closed = io.StringIO()
        closed.close()
        monkeypatch.setattr(sys, "stderr", closed)
        logger.info("nowhere")
    finally:
        for name in PACKAGES:
            logging.getLogger(name).handlers, logging.getLogger(name).propagate = [], True
            logging.getLogger(name).setLevel(logging.NOTSET)
