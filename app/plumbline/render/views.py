"""The views of one window: one that follows the scene, or up to four, each with its own scheme.

Beside each other they part the window; behind a curtain two of them fill it, and a bar says which
is seen where. They share one camera unless each is to have its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkRenderer

from plumbline.core.scene import Camera
from plumbline.render.pane import WHOLE, Pane, curtain, grid
from plumbline.render.scene_view import SceneView

Layout = Literal["one", "beside", "curtain"]
#: Views beside each other.
MOST = 4


class Views:
    """Views of a scene in one plotter.

    Parameters
    ----------
    plotter : pyvista.BasePlotter
    make : callable
        Makes a view in a renderer of the plotter's window (its first one for None) that shows a
        scheme (what the scene shows for None).
    """

    def __init__(
        self, plotter: Any, make: Callable[[vtkRenderer | None, str | None], SceneView]
    ) -> None:
        self._plotter, self._make = plotter, make
        #: The view that follows the scene; always there.
        self.main = make(None, None)
        #: The view that mouse and keys belong to.
        self.current = self.main
        self._others: list[tuple[SceneView, vtkRenderer]] = []
        self._layout: Layout = "one"
        self._share = 0.5
        self._linked = True

    def __iter__(self) -> Iterator[SceneView]:
        """Iterate over the views, the main one first."""
        return iter([self.main, *(view for view, _ in self._others)])

    def __len__(self) -> int:
        return 1 + len(self._others)

    @property
    def layout(self) -> Layout:
        """How the views part the window."""
        return self._layout

    @property
    def schemes(self) -> list[str | None]:
        """What the views show, as given to `arrange`."""
        return [view.scheme for view in self]

    def arrange(self, schemes: Sequence[str | None], layout: Layout = "beside") -> None:
        """Show one view for each scheme; None follows the scene.

        Parameters
        ----------
        schemes : sequence of str or None
            One to four; the baseline is "". Two are behind a curtain.
        """
        wanted = list(schemes)[: 2 if layout == "curtain" else MOST]
        self._layout = layout if len(wanted) > 1 else "one"
        while len(self) > max(1, len(wanted)):
            self._remove()
        while len(self) < len(wanted):
            self._add(wanted[len(self)])
        for view, scheme in zip(self, wanted or [None], strict=True):
            view.tiles.share = 1 / len(self)
            if view.scheme != scheme:
                view.show_scheme(scheme)
        if self.current not in list(self):
            self.current = self.main
        self._place()

    def set_scheme(self, number: int, scheme: str | None) -> None:
        """Show another scheme in one view."""
        list(self)[number].show_scheme(scheme)

    @property
    def share(self) -> float:
        """Where the curtain hangs, a share of the window's width."""
        return self._share

    def set_share(self, share: float) -> None:
        """Move the curtain."""
        self._share = min(max(share, 0.0), 1.0)
        self._place()

    @property
    def linked(self) -> bool:
        """Whether all views share one camera."""
        return self._linked

    def set_linked(self, linked: bool) -> None:
        """Share one camera, that of the current view, or let each view have its own."""
        self._linked = linked
        self.set_camera(self.current.camera())

    def at(self, x: float, y: float) -> SceneView:
        """Return the view that is seen at a pixel of the window, origin at the lower left."""
        width, height = self._plotter.render_window.GetSize()
        place = x / max(1, width), y / max(1, height)
        return next((view for view in self if view.pane.holds(*place)), self.current)

    # -- all views -------------------------------------------------------------------------

    def set_camera(self, camera: Camera) -> None:
        """Move the camera of all views, or that of the current one if they are not linked."""
        for view in self if self._linked else [self.current]:
            view.set_camera(camera)

    def begin_interaction(self) -> None:
        """Draw less in all views."""
        for view in self:
            view.begin_interaction()

    def end_interaction(self) -> None:
        """Draw everything again in all views."""
        for view in self:
            view.end_interaction()

    def screenshot(self, path: Path | None = None) -> NDArray[np.uint8]:
        """Return the picture of the window at rest ``(H, W, 3)``; also write it to a file."""
        for view, _ in self._others:
            view.settle()
        return self.main.screenshot(path=path)

    def close(self) -> None:
        """Release all views."""
        while self._others:
            self._remove()
        self.main.close()

    # -- inside ----------------------------------------------------------------------------

    def _add(self, scheme: str | None) -> None:
        renderer = vtkRenderer()
        renderer.InteractiveOff()
        self._plotter.render_window.AddRenderer(renderer)
        view = self._make(renderer, scheme)
        view.set_camera(self.main.camera())
        sun = self.main.sun
        if sun is not None:
            view.set_sun(sun.azimuth, sun.elevation)
        view.tools.adopt(self.main.tools)
        view.transients.adopt(self.main.transients)
        self._others.append((view, renderer))

    def _remove(self) -> None:
        view, renderer = self._others.pop()
        view.close()
        self._plotter.render_window.RemoveRenderer(renderer)

    def _place(self) -> None:
        panes: list[Pane] = [WHOLE]
        if self._layout == "beside":
            panes = grid(len(self))
        elif self._layout == "curtain":
            panes = curtain(self._share)
        for view, pane in zip(self, panes, strict=True):
            view.set_pane(pane)
