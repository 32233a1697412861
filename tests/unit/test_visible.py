"""What a board or a tool says reaches the terminal as text, whatever is in it."""

import pytest

from sinehil.base.console import Console
from sinehil.base.untrusted_text import visible, visible_lines
from sinehil.cli import _run
from sinehil.commands import ports as ports_command
from sinehil.errors import IdentityError, ToolError

ATTACK = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202e\u2028[bold]b[/bold]"


def test_lines_and_tabs_stay_and_nothing_else() -> None:
    assert visible_lines("a\tb\r\nc\nd\x1b") == "a\tb\nc\nd\\x1b"
    assert visible("a\nb") == "a\\x0ab"


def safe(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.parametrize("as_json", [False, True])
def test_talk_shows_what_it_is_given_as_text(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    console = Console(as_json)
    console.say(f"board {ATTACK}")
    with console.stage(f"wait {ATTACK}") as stage:
        stage.update(ATTACK, None)
        stage.note = ATTACK
    console.result({"board": ATTACK})
    captured = capsys.readouterr()
    assert safe(captured.err) and safe(captured.out)
    assert "\\x1b[2J" in captured.out + captured.err and "[bold]b[/bold]" in captured.out + captured.err
    assert not safe(ATTACK), "the control"


@pytest.mark.parametrize(
    "error", [IdentityError(ATTACK, ATTACK), ToolError("x", ATTACK, output=ATTACK + "\nline")]
)
def test_errors_are_shown_as_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: IdentityError | ToolError
) -> None:
    def failing(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr("sinehil.cli._invoke", failing)
    assert _run(["ports"]) == error.exit_code
    captured = capsys.readouterr().err
    assert safe(captured) and "\\x1b]0;owned\\x07" in captured


def test_ports_shows_a_boards_name_as_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A USB device says its own name; arduino-cli hands it on."""
    from sinehil import arduino
    from sinehil.arduino.boards import BoardPort

    monkeypatch.setattr(arduino, "prepare_environment", lambda _: None)
    monkeypatch.setattr(
        arduino,
        "list_ports",
        lambda _: [BoardPort(f"/dev/{ATTACK}", "serial", ATTACK, None, None, None, None)],
    )
    ports_command.ports()
    assert safe(shown := capsys.readouterr().out) and "\\x1b[2J" in shown
