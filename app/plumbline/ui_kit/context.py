"""What the window offers a tool panel; panels see this and never the window.

The main window implements `ToolContext`; tests hand panels a small fake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from psygnal import SignalInstance

from plumbline.api import Record, Result, Scene

Point = tuple[float, float, float]


class CanvasTool(Protocol):
    """The canvas while a tool has it. Points are in the project CRS, float64.

    Signals
    -------
    hovered : Pick or None
        What is under the cursor; None over the sky. Comes at most once a frame.
    clicked : Pick
        A left click that was not a drag of the camera.
    finished : no argument
        Double click or Enter: the input is complete.
    stepped_back : no argument
        Backspace: take the last point back.
    escaped : no argument
        Esc: give up what was begun, or leave the tool when nothing was begun.
    """

    hovered: SignalInstance
    clicked: SignalInstance
    finished: SignalInstance
    stepped_back: SignalInstance
    escaped: SignalInstance

    def show_preview(
        self, points: Sequence[Point], label: str = "", *, closed: bool = False
    ) -> None:
        """Draw a rubber band through points with a label at its middle; replaces the last one."""

    def clear_preview(self) -> None:
        """Remove the rubber band."""


class ToolContext(Protocol):
    """The scene, the canvas and the task runner, as a panel may use them."""

    @property
    def scene(self) -> Scene:
        """The open scene; listen to its events, change it through its methods."""

    @property
    def canvas(self) -> CanvasTool:
        """The canvas; its signals reach only the active tool."""

    @property
    def operator(self) -> str:
        """Name of the person at the desk, from the settings."""

    def run(
        self,
        analysis: str,
        params: Mapping[str, Any],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run an analysis as a task; `done` is called on this thread with its result."""

    def keep(self, result: Result, name: str) -> Record:
        """Keep a result in the project, so that it is drawn, listed and saved."""

    def close_tool(self) -> None:
        """Give the canvas back to plain selection."""
