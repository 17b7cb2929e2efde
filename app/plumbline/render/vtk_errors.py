"""VTK's complaints as Python log records and exceptions, never a window or lines on a terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from vtkmodules.util.misc import calldata_type
from vtkmodules.util.vtkConstants import VTK_STRING
from vtkmodules.vtkCommonCore import vtkLogger, vtkOutputWindow, vtkStringOutputWindow

log = logging.getLogger("plumbline.vtk")


class VtkError(RuntimeError):
    """Something that VTK reported as an error: a defect, or a driver that cannot do it."""


_errors: list[str] = []
_window: vtkStringOutputWindow | None = None


def install() -> None:
    """Send what VTK reports to the log ``plumbline.vtk``; calling it again changes nothing."""
    global _window
    if _window is not None and vtkOutputWindow.GetInstance() is _window:
        return
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    window = vtkStringOutputWindow()
    window.AddObserver("ErrorEvent", _on_error)  # type: ignore[arg-type]
    window.AddObserver("WarningEvent", _on_warning)  # type: ignore[arg-type]
    vtkOutputWindow.SetInstance(window)
    _window = window


@calldata_type(VTK_STRING)  # type: ignore[untyped-decorator]
def _on_error(_caller: object, _event: str, message: str) -> None:
    log.error(message.strip())
    _errors.append(message.strip())


@calldata_type(VTK_STRING)  # type: ignore[untyped-decorator]
def _on_warning(_caller: object, _event: str, message: str) -> None:
    # For developers of VTK ("bad X server connection" before it falls back to EGL): no alarm.
    log.info(message.strip())


@contextmanager
def raising() -> Iterator[None]:
    """Raise `VtkError` at the end of a block in which VTK reported an error.

    An exception cannot pass through VTK's own frames, so it is raised after them.
    """
    install()
    before = len(_errors)
    yield
    reported = _errors[before:]
    if reported:
        del _errors[before:]
        raise VtkError("\n".join(reported))
