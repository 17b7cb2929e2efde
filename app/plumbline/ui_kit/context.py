"""What the window offers a tool panel; panels see this and never the window.

The main window implements `ToolContext`; tests hand panels a small fake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from psygnal import SignalInstance
from PySide6.QtWidgets import QWidget

from plumbline.api import Bounds, Camera, Layer, LayerStyle, Record, Result, Scene

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Mark:
    """Something a tool draws in front of the scene.

    Attributes
    ----------
    points : sequence of (x, y, z)
        Project CRS.
    kind : str
        ``"line"`` through the points, filled ``"polygon"``, or ``"points"``.
    tone : str
        A colour token of the theme, e.g. ``accent, good, bad, warn, muted, visible, hidden, lit,
        shade, cut, fill, new, gone, changed``.
    width : float
        Of a line, or size of points, in pixels of the desktop.
    """

    points: Sequence[Point]
    kind: Literal["line", "polygon", "points"] = "line"
    tone: str = "accent"
    width: float = 2.5
    label: str = ""
    closed: bool = False


@dataclass(frozen=True)
class Guide:
    """What a handle keeps to while it is dragged, whatever is seen under the cursor.

    Attributes
    ----------
    direction : (dx, dy, dz)
        Of the line through the handle, or normal of the plane through it.
    plane : bool
        Keep to the plane.
    """

    direction: Point
    plane: bool = False


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
    handle_moved, handle_released : int, Pick
        A handle is being dragged over the scene, or was let go; the camera stays still.
    """

    hovered: SignalInstance
    clicked: SignalInstance
    finished: SignalInstance
    stepped_back: SignalInstance
    escaped: SignalInstance
    handle_moved: SignalInstance
    handle_released: SignalInstance

    def set_aim(self, *, snap: bool, base: Point | None = None) -> None:
        """Let clicks snap to corners, edges and points, and show what they snap to.

        Parameters
        ----------
        snap : bool
            Off when a tool opens, and off again when it closes.
        base : (x, y, z), optional
            The point that the next one is measured from: perpendiculars are dropped from it, and
            keys hold the hand level with it (Shift) or straight above or below it (Ctrl).
        """

    def show_preview(
        self, points: Sequence[Point], label: str = "", *, closed: bool = False
    ) -> None:
        """Draw a rubber band through points with a label at its middle; replaces the last one."""

    def clear_preview(self) -> None:
        """Remove the rubber band."""

    def show_marks(self, key: str, marks: Sequence[Mark]) -> None:
        """Draw marks; they replace those of the same key."""

    def clear_marks(self, key: str = "") -> None:
        """Remove the marks of a key, or all of them."""

    def set_handles(self, points: Sequence[Point], guides: Sequence[Guide | None] = ()) -> None:
        """Show points that can be dragged with the mouse; replaces the last ones.

        A handle with a guide keeps to it, and its picks name no layer; the others follow what is
        seen under the cursor.
        """

    def show_layer(
        self, key: str, layer: Layer | None, style: LayerStyle | None = None, *, live: bool = False
    ) -> None:
        """Draw a layer that is not in the scene (a preview); None takes it away.

        A grid that is `live` is laid over the picture of the scene in a hundredth of a second, to
        follow a hand; it goes when the camera has moved, until it is shown again.
        """

    @property
    def camera(self) -> Camera:
        """Where the viewer is."""

    def go_to(self, camera: Camera) -> None:
        """Move the viewer, with a short ease."""

    def zoom_to(self, bounds: Bounds) -> None:
        """Show a box."""

    def picture(self) -> bytes:
        """Return what the canvas shows as PNG."""

    def set_sun(self, azimuth_grid: float | None, elevation: float = 0.0) -> None:
        """Light the scene from the sun and cast shadows; None goes back to the plain light.

        Parameters
        ----------
        azimuth_grid : float or None
            Degrees clockwise from grid north.
        elevation : float
            Degrees above the horizon.
        """


class Running(Protocol):
    """An analysis that is being computed as a task."""

    @property
    def fraction(self) -> float:
        """Share done, 0 to 1."""

    @property
    def text(self) -> str:
        """What is being done now."""

    @property
    def finished(self) -> bool:
        """Whether it is done, failed or cancelled."""

    def cancel(self) -> None:
        """Ask it to stop at its next step."""


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
    ) -> Running | None:
        """Run an analysis as a task; `done` is called on this thread with its result.

        Returns the task, to be watched and cancelled; None when the request was refused at once.
        """

    def preview(
        self,
        key: str,
        analysis: str,
        params: Mapping[str, Any],
        done: Callable[[Result], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Run an analysis while the mouse moves: unlisted, and only the newest of a key counts.

        While one is being computed the next waits, and only the last of those that wait is run.
        """

    def add_layers(self, result: Result, names: Mapping[str, str] | None = None) -> list[str]:
        """Add the layers of a result to the scene, in the group of results; return their ids."""

    def export(self, result: Result) -> None:
        """Ask for a folder and write the result there."""

    def film(
        self,
        name: str,
        count: int,
        seconds: float,
        show: Callable[[int], str],
        ended: Callable[[], object],
    ) -> Running | None:
        """Ask for a file, take pictures of the canvas and write them as an animation.

        Parameters
        ----------
        name : str
            Of the file, to begin with.
        count : int
            How many pictures.
        seconds : float
            For which each of them stands.
        show : callable
            Puts the canvas into the state of a picture, by its number; returns its caption.
        ended : callable
            Called when the last picture was taken or the film was cancelled.

        Returns
        -------
        Running or None
            None when the user gave up.
        """

    def print_result(self, result: Result, word: Callable[[str], str]) -> None:
        """Ask for a file and write the result there as PDF, Word or Excel, with a map.

        `word` gives the translated name of a value, a table, a column or a figure.
        """

    def show_chart(self, title: str, chart: QWidget) -> None:
        """Show a chart in the drawer."""

    def show_bar(self, bar: QWidget | None) -> None:
        """Show a bar at the foot of the canvas, which stays the tool's; None takes it away."""

    def keep(self, result: Result, name: str, instead_of: str = "") -> Record:
        """Keep a result in the project, so that it is drawn, listed and saved.

        Parameters
        ----------
        instead_of : str
            Id of the record whose place it takes.
        """

    def close_tool(self) -> None:
        """Give the canvas back to plain selection."""
