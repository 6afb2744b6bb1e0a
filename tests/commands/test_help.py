"""`pypihub --help`: one line for each command, whole, in a terminal of the usual width."""

from __future__ import annotations

from click.testing import CliRunner

from pypihub.cli import main


def test_each_command_has_one_line() -> None:
    told = CliRunner().invoke(main, ["--help"], terminal_width=80).output.partition("Commands:\n")[2].splitlines()
    names = sorted(name for name, command in main.commands.items() if not command.hidden)
    assert [line.split()[0] for line in told] == names
    assert all(line.endswith(".") and not line.endswith("...") for line in told)
