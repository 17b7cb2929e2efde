"""What a user chose about the window: language, theme; applied at start and when changed."""

from __future__ import annotations

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from plumbline import __version__
from plumbline.api import tr
from plumbline.core.i18n import translator
from plumbline.services import paths
from plumbline.services.settings import SettingsStore
from plumbline.ui_kit.icons import app_icon
from plumbline.ui_kit.theme import apply_theme, current_theme


class Preferences(QObject):
    """Applies the settings to the application and changes them on command."""

    def __init__(self, app: QApplication, store: SettingsStore) -> None:
        super().__init__(app)
        self._app, self.store = app, store
        self.apply()

    def apply(self) -> None:
        """Take up language and theme from the settings."""
        settings = self.store.settings
        translator.set_language(settings.effective_language)
        apply_theme(self._app, settings.theme)

    def set(self, **changes: object) -> None:
        """Change settings and apply them."""
        self.store.update(**changes)
        self.apply()

    def toggle_theme(self) -> None:
        """Switch between light and dark."""
        self.set(theme="light" if current_theme().dark else "dark")

    def toggle_language(self) -> None:
        """Switch between English and Chinese."""
        self.set(language="en" if translator.language == "zh_CN" else "zh_CN")

    def show_settings(self, window: QWidget) -> None:
        """Open the settings."""
        from plumbline.ui.dialogs.settings import SettingsDialog

        SettingsDialog(self, window).open()

    def show_log(self) -> None:
        """Open the folder of the log file in the system's file manager."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(paths.log_folder())))

    def show_about(self, window: QWidget) -> None:
        """Say what this is, which version, and under which licence."""
        box = QMessageBox(window)
        box.setWindowTitle(tr("About Plumbline"))
        box.setIconPixmap(app_icon().pixmap(64, 64))
        box.setText(f"Plumbline 准绳 {__version__}")
        box.setInformativeText(
            tr(
                "A desktop workstation for real-scene 3D. Open source under the Apache License "
                "2.0; uses Qt (LGPL), VTK, PROJ, GDAL, IfcOpenShell (LGPL) and others, listed in "
                "THIRD_PARTY_LICENSES."
            )
        )
        box.open()
