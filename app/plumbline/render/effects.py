"""Sky, lights and the passes that make depth readable."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.vtkRenderingCore import vtkActor, vtkLight, vtkRenderer
from vtkmodules.vtkRenderingOpenGL2 import (
    vtkEDLShading,
    vtkOpenGLFXAAPass,
    vtkRenderStepsPass,
    vtkSSAOPass,
)

from plumbline.render.parts import Part, build
from plumbline.render.sun import Sun
from plumbline.render.theme import RenderTheme, rgb

Bounds6 = tuple[float, float, float, float, float, float]


class Effects:
    """The look of one renderer; every setting can be changed at any time."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._state: tuple[bool, bool, bool, float] = (False, False, False, 0.0)
        self._far_corners = vtkActor()
        self._passes: list[Any] = []
        self._lights: list[vtkLight] = []
        self._light()

    def set_theme(self, theme: RenderTheme) -> None:
        """Paint the sky."""
        self._renderer.GradientBackgroundOn()
        self._renderer.SetBackground(rgb(theme.sky_bottom))
        self._renderer.SetBackground2(rgb(theme.sky_top))

    def set_sun(self, sun: Sun | None) -> None:
        """Light evenly from the sky, since surfaces take the sun from their shader; None undoes it.

        The sky is painted by `set_theme` or here, whatever comes last.
        """
        strengths = (0.78, 0.22, 0.32) if sun is None else (0.22, 0.22, 0.62)
        for light, strength in zip(self._lights, strengths, strict=True):
            light.SetIntensity(strength)
        if sun is not None:
            above, below, _, _ = sun.colors()
            self._renderer.SetBackground(*below)
            self._renderer.SetBackground2(*above)

    def set_depth(self, *, occlusion: bool, eye_dome: bool, smooth: bool, reach: float) -> None:
        """Choose the passes.

        Parameters
        ----------
        occlusion : bool
            Darken corners, within `reach` metres.
        eye_dome : bool
            Outline what stands before something farther away.
        smooth : bool
            Smooth the stairs of edges.
        """
        state = (occlusion, eye_dome, smooth, round(reach, 1))
        if state == self._state:
            return
        self._state = state
        self.release()
        chosen: list[Any] = []
        if occlusion:
            shade = vtkSSAOPass()
            shade.SetRadius(reach)
            shade.SetBias(reach * 0.03)
            shade.SetKernelSize(24)
            shade.BlurOn()
            shade.SetIntensityScale(1.4)
            chosen.append(shade)
        if eye_dome:
            chosen.append(vtkEDLShading())
        if smooth:
            chosen.append(vtkOpenGLFXAAPass())
        if not chosen:
            return
        self._passes = [vtkRenderStepsPass(), *chosen]
        for inner, outer in zip(self._passes, chosen, strict=False):
            outer.SetDelegatePass(inner)
        self._renderer.SetPass(self._passes[-1])

    def soften(self, bounds: Bounds6 | None, factor: float = 1.0) -> None:
        """Weaken eye-dome lighting by a factor, or undo that.

        VTK measures depth in sizes of the scene and offers no strength: three times the scene
        makes a third of the darkening. Two corners far away that are never seen enlarge it.

        Parameters
        ----------
        bounds : (xmin, xmax, ymin, ymax, zmin, zmax), optional
            Of what is drawn; None when nothing is.
        """
        self._renderer.RemoveActor(self._far_corners)
        if bounds is None or factor <= 1:
            return
        low, high = np.array(bounds).reshape(3, 2).T
        grow = (high - low) * (factor - 1) / 2
        corners = np.array([low - grow, high + grow], dtype=np.float32)
        self._far_corners = build(Part(corners)).actor
        self._renderer.AddActor(self._far_corners)

    def close(self) -> None:
        """Leave the renderer as it was found."""
        self._renderer.RemoveActor(self._far_corners)
        self.release()

    def release(self) -> None:
        """Take the passes away and give their memory on the graphics card back."""
        self._renderer.SetPass(None)  # type: ignore[arg-type]  # VTK takes nullptr
        window = self._renderer.GetRenderWindow()
        for item in self._passes:
            item.ReleaseGraphicsResources(window)
        self._passes = []

    def _light(self) -> None:
        """A sun over the viewer's left shoulder, as maps are shaded, and a lamp at the camera."""
        self._renderer.RemoveAllLights()
        self._renderer.AutomaticLightCreationOff()
        for position, strength, color in (
            ((-0.75, 0.7, 0.8), 0.78, (1.0, 0.97, 0.91)),
            ((0.6, 0.5, 0.5), 0.22, (0.86, 0.92, 1.0)),
            ((0.0, 0.0, 1.0), 0.32, (1.0, 1.0, 1.0)),
        ):
            light = vtkLight()
            light.SetLightTypeToCameraLight()
            light.SetPosition(position)
            light.SetFocalPoint(0.0, 0.0, 0.0)
            light.SetColor(color)
            light.SetIntensity(strength)
            self._renderer.AddLight(light)
            self._lights.append(light)
