"""Set Plumbline up on a fresh machine, then run it or test it.

    python3 installer/bootstrap.py run [FILE ...]         set up, then open the workstation
    python3 installer/bootstrap.py test [PYTEST OPTIONS]  set up, then run the test suite
    python3 installer/bootstrap.py setup                  set up only

    --headless           without the window: no Qt, no VTK (environment .venv-headless)
    --dev                with what tests and checks need; `test` implies it
    --wheelhouse FOLDER  take the packages from a folder, not from the network

Needs Python 3.11 or newer with pip, nothing else. The packages are those of `requirements/`,
checked by hash; pip's own configuration decides where they come from. The second start finds
everything in place and goes straight on.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python gets this far and must be told
    sys.exit(
        "Plumbline needs Python 3.11 or newer: install it and start this script with it.\n"
        "准绳需要 Python 3.11 或更高版本，请安装后用它运行本脚本。"
    )

import argparse
import os
import shutil
import subprocess
from pathlib import Path

from firstrun import system
from firstrun.environment import ROOT, Environment, explain
from firstrun.progress import Progress, clean_environment
from firstrun.text import SetupError, say

COMMANDS = ("run", "test", "setup")
DEMO_FOLDER = "plumbline-demo"
#: Each test process may need some 2 GiB.
MOST_WORKERS = 4


def main(arguments: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no Chinese must not stop us
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    progress = Progress(ROOT / "setup.log")
    try:
        return start(arguments[0], arguments[1:], progress)
    except (SetupError, OSError) as trouble:
        error = explain(trouble)
        print(f"\n{error.message}\n{say('What to do: {hint}', hint=error.hint)}", file=sys.stderr)
        if progress.has_log:
            print(say("The details are in {log}", log=progress.log), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def start(command: str, arguments: list[str], progress: Progress) -> int:
    """Set up as the command needs it, then carry it out."""
    if command not in COMMANDS:
        raise SetupError(
            say("There is no command {command}.", command=command),
            say("Use run, test or setup; --help explains them."),
        )
    options, rest = parse(arguments)
    window = not options.headless
    dev = options.dev or command == "test"
    environment = Environment(ROOT / (".venv" if window else ".venv-headless"), window, dev)
    if command == "run":
        refuse_files_without_display(environment, rest)
    set_up(environment, command, options.wheelhouse, progress)
    if command == "test":
        return call([environment.python, "-m", "pytest", *workers(environment, rest), *rest], ROOT)
    return run(environment, rest) if command == "run" else 0


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Take our own options out; what is left belongs to the workstation or to pytest."""
    parser = argparse.ArgumentParser(prog="bootstrap.py", add_help=False, allow_abbrev=False)
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--wheelhouse", type=Path)
    options, rest = parser.parse_known_args(arguments)
    if options.wheelhouse and not options.wheelhouse.is_dir():
        raise SetupError(
            say("There is no folder {folder} to take packages from.", folder=options.wheelhouse),
            say("Give the folder that holds the .whl files."),
        )
    return options, rest


def set_up(
    environment: Environment, command: str, wheelhouse: Path | None, progress: Progress
) -> None:
    """Bring system libraries and environment in place; quick when they are."""
    display = system.has_display()
    needs_window = environment.window and (display or command != "run")
    needed = (
        system.WINDOW if needs_window else system.RENDER if environment.window else system.HEADLESS
    )
    ready = environment.is_ready()
    if not ready:
        progress.new_log()
    xvfb = environment.dev and environment.window and not display
    system.provide(needed, xvfb=xvfb, welcome=not ready, progress=progress)
    if ready:
        return
    try:
        environment.set_up(progress, wheelhouse.resolve() if wheelhouse else None)
    except KeyboardInterrupt:
        print(say("Cancelled; the next start finishes the set-up."), file=sys.stderr)
        raise
    print(say("Plumbline is set up ({seconds:.0f} s).", seconds=progress.seconds()), flush=True)


def refuse_files_without_display(environment: Environment, files: list[str]) -> None:
    """Say so before the long set-up, not after it."""
    if files and not (environment.window and system.has_display()):
        command = f"{environment.python} -m plumbline info {files[0]}"
        raise SetupError(
            say("There is no display, so that no window can be opened for the files."),
            say("Without a display use: {command}", command=command),
        )


def workers(environment: Environment, rest: list[str]) -> list[str]:
    """Return the options that spread the tests over the cores, a file of tests to each process.

    Not where the user chose, looks on (-s, --pdb) or measures, and not where windows would fight
    for one screen: beside Xvfb every process gets its own.
    """
    own = ("-n", "--numprocesses", "--dist", "-s", "--capture", "--pdb", "benchmark")
    if any(option.startswith(own) for option in rest):
        return []
    if environment.window and shutil.which("Xvfb") is None:
        return []
    return ["-n", str(min(os.cpu_count() or 1, MOST_WORKERS)), "--dist", "loadfile"]


def run(environment: Environment, files: list[str]) -> int:
    """Open the workstation, or run the demo into a folder where there is no display."""
    plumbline = [environment.python, "-m", "plumbline"]
    if files:
        return call([*plumbline, "open", *files])
    if environment.window and system.has_display():
        return call([*plumbline, "demo"])
    folder = Path(DEMO_FOLDER).resolve()
    print(
        say(
            "There is no display: the demo runs without a window and writes to {folder}",
            folder=folder,
        ),
        flush=True,
    )
    code = call([*plumbline, "demo", "--out", folder])
    if code == 0:
        print(say("The report, the picture and the results are in {folder}", folder=folder))
    return code


def call(command: list[str | Path], cwd: Path | None = None) -> int:
    """Run a command that the user sees; return its exit code."""
    return subprocess.call([str(part) for part in command], cwd=cwd, env=clean_environment())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
