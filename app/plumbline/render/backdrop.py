"""A picture of the scene that stands for it while only what is in front of it changes.

Where a processor draws, a city takes a quarter of a second. A tool that follows the mouse changes
a few lines in front of the city: they are drawn over the last picture of it instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkFloatArray, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkTexture


class Backdrop:
    """Takes the picture at the end of a frame and shows it in the scene's place.

    Parameters
    ----------
    renderer : vtkRenderer
        Draws the scene, in the first layer of the window, or in a part of it.

    Attributes
    ----------
    keeping : bool
        Whether pictures are taken.
    deep : bool
        Whether their depth is taken too.
    depth : (H, W) float32, optional
        Of the picture, 0 near to 1 far, first row at the bottom.
    matrix : (4, 4) float64
        From the world to the normalised cube, as the picture was taken.
    pixels : (H * W, 3) uint8
        The picture as it was taken.
    taken : callable
        Called when a picture with its depth has been taken.
    """

    def __init__(self, renderer: vtkRenderer) -> None:
        self._scene = renderer
        self._window: vtkRenderWindow = renderer.GetRenderWindow()
        self.keeping = self.deep = False
        self.depth: NDArray[np.float32] | None = None
        self.matrix = np.eye(4)
        self.pixels = np.empty((0, 3), dtype=np.uint8)
        self.taken: Callable[[], None] = lambda: None
        #: Left, bottom, width and height of the picture in the window.
        self._size: tuple[int, int, int, int] | None = None
        self._image = vtkImageData()
        picture = vtkTexture()
        picture.SetInputData(self._image)
        picture.InterpolateOff()
        picture.SetColorModeToDirectScalars()
        self.renderer = vtkRenderer()
        self.renderer.InteractiveOff()
        self.renderer.DrawOff()
        self.renderer.SetBackgroundTexture(picture)
        self.renderer.TexturedBackgroundOn()
        self._window.AddRenderer(self.renderer)
        self._observers = [
            (self._scene, self._scene.AddObserver("EndEvent", self._take)),
            (self._window, self._window.AddObserver("StartEvent", self._check)),
        ]

    def drop(self) -> None:
        """The scene has changed: draw it again."""
        self._size = None
        self.depth = None
        self._stand_in(False)

    def paint(self, pixels: NDArray[np.uint8]) -> None:
        """Show other pixels ``(H * W, 3)`` in place of those that were taken."""
        self._image.GetPointData().SetScalars(numpy_to_vtk(pixels, deep=True))
        self._image.Modified()

    def show(self) -> bool:
        """Let the picture stand for the scene in the next frame; False if there is none."""
        there = self._size is not None and self._size == self._place()
        self._stand_in(there)
        return there

    def close(self) -> None:
        """Leave the window as it was found."""
        self.drop()
        for owner, number in self._observers:
            owner.RemoveObserver(number)
        self._observers = []
        self._window.RemoveRenderer(self.renderer)

    def _stand_in(self, picture: bool) -> None:
        self.renderer.SetDraw(picture)
        self._scene.SetDraw(not picture)

    def _check(self, *_event: object) -> None:
        """Draw the scene itself where the window has another size than the picture."""
        if self.renderer.GetDraw() and self._size != self._place():
            self.drop()

    def _take(self, *_event: object) -> None:
        if not self.keeping or not self._scene.GetDraw():
            return
        left, bottom, width, height = place = self._place()
        pixels = vtkUnsignedCharArray()
        right, top = left + width - 1, bottom + height - 1
        self._window.GetPixelData(left, bottom, right, top, 0, pixels, 0)
        self._image.SetDimensions(width, height, 1)
        self._image.GetPointData().SetScalars(pixels)
        self._image.Modified()
        self._size = place
        if self.deep:
            self._take_depth(place)

    def _take_depth(self, place: tuple[int, int, int, int]) -> None:
        left, bottom, width, height = place
        depth = vtkFloatArray()
        right, top = left + width - 1, bottom + height - 1
        self._window.GetZbufferData(left, bottom, right, top, depth)
        self.depth = vtk_to_numpy(depth).reshape(height, width)
        self.pixels = vtk_to_numpy(self._image.GetPointData().GetScalars())
        eye = self._scene.GetActiveCamera()
        matrix = eye.GetCompositeProjectionTransformMatrix(width / height, -1, 1)
        self.matrix = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
        self.taken()

    def _place(self) -> tuple[int, int, int, int]:
        """Return the place of the scene's renderer in the window, pixels."""
        return (*self._scene.GetOrigin(), *self._scene.GetSize())
