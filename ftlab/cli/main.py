"""The command line. `ftlab --help` lists the commands; each has its own --help.

A slip gives one line on stderr and exit code 2, an interrupt one line and 130. Nothing heavy is
imported before a command needs it, so that help and slips come at once.
"""

import argparse
import difflib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from ftlab.base.errors import InputError, OutOfMemory, first_line
from ftlab.cli import claims, data, grid, report, room, run

ABOUT = "See a language model forget while it is fine-tuned, and fine-tune it without."
Command = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaint is one InputError."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ").rstrip(".")
        raise InputError(f"{self.prog}: {message}; see `{self.prog} --help`.")


def check(asked: argparse.Namespace) -> int:
    """Print the preflight report; 1 if something is broken."""
    from ftlab.teach.preflight import preflight

    if sys.stderr.isatty():
        print("Looking at this machine; a few seconds.", file=sys.stderr)
    report = preflight()
    print(json.dumps(report.as_dict(), indent=1) if asked.json else report)
    return 1 if report.broken else 0


def add_check(parser: argparse.ArgumentParser) -> None:
    """The options of `ftlab check`."""
    parser.add_argument("--json", action="store_true", help="for a program to read")


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Command]] = {
    "check": ("what this machine can do, and known problems on it", add_check, check),
    "demo": ("forgetting in about a minute: table, answers, picture", run.add_demo, run.demo),
    "data": ("a file of your own before it is trained on", data.add_data, data.data),
    "suite": ("questions from the base's own answers", data.add_suite, data.suite),
    "run": ("one fine-tuning run, stored as a record", run.add_run, run.run),
    "report": ("ship or don't: gain, losses and a verdict", report.add_report, report.report),
    "grid": ("make the recorded runs that the notebooks show", grid.add_grid, grid.grid),
    "claims": ("what the recorded runs say", claims.add_claims, claims.claims),
    "class": ("a room's guesses and exercises, from its notebooks", room.add_class, room.class_),
}


def parser() -> tuple[Parser, dict[str, Parser]]:
    """The whole parser, and that of each command."""
    top = Parser(prog="ftlab", description=ABOUT, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"ftlab {_version()}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    made: dict[str, Parser] = {}
    for name, (help_, add, do) in COMMANDS.items():
        made[name] = commands.add_parser(name, help=help_, description=help_, allow_abbrev=False)
        made[name].set_defaults(do=do, stopped="nothing was written")
        add(made[name])
    return top, made


def _version() -> str:
    from ftlab import __version__

    return __version__


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments as asked. Raises InputError, with the nearest known word, for a slip."""
    top, made = parser()
    for word in argv:
        if word != (shown := word.encode(errors="replace").decode()):
            raise InputError(f"'{shown}' is not UTF-8; give the file a name that is.")
    first = next((word for word in argv if not word.startswith("-")), None)
    if first is not None and first not in made:
        raise InputError(
            f"There is no command '{first}'{_near(first, made)}; "
            f"the commands are {', '.join(made)}."
        )
    asked, unknown = top.parse_known_args(argv)
    if unknown:
        its = made.get(asked.command or "", top)
        options = [option for option in its._option_string_actions if option.startswith("--")]
        raise InputError(
            f"{its.prog} does not know '{unknown[0]}'{_near(unknown[0], options)}; "
            f"see `{its.prog} --help`."
        )
    return asked


def _near(word: str, known: Sequence[str] | dict[str, Parser]) -> str:
    close = difflib.get_close_matches(word.split("=")[0], list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0 done, 1 found something, 2 a slip, 130 interrupted."""

    def do(asked: argparse.Namespace) -> int:
        vars(asked).update(vars(parse(sys.argv[1:] if argv is None else argv)))
        return asked.do(asked) if asked.command else parser()[0].print_help() or 0

    return guarded(do, argparse.Namespace())


def single(
    prog: str,
    add: Callable[[argparse.ArgumentParser], None],
    do: Command,
    argv: Sequence[str] | None = None,
) -> int:
    """A command of its own, with the same exit codes: for what is not in `ftlab`."""

    def done(asked: argparse.Namespace) -> int:
        own = Parser(prog=prog, allow_abbrev=False)
        add(own)
        return do(own.parse_args(sys.argv[1:] if argv is None else argv, asked))

    return guarded(done, argparse.Namespace())


def guarded(do: Command, asked: argparse.Namespace) -> int:
    """Do it; a slip is one line and 2, an interrupt one line and 130."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter shows a ? there
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        try:
            return do(asked)
        finally:
            if sys.stdout:  # what cannot be written is said now, not when Python ends
                sys.stdout.flush()
    except OutOfMemory as full:
        print(full, file=sys.stderr)
        return 2
    except InputError as slip:
        return _slip(slip)
    except KeyboardInterrupt:
        words = getattr(asked, "stopped", "nothing was written")
        print(f"\nftlab: stopped; {words() if callable(words) else words}.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `ftlab check | head`: the reader has gone; 128 + SIGPIPE
        _drop_output()
        return 141
    except OSError as error:  # `ftlab claims > /dev/full`
        _drop_output()
        what = error.filename or "the output"
        return _slip(InputError(f"{what} cannot be read or written ({first_line(error)})."))


def _drop_output() -> None:
    with suppress(OSError):  # a stream that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _slip(slip: InputError) -> int:
    print(f"ftlab: {' '.join(str(slip).split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
