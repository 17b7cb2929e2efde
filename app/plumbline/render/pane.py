"""The part of a window that one view of the scene fills, and the piece of it that is seen.

Views beside each other fill a part each. Behind a curtain each view fills the window, and is seen
on one side of the curtain only: its camera looks through a piece of its picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from vtkmodules.vtkRenderingCore import vtkCamera, vtkRenderer

Size = tuple[int, int]


@dataclass(frozen=True)
class Pane:
    """Shares of the window, from its lower left corner.

    Attributes
    ----------
    picture : (left, bottom, right, top)
        What the whole picture of the view takes.
    left, right : float
        What of the picture is seen, as shares of the window's width.
    """

    picture: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    left: float = 0.0
    right: float = 1.0

    @classmethod
    def cell(cls, left: float, bottom: float, right: float, top: float) -> Pane:
        """Return a pane that is seen whole."""
        return cls((left, bottom, right, top), left, right)

    def between(self, left: float, right: float) -> Pane:
        """Return the same picture, seen between two shares of the window's width."""
        return replace(self, left=max(left, self.picture[0]), right=min(right, self.picture[2]))

    @property
    def viewport(self) -> tuple[float, float, float, float]:
        """What is seen: left, bottom, right, top."""
        return (self.left, self.picture[1], max(self.right, self.left), self.picture[3])

    def holds(self, x: float, y: float) -> bool:
        """Tell whether a place, in shares of the window, is seen in this pane."""
        left, bottom, right, top = self.viewport
        return left <= x < right and bottom <= y < top

    def size(self, window: Size) -> Size:
        """Return width and height of the whole picture, pixels."""
        left, bottom, right, top = self.picture
        wide, high = round((right - left) * window[0]), round((top - bottom) * window[1])
        return max(1, wide), max(1, high)

    def corner(self, window: Size) -> tuple[float, float]:
        """Return the lower left pixel of the whole picture in the window."""
        return self.picture[0] * window[0], self.picture[1] * window[1]

    def aim(self, camera: vtkCamera) -> None:
        """Let a camera look through the piece that is seen."""
        left, _, right, _ = self.picture
        half = (self.right - self.left) / (right - left)
        middle = (self.left + self.right - left - right) / (right - left)
        camera.SetWindowCenter(middle / half if half > 0 else 0.0, 0.0)


WHOLE = Pane()


def grid(count: int) -> list[Pane]:
    """Return panes for views beside each other: two or three in a row, four in two rows."""
    if count <= 3:
        edges = np.linspace(0.0, 1.0, count + 1).tolist()
        return [Pane.cell(a, 0.0, b, 1.0) for a, b in pairwise(edges)]
    return [Pane.cell(x, y, x + 0.5, y + 0.5) for y in (0.5, 0.0) for x in (0.0, 0.5)][:count]


def curtain(share: float) -> list[Pane]:
    """Return two panes of the whole window, parted by a curtain at a share of its width."""
    return [WHOLE.between(0.0, share), WHOLE.between(share, 1.0)]


def place(renderer: vtkRenderer, pane: Pane) -> None:
    """Draw a renderer in a pane only; one of no width is not drawn at all."""
    left, bottom, right, top = pane.viewport
    renderer.SetViewport(left, bottom, right, top)
