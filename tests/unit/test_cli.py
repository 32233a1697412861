"""What stands before a command, as a process of its own."""

import pytest
from tests.conftest import Cli

from sinehil import __version__


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
