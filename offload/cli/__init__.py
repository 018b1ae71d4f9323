"""The command line: ``offload SUBCOMMAND``, one module a subcommand.

To add one, write its module and name it in ``_COMMANDS``. It has a function ``command``, whose
docstring is its help, and ``EXAMPLE``, lines shown under it. Modules import the library inside
their functions, so that help needs no NumPy.

Exit status: 0 done, 1 the answer is no, 2 bad input or usage, 130 interrupted with nothing to keep,
70 an error that is a fault of this program.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
import typer.core

from offload import __version__
from offload.cli.arguments import Quiet, Verbose
from offload.cli.output import Session, complain, error_lines, leave_pipe
from offload.errors import OffloadError

__all__ = ["application", "main"]

_COMMANDS = (
    "solve", "check", "compare", "batch", "sweep", "bottlenecks", "pareto", "partition", "convert",
    "generate", "show", "report", "profile", "profiles", "methods", "schema",
)  # fmt: skip
_USAGE, _INTERRUPTED, _FAULT = 2, 130, 70


class _Commands(typer.core.TyperGroup):
    """Quiet where the reader of the output has gone: the status still says what the answer is."""

    def invoke(self, ctx: Any) -> Any:
        status = 0
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            leave_pipe()
        return status


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"offload {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where in the code an error arose.")
    ] = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Decide what should run where: task graphs on device, edge and cloud, with proofs."""
    session = context.ensure_object(Session)
    session.debug = debug
    session.set_talk(verbose, quiet)


def application() -> typer.Typer:
    """The command line as a Typer application."""
    made = typer.Typer(
        name="offload", cls=_Commands, no_args_is_help=True, add_completion=False,
        pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Example: offload solve instances/topcuoglu-2002.json",
    )  # fmt: skip
    made.callback()(_root)
    for name in _COMMANDS:
        module = importlib.import_module(f"offload.cli.{name}")
        lines = [line for line in module.EXAMPLE.splitlines() if line]
        examples = "\n\n".join(["Examples:", *map(_verbatim, lines)])
        made.command(name, help=_unwrapped(module.command), epilog=examples)(module.command)
    return made


def _unwrapped(function: Callable[..., Any]) -> str:
    """A docstring with one line a paragraph, for the terminal to wrap."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return _verbatim("\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))


def _verbatim(text: str) -> str:
    """Text in which brackets stay what they are: in help they would name a style."""
    return re.sub(r"\[(?=[a-z#/@][^\[]*?\])", r"\\[", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; errors become lines on standard error."""
    _open_streams()
    session = Session()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logger = logging.getLogger("offload")
    logger.addHandler(handler)
    given = None if arguments is None else list(arguments)
    try:
        run = typer.main.get_command(application())
        status = run.main(given, prog_name="offload", standalone_mode=False, obj=session)
        return status if isinstance(status, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except SystemExit:  # so Typer leaves where the reader of a help page has gone
        leave_pipe()
        return 0
    except Exception as error:
        return _failed(error, session)
    finally:
        logger.removeHandler(handler)


def _open_streams() -> None:
    """Standard streams that the caller closed (``>&-``) lead nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


def _failed(error: Exception, session: Session) -> int:
    """Say what is wrong, and return the exit status that means it."""
    if session.debug:
        traceback.print_exception(error)
    if isinstance(error, OffloadError):
        for line in error_lines(error):
            complain(f"error: {line}")
        return _USAGE
    # Usage errors have this method in every version of Typer, whatever class they are of.
    if hasattr(error, "format_message"):
        return _misused(error)
    if isinstance(error, OSError):  # a full disk behind standard output, for one
        leave_pipe()
        complain(f"error: input or output failed: {error}")
        return _USAGE
    complain(
        f"error: unexpected {type(error).__name__}: {error}; "
        "this is a fault of offload, --debug shows where"
    )
    return _FAULT


def _misused(error: Any) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "offload"
    text = " ".join(str(error.format_message()).split()).rstrip(".")
    if type(error).__name__ == "NoArgsIsHelpError":
        complain(str(error.format_message()))
    else:
        complain(f"error: {text[:1].lower()}{text[1:]}; see {path} --help")
    return _USAGE
