"""A report written by a process of its own, for a window that goes on meanwhile.

Pictures are drawn by OpenGL, which belongs to one thread and which a driver can take down: there it
costs the report and never the window. The process is the command line itself, so that button and
command write the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from plumbline.core.errors import UserError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr, translator
from plumbline.services.documents.writing import check_format
from plumbline.services.project import SUFFIX, ProjectContent, write_content

#: Seconds between two looks at whether someone cancelled.
_LOOK = 0.2


def report_in_process(
    content: ProjectContent, name: str, out: Path, feedback: Feedback, operator: str = ""
) -> Path:
    """Write the report of a project as it stands, saved or not; call in a worker.

    Parameters
    ----------
    content : ProjectContent
        Snapshot of the scene.
    name : str
        Name of the project, as it stands in the report.

    Raises
    ------
    UserError
        What the report refuses.
    CancelledError
        If someone cancelled; the process is ended.
    """
    check_format(out)
    feedback.step(0, 1, tr("Writing the report"))
    with tempfile.TemporaryDirectory(prefix="plumbline-report-", ignore_cleanup_errors=True) as at:
        project = Path(at) / f"{name or tr('Project')}{SUFFIX}"
        write_content(content, project)
        options = ["--lang", translator.language, "report", str(project), "--out", str(out)]
        answer = _run([*_program(), *options, "--operator", operator, "--json"], feedback)
    error = answer.get("error")
    if error is not None:
        raise UserError(str(error["message"]), str(error.get("hint", "")))
    return out


def _program() -> list[str]:
    """Return the command line of Plumbline; a frozen application is that itself."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    # -P: never import from the folder that the user happens to stand in.
    return [sys.executable, "-P", "-m", "plumbline"]


def _run(command: list[str], feedback: Feedback) -> dict[str, Any]:
    """Run a command to its end and return what it answers; end it when someone cancels."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while True:
            feedback.check()
            try:
                out, told = child.communicate(timeout=_LOOK)
                break
            except subprocess.TimeoutExpired:
                continue
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError as error:
        raise UserError(
            tr("The report was not written: its process ended with {code}.", code=child.returncode),
            tr("Try it without pictures: plumbline report PROJECT --out FILE --no-pictures"),
            told.decode("utf-8", "replace")[-4000:],
        ) from error
    return answer
