"""The entry point: reads the command line, runs one command, says how it ended.

Nothing heavy is imported before the command is known, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from plumbline.cli.output import (
    ProgressLine,
    clean_stdout,
    error_document,
    error_line,
    use_utf8,
    write_json,
)
from plumbline.core.errors import EXIT_CANCELLED, EXIT_DEFECT, EXIT_DONE, UsageError, UserError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import LANGUAGES, system_language, tr, translator

#: Command -> ``module:function`` that adds its options; the function it sets runs it.
COMMANDS: dict[str, str] = {
    "open": "plumbline.cli.window:add_open",
    "info": "plumbline.cli.files:add_info",
    "new": "plumbline.cli.project:add_new",
    "add": "plumbline.cli.project:add_add",
    "layers": "plumbline.cli.project:add_layers",
    "query": "plumbline.cli.query:add_query",
    "entities": "plumbline.cli.entities:add_entities",
    "formats": "plumbline.cli.files:add_formats",
    "tile": "plumbline.cli.tile:add_tile",
    "analyses": "plumbline.cli.analyses:add_analyses",
    "run": "plumbline.cli.analyses:add_run",
    "replay": "plumbline.cli.analyses:add_replay",
    "statement": "plumbline.cli.statement:add_statement",
    "render": "plumbline.cli.window:add_render",
    "report": "plumbline.cli.report:add_report",
    "demo": "plumbline.cli.demo:add_demo",
    "self-test": "plumbline.cli.selftest:add_self_test",
}


class Command:
    """What a command gets: its options, progress, and where its answer goes."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.progress = ProgressLine()
        self.feedback = Feedback(self.progress)
        self.exit_code = EXIT_DONE
        self._answer: tuple[dict[str, Any], str] | None = None

    @property
    def json(self) -> bool:
        """Whether the answer is wanted as JSON."""
        return bool(getattr(self.options, "json", False))

    def answer(self, data: dict[str, Any], text: str) -> None:
        """Set the answer: one JSON object, or text for people."""
        self._answer = (data, text)

    def note(self, text: str) -> None:
        """Tell people something while the command runs; on standard error."""
        self.progress.clear()
        print(text, file=sys.stderr, flush=True)

    @property
    def document(self) -> dict[str, Any]:
        """The answer as a JSON object."""
        return self._answer[0] if self._answer else {}

    @property
    def text(self) -> str:
        """The answer for people."""
        return self._answer[1] if self._answer else ""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            tr("The command line is not understood: {message}.", message=message),
            tr("“{command} --help” lists the options.", command=self.prog),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Plumbline's command line and return the exit code."""
    # Before NumPy is imported: threads of linear algebra only wait for each other here, and sums
    # must not depend on how many there are.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    use_utf8()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    as_json = "--json" in arguments
    translator.set_language(_language(arguments) or system_language())
    try:
        if not as_json:
            return _run(arguments)[0]
        with clean_stdout() as stream:
            code, document = _run(arguments)
            write_json(stream, document)
        return code
    except BrokenPipeError:
        # Whoever read our output has gone, as ``| head`` does; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_DONE
    except KeyboardInterrupt:
        if debug:
            raise
        error_line(tr("Cancelled; nothing was changed."))
        return EXIT_CANCELLED


def _run(arguments: list[str]) -> tuple[int, dict[str, Any]]:
    """Run a command; return its exit code and its answer or error as a JSON object."""
    command: Command | None = None
    try:
        options = _parse(arguments)
        if options is None:
            return EXIT_DONE, {}
        command = Command(options)
        options.function(command)
        command.progress.clear()
        if not command.json and command.text:
            print(command.text, flush=True)
        return command.exit_code, command.document
    except UserError as error:
        if command is not None:
            command.progress.clear()
        if "--debug" in arguments:
            raise
        error_line(str(error))
        return error.exit_code, error_document(error)
    except BrokenPipeError:
        raise
    except Exception as error:
        if "--debug" in arguments:
            raise
        return EXIT_DEFECT, error_document(_defect(error))


def _defect(error: Exception) -> UserError:
    """Say that this is Plumbline's fault, and keep the traceback where it can be found."""
    what = UserError(
        tr(
            "This is a defect in Plumbline ({kind}: {text}).",
            kind=type(error).__name__,
            text=str(error)[:300],
        ),
        tr("Run the command again with --debug and send what it prints."),
    )
    what.exit_code = EXIT_DEFECT
    error_line(str(what))
    return what


def _parse(arguments: list[str]) -> argparse.Namespace | None:
    """Return the options of a command line, None when argparse has answered it (``--help``)."""
    arguments = _with_command(arguments)
    parser = _parser(arguments)
    try:
        return parser.parse_args(arguments)
    except SystemExit:
        return None


def _with_command(arguments: list[str]) -> list[str]:
    """Put ``open`` before paths that come without a command, and where there is nothing at all."""
    place = _command_place(arguments)
    if place is None:
        if any(a in ("-h", "--help", "--version") for a in arguments):
            return arguments
        return [*arguments, "open"]
    word = arguments[place]
    if word in COMMANDS:
        return arguments
    if Path(word).expanduser().exists() or Path(word).suffix or any(c in word for c in "/\\"):
        return [*arguments[:place], "open", *arguments[place:]]
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, n=1)
    raise UsageError(
        tr("There is no command “{word}”, and no such file.", word=word[:80]),
        tr("Did you mean {ids}?", ids=near[0])
        if near
        else tr("The commands are: {names}.", names=", ".join(COMMANDS)),
    )


def _command_place(arguments: list[str]) -> int | None:
    """Return where the first word is that is no option of Plumbline itself."""
    place = 0
    while place < len(arguments):
        if arguments[place] == "--lang":
            place += 2
        elif arguments[place].startswith("-"):
            place += 1
        else:
            return place
    return None


def _language(arguments: list[str]) -> str:
    for n, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return argument.partition("=")[2]
        if argument == "--lang" and n + 1 < len(arguments):
            return arguments[n + 1]
    return ""


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import plumbline

        print(f"Plumbline {plumbline.__version__}")
        parser.exit()


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    """Return the parser; only the named command's module is imported."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--debug", action="store_true", help=tr("show the whole traceback of an error")
    )
    common.add_argument(
        "--lang", choices=sorted(LANGUAGES), help=tr("language of texts; the system's otherwise")
    )
    parser = Parser(
        prog="plumbline",
        parents=[common],
        description=tr("Plumbline (准绳): a desktop workstation for real-scene 3D."),
        epilog=tr("A path without a command opens it in the window."),
    )
    parser.add_argument("--version", action=_Version, nargs=0, help=tr("print the version"))
    commands = parser.add_subparsers(metavar=tr("COMMAND"), required=True)
    place = _command_place(arguments)
    wanted = arguments[place] if place is not None else ""
    for name, summary in _summaries().items():
        command = commands.add_parser(
            name, parents=[common], help=summary, description=summary, allow_abbrev=False
        )
        if name == wanted:
            module, _, function = COMMANDS[name].partition(":")
            add: Callable[[argparse.ArgumentParser], None] = getattr(
                import_module(module), function
            )
            add(command)
    return parser


def _summaries() -> dict[str, str]:
    return {
        "open": tr("Open a project or files in the window."),
        "info": tr("Say what a loader reads in files: kind, format, counts, bounds, CRS."),
        "new": tr("Make a new project."),
        "add": tr("Add a file to a project."),
        "layers": tr("List the layers of a project."),
        "query": tr("Choose entities by expression and place; statistics by class."),
        "entities": tr("Build entities from footprints; read the dossier of one, or take it out."),
        "formats": tr("List the formats that can be read."),
        "tile": tr("Tile a large mesh, raster, vector layer or cloud once, for streaming."),
        "analyses": tr("List the analyses, or describe the parameters of one."),
        "run": tr("Run an analysis and write its result into a folder."),
        "replay": tr("Run a stored result again and say whether the numbers are the same."),
        "statement": tr("Write the demolition statement of a result as PDF, DOCX or XLSX."),
        "render": tr("Draw a project or files into an image."),
        "report": tr("Write the report of a project as PDF, DOCX, XLSX or HTML."),
        "demo": tr("Build the demo district and open it; with no display, run it all headless."),
        "self-test": tr("Check that this installation works."),
    }
