"""Numbered steps with elapsed time, and commands whose output goes to a log file."""

import contextlib
import os
import queue
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

HEARTBEAT = 15.0  # seconds between two lines where the output is no terminal


class Progress:
    """Shows steps: on a terminal as one line that lives, elsewhere as plain lines now and then."""

    def __init__(self, log: Path) -> None:
        self.log = log
        #: Something of this run is in the log.
        self.has_log = False
        self.started = time.monotonic()
        self._number = 0
        self._title = ""
        self._step_started = self._shown = self.started
        self._terminal = sys.stdout.isatty()

    def new_log(self) -> None:
        """Begin an empty log."""
        self.log.write_text("", encoding="utf-8")

    def seconds(self) -> float:
        """Return the time since the first step."""
        return time.monotonic() - self.started

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while the block runs, and how long it took."""
        self._number += 1
        self._title = f"[{self._number}] {title}"
        self._step_started = self._shown = time.monotonic()
        self._show(f"{self._title} ...")
        try:
            yield
        except BaseException:
            self._finish("")
            raise
        self._finish(f"{self._title} ({time.monotonic() - self._step_started:.1f} s)")

    def detail(self, text: str) -> None:
        """Show how far the step is; may be called as often as you like."""
        now = time.monotonic()
        if now - self._shown >= (0.2 if self._terminal else HEARTBEAT):
            self._shown = now
            self._show(f"{self._title} ... {text} ({now - self._step_started:.0f} s)")

    def _show(self, line: str) -> None:
        if self._terminal:
            width = shutil.get_terminal_size().columns
            print(f"\r\x1b[K{line[: width - 1]}", end="", flush=True)
        else:
            print(line, flush=True)

    def _finish(self, line: str) -> None:
        if self._terminal and line:
            self._show(line)
        elif line and self._shown > self._step_started:
            print(line, flush=True)
        if self._terminal:
            print(flush=True)

    def command(
        self,
        arguments: list[str],
        describe: Callable[[list[str]], str] = lambda lines: lines[-1].strip() if lines else "",
    ) -> "Finished":
        """Run a command to its end, its output going to the log.

        `describe` turns the lines said so far into the detail that is shown meanwhile.
        """
        with self.log.open("a", encoding="utf-8") as log:
            self.has_log = True
            log.write(f"\n$ {shlex.join(arguments)}\n")
            log.flush()
            with subprocess.Popen(
                arguments,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            ) as process:
                try:
                    lines = self._follow(process, log, describe)
                except BaseException:
                    process.kill()
                    raise
        return Finished(process.returncode, "".join(lines))

    def _follow(
        self,
        process: "subprocess.Popen[str]",
        log: TextIO,
        describe: Callable[[list[str]], str],
    ) -> list[str]:
        pending: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read, args=(process.stdout, pending), daemon=True).start()
        lines: list[str] = []
        while True:
            # The time-out keeps the clock going while the command is silent.
            with contextlib.suppress(queue.Empty):
                line = pending.get(timeout=0.25)
                if line is None:
                    return lines
                log.write(line)
                lines.append(line)
            self.detail(describe(lines))


class Finished:
    """A command that has ended: its exit code and everything it said."""

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.output = output


def clean_environment() -> dict[str, str]:
    """Return the environment without what would lead Python or pip to other packages."""
    strangers = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    environment = {name: value for name, value in os.environ.items() if name not in strangers}
    return environment | {"PYTHONNOUSERSITE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _read(stream: TextIO, pending: "queue.Queue[str | None]") -> None:
    for line in stream:
        pending.put(line)
    pending.put(None)
