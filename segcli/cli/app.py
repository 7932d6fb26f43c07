"""The `segcli` program: its commands, and the one place where an error becomes a line and an exit code."""

import getpass
import logging
import os
import sys
import tempfile
import threading
import warnings
from typing import Annotated, Any

import typer

from segcli import __version__
from segcli.cli import streams
from segcli.cli.display import Display
from segcli.cli.listing import ListedCommands, enlist
from segcli.cli.signals import WATCH
from segcli.errors import EXIT_FAILED, EXIT_OK, SegcliError


class ErrorsAsLines(ListedCommands):
    """Ends every foreseen error with one line and its exit code; a traceback only with SEGCLI_DEBUG=1."""

    def invoke(self, ctx: typer.Context) -> Any:
        """Run the command; its arguments are still unparsed here, so `--json` is looked up by hand."""
        is_main = os.environ.get("RANK", "0") == "0"  # of torchrun's processes one alone writes JSON
        display = Display(as_json="--json" in ctx.args and is_main)
        WATCH.owes_json = display.as_json
        try:
            return super().invoke(ctx)
        except Exception as error:
            if WATCH.received:  # the end that was asked for, by way of a library that it disturbed
                raise KeyboardInterrupt from error
            is_typers_own = hasattr(error, "exit_code") and not isinstance(error, SegcliError)
            if hasattr(error, "format_message"):  # a usage error, which Typer shows on stderr itself
                _add_example(error)
                hint = "`--help` after the command lists its options."
                display.json({"error": error.format_message(), "hint": hint, "exit_code": error.exit_code})
            if is_typers_own or isinstance(error, typer.Abort) or os.environ.get("SEGCLI_DEBUG") == "1":
                raise
            known = error if isinstance(error, SegcliError) else _unforeseen(error)
            display.error(known)
            raise typer.Exit(known.exit_code) from None


def _add_example(error: Any) -> None:
    """Say also how the command looks whole, where an argument or option is missing, or there is one more."""
    command = getattr(getattr(error, "ctx", None), "command", None)
    is_missing = type(error).__name__ == "MissingParameter"
    if command is None or not (is_missing or "unexpected extra argument" in error.message):
        return
    lines = map(str.strip, (command.epilog or "").splitlines())
    example = next((line for line in lines if line.startswith("segcli ") and f" {command.name} " in line), "")
    if example:
        error.message = f"{error.message.rstrip('.')}. For example: {example}".removeprefix(". ")


def _unforeseen(error: Exception) -> SegcliError:
    """An error that nobody foresaw: the machine's, or a bug."""
    text = str(error).strip().splitlines()
    if isinstance(error, FileNotFoundError) and "No usable temporary directory" in str(error):
        return SegcliError("no temporary folder can be written to", "Set TMPDIR to a folder of yours.")
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # pathlib's
        return SegcliError("this user has no home folder, for which ~ stands", "Set HOME to a folder of yours.")
    line = text[0] if text else "no details"
    if isinstance(error, MemoryError) or "out of memory" in line.lower():
        return SegcliError("out of memory", "Use a smaller --size or --batch, or --device cpu.")
    if isinstance(error, OSError) and error.strerror:
        line = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return SegcliError(f"{type(error).__name__}: {line}", "Set SEGCLI_DEBUG=1 to see where it happened.")


FIRST_COMMAND = "To begin: segcli predict FOLDER_WITH_PHOTOS. Without a download, for streets: add --model street."
"""What somebody types who has typed nothing yet."""

app = typer.Typer(
    name="segcli",
    cls=ErrorsAsLines,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=FIRST_COMMAND,
)
enlist(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        Display().data(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Label every pixel of your photos, or train a model for your own classes: DeepLab v1 to v3+ and the CRF."""


WORK = ("predict", "crf", "train", "export")
"""The commands whose work is in files: without --json, what they print is a word about it."""


def main() -> None:
    """Run the command that the process was started with, and end with its exit code, as SystemExit."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters becomes an error line or a note
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    if sys.platform == "win32":
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(encoding="utf-8", errors="replace")  # names may hold anything
    if os.environ.get("SEGCLI_DEBUG") != "1":
        threading.excepthook = lambda _: None  # whoever waits for a thread tells of its error
        sys.excepthook = _of_main_thread
    _need_no_temporary_folder()
    try:
        app(prog_name="segcli")
    except SystemExit as end:
        sys.exit(end.code or _told(streams.lost()))


def _need_no_temporary_folder() -> None:
    """Let torch be imported where there is no temporary folder, or the user has no name, of which it makes one's name.

    It would compile there, which nothing of ours does.
    """
    try:
        tempfile.gettempdir()
        getpass.getuser()
    except (OSError, KeyError, ImportError):  # the last on Windows
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.abspath("."))  # noqa: PTH100


def _of_main_thread(*error) -> None:
    """Show an error that ends the program, not one of a thread that passes its own here, as multiprocessing's do."""
    if threading.current_thread() is threading.main_thread():
        sys.__excepthook__(*error)


def _told(lost: OSError | None) -> int:
    """The exit code of a command that has done its work, once it is told whether what it printed has arrived."""
    if lost is None:
        return EXIT_OK
    line = f"standard output cannot be written to: {lost.strerror or lost}"
    if sys.argv[1:2] and sys.argv[1] in WORK and "--json" not in sys.argv:
        Display().warn(f"{line}; the work is done")
        return EXIT_OK
    Display().error(SegcliError(line, "Free some space, or print to another place, and give the command again."))
    return EXIT_FAILED
