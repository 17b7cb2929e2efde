"""A picture of the scene that stands for it while only what is in front of it changes.

Where a processor draws, a city takes a quarter of a second. A tool that follows the mouse changes
a few lines in front of the city: they are drawn over the last picture of it instead.
"""

from __future__ import annotations

from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkTexture


class Backdrop:
    """Takes the picture at the end of a frame and shows it in the scene's place.

    Parameters
    ----------
    renderer : vtkRenderer
        Draws the scene, in the first layer of the window.
    """

    def __init__(self, renderer: vtkRenderer) -> None:
        self._scene = renderer
        self._window: vtkRenderWindow = renderer.GetRenderWindow()
        self.keeping = False
        self._size: tuple[int, int] | None = None
        self._image = vtkImageData()
        picture = vtkTexture()
        picture.SetInputData(self._image)
        picture.InterpolateOff()
        picture.SetColorModeToDirectScalars()
        self._renderer = vtkRenderer()
        self._renderer.InteractiveOff()
        self._renderer.DrawOff()
        self._renderer.SetBackgroundTexture(picture)
        self._renderer.TexturedBackgroundOn()
        self._window.AddRenderer(self._renderer)
        self._observers = [
            (self._scene, self._scene.AddObserver("EndEvent", self._take)),
            (self._window, self._window.AddObserver("StartEvent", self._check)),
        ]

    def drop(self) -> None:
        """The scene has changed: draw it again."""
        self._size = None
        self._stand_in(False)

    def show(self) -> bool:
        """Let the picture stand for the scene in the next frame; False if there is none."""
        there = self._size is not None and self._size == self._window.GetSize()
        self._stand_in(there)
        return there

    def close(self) -> None:
        """Leave the window as it was found."""
        self.drop()
        for owner, number in self._observers:
            owner.RemoveObserver(number)
        self._observers = []
        self._window.RemoveRenderer(self._renderer)

    def _stand_in(self, picture: bool) -> None:
        self._renderer.SetDraw(picture)
        self._scene.SetDraw(not picture)

    def _check(self, *_event: object) -> None:
        """Draw the scene itself where the window has another size than the picture."""
        if self._renderer.GetDraw() and self._size != self._window.GetSize():
            self.drop()

    def _take(self, *_event: object) -> None:
        if not self.keeping or not self._scene.GetDraw():
            return
        width, height = self._window.GetSize()
        pixels = vtkUnsignedCharArray()
        self._window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
        self._image.SetDimensions(width, height, 1)
        self._image.GetPointData().SetScalars(pixels)
        self._image.Modified()
        self._size = (width, height)
