"""Sky, lights and the passes that make depth readable."""

from __future__ import annotations

from vtkmodules.vtkRenderingCore import vtkLight, vtkRenderer
from vtkmodules.vtkRenderingOpenGL2 import vtkEDLShading, vtkRenderStepsPass, vtkSSAOPass

from plumbline.render.theme import RenderTheme, rgb


class Effects:
    """The look of one renderer; every setting can be changed at any time."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._state: tuple[bool, bool, float] = (False, False, 0.0)
        self._passes: list[object] = []
        self._light()

    def set_theme(self, theme: RenderTheme) -> None:
        """Paint the sky."""
        self._renderer.GradientBackgroundOn()
        self._renderer.SetBackground(rgb(theme.sky_bottom))
        self._renderer.SetBackground2(rgb(theme.sky_top))

    def set_depth(self, *, occlusion: bool, eye_dome: bool, reach: float) -> None:
        """Switch ambient occlusion (of surfaces, within `reach` metres) and eye-dome lighting."""
        state = (occlusion, eye_dome, round(reach, 1))
        if state == self._state:
            return
        self._state = state
        self.release()
        if not (occlusion or eye_dome):
            return
        last: object = vtkRenderStepsPass()
        self._passes = [last]
        if occlusion:
            shade = vtkSSAOPass()
            shade.SetDelegatePass(last)
            shade.SetRadius(reach)
            shade.SetBias(reach * 0.03)
            shade.SetKernelSize(24)
            shade.BlurOn()
            self._passes.append(shade)
            last = shade
        if eye_dome:
            dome = vtkEDLShading()
            dome.SetDelegatePass(last)
            self._passes.append(dome)
            last = dome
        self._renderer.SetPass(last)

    def release(self) -> None:
        """Take the passes away and give their memory on the graphics card back."""
        self._renderer.SetPass(None)
        window = self._renderer.GetRenderWindow()
        for item in self._passes:
            item.ReleaseGraphicsResources(window)  # type: ignore[attr-defined]
        self._passes = []

    def _light(self) -> None:
        """A low sun from behind the viewer's left, the sky from above, a lamp at the camera."""
        self._renderer.RemoveAllLights()
        self._renderer.AutomaticLightCreationOff()
        for kind, position, strength, color in (
            ("sun", (-0.55, -0.35, 0.75), 0.62, (1.0, 0.97, 0.90)),
            ("sky", (0.25, 0.45, 1.0), 0.30, (0.86, 0.92, 1.0)),
            ("lamp", (0.0, 0.0, 1.0), 0.30, (1.0, 1.0, 1.0)),
        ):
            light = vtkLight()
            if kind == "lamp":
                light.SetLightTypeToHeadlight()
            else:
                light.SetLightTypeToSceneLight()
                light.SetPosition(position)
                light.SetFocalPoint(0.0, 0.0, 0.0)
            light.SetColor(color)
            light.SetIntensity(strength)
            self._renderer.AddLight(light)
