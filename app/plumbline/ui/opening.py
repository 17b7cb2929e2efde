"""Opening documents of the dossier with the program that the system has for them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from plumbline.api import InputError, UserError, tr
from plumbline.services.attachments import attached_file
from plumbline.ui.session import Session


class DocumentOpener:
    """Opens files beside the project; why it does not is told in the window."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: Hands an address to the system.
        self.launch: Callable[[QUrl], bool] = QDesktopServices.openUrl

    def open(self, name: str) -> None:
        """Open a document by the name that an entity gives it."""
        try:
            file = attached_file(name, self._session.path)
            if not self.launch(QUrl.fromLocalFile(str(file))):
                raise InputError(
                    tr("No program opens “{name}”.", name=file.name),
                    tr("Open it in the file manager: {folder}", folder=file.parent),
                )
        except UserError as error:
            self._session.notifier.error(error)
