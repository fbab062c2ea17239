"""Every command teaches itself, and the exit codes are told in one place."""

import click
import pytest

from tests.cli.typed import tree, typed

ALL = dict(tree())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_teaches_with_an_example_of_itself(path: tuple[str, ...]) -> None:
    """Groups too; no line is wider than a terminal of 80 columns but for what is to be copied."""
    done = typed(*path, "--help", KOMBU_ZIPKIN_URL="http://127.0.0.1:1")
    assert done.exit_code == 0
    example = done.stdout.split("Example:")[1].splitlines()[1]
    assert " ".join(("kombu-zipkin", *path)) in example
    assert typed(*path, "-h", KOMBU_ZIPKIN_URL="http://127.0.0.1:1").stdout == done.stdout


@pytest.mark.parametrize(
    "path", [path for path, command in ALL.items() if isinstance(command, click.Group)], ids=" ".join
)
def test_a_group_tells_what_its_commands_do_without_cutting_a_sentence(path: tuple[str, ...]) -> None:
    """A line a command."""
    listed = typed(*path, "--help").stdout.split("Commands:")[1].split("Example:")[0]
    assert "..." not in listed
    assert len(listed.strip().splitlines()) == sum(
        len(each) == len(path) + 1 and each[: len(path)] == path for each in ALL
    )


def test_every_option_says_what_it_is_for() -> None:
    """In its help."""
    silent = [
        (path, option.name)
        for path, command in ALL.items()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


def test_the_exit_codes_are_in_the_first_help() -> None:
    """All of them."""
    told = typed("--help").stdout.split("Exit codes:")[1]
    assert [line.split()[0] for line in told.strip().splitlines()] == ["0", "1", "2", "130"]


def test_a_misspelt_command_is_told_the_nearest() -> None:
    """At every level, by exit code 2."""
    for argv, near in ((["dcotor"], "doctor"), (["jobs", "lst"], "list"), (["spans", "dead", "purg"], "purge")):
        done = typed(*argv)
        assert (done.exit_code, f"'{near}'" in done.stderr) == (2, True)
