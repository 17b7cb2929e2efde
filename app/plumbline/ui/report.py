"""The button that writes the report of the open project."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog

from plumbline.api import Feedback, UserError, tr
from plumbline.services.documents.writing import check_format
from plumbline.services.project import snapshot
from plumbline.services.report.process import report_in_process
from plumbline.ui.printing import file_filter
from plumbline.ui.session import Session


def ask_report(session: Session) -> None:
    """Ask for a file and write the report of the project as it stands, in a task."""
    answer = session.answers.get("report")
    if answer is None:
        folder = Path(session.settings.last_folder or Path.home())
        start = folder / f"{session.name or 'report'}.pdf"
        answer, _ = QFileDialog.getSaveFileName(
            session.window, tr("Write the report"), str(start), file_filter()
        )
    if not answer:
        return
    out = Path(answer)
    out = out if out.suffix else out.with_suffix(".pdf")
    try:
        check_format(out)
    except UserError as error:
        session.notifier.error(error)
        return
    content, name = snapshot(session.scene, session.camera_of()), session.name
    operator = session.settings.operator

    def work(feedback: Feedback) -> Path:
        return report_in_process(content, name, out, feedback, operator)

    def done(path: Path) -> None:
        session.notifier.info(tr("Report: {path}", path=path))

    session.tasks.submit(tr("Report {name}", name=out.name), work, done)
