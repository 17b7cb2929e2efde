"""Sunlight and cast shadows, in real time.

The scene is drawn once as the sun sees it, depth only, in a window of its own that nobody sees;
every surface then asks that picture whether something stands between it and the sun. Nothing but a
few lines of shader is added to the actors, so all passes over the picture work as before, and also
photographs, which no light shades, take shadows. There are two such pictures: of the whole scene,
and a finer one of what is in view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkFloatArray
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkTexture,
)

from plumbline.core.data import AnyArray, FloatArray
from plumbline.render.parts import Drawn
from plumbline.render.theme import rgb

#: Something this near to a surface casts no shadow on it: heights are drawn within a tolerance.
BIAS = 0.25
#: A map of what is in view is worth its time when it covers less than this share of the scene.
WORTH = 0.6

#: Elevation of the sun, then sky above and below, sunlight and shade as factors of the colours.
_SKIES: tuple[tuple[float, str, str, str, str], ...] = (
    (-12.0, "#0B1220", "#1B2536", "#000000", "#4A536B"),
    (-4.0, "#2A3B5E", "#8A6F7C", "#000000", "#5E6680"),
    (0.0, "#5D7FA8", "#E8B48C", "#5A3A20", "#6B7088"),
    (6.0, "#86A9CF", "#F3DCBF", "#9A7A50", "#787E90"),
    (20.0, "#A9C7E6", "#F0F2F3", "#967F60", "#7F8796"),
    (90.0, "#9CC1E8", "#F3F6F9", "#92877A", "#868E9C"),
)


@dataclass(frozen=True)
class Sun:
    """Where the sun stands: degrees clockwise from grid north, and above the horizon."""

    azimuth: float
    elevation: float

    @property
    def direction(self) -> FloatArray:
        """Unit vector towards the sun (east, north, up)."""
        turn, rise = math.radians(self.azimuth), math.radians(self.elevation)
        flat = math.cos(rise)
        return np.array([math.sin(turn) * flat, math.cos(turn) * flat, math.sin(rise)])

    def colors(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the sky above and below, sunlight and shade, RGB in 0..1."""
        heights = [row[0] for row in _SKIES]
        table = np.array([[rgb(color) for color in row[1:]] for row in _SKIES])
        mixed = [
            np.array([np.interp(self.elevation, heights, table[:, n, c]) for c in range(3)])
            for n in range(4)
        ]
        return mixed[0], mixed[1], mixed[2], mixed[3]


_VERTEX_DECLARATION = """//VTK::Clip::Dec
out vec3 sunFar;
out vec3 sunNear;
"""
_VERTEX = """//VTK::CustomEnd::Impl
  sunFar = (sunFarMatrix * vertexMC).xyz;
  sunNear = (sunNearMatrix * vertexMC).xyz;
"""
#: How much of the sun a place sees, from four neighbouring depths; each is compared with the plane
#: of the surface there, so that a slope does not shade itself.
_FRAGMENT_DECLARATION = """//VTK::Clip::Dec
in vec3 sunFar;
in vec3 sunNear;
float sunSeen(sampler2D depths, vec3 at, vec2 slope, float texel, float bias)
{
  vec2 cell = at.xy / texel - 0.5;
  vec2 corner = floor(cell);
  vec2 share = cell - corner;
  float margin = bias + 0.5 * texel * (abs(slope.x) + abs(slope.y));
  vec4 seen;
  for (int n = 0; n < 4; n++)
  {
    vec2 place = (corner + vec2(float(n % 2), float(n / 2)) + 0.5) * texel;
    float surface = at.z + dot(slope, place - at.xy) - margin;
    float first = dot(texture(depths, place).rgb, vec3(255.0, 65280.0, 16711680.0)) / 16777215.0;
    seen[n] = surface <= first ? 1.0 : 0.0;
  }
  return mix(mix(seen.x, seen.y, share.x), mix(seen.z, seen.w, share.x), share.y);
}
vec2 sunOn(sampler2D depths, vec3 at, vec3 across, vec3 along, float texel, vec2 scale)
{
  // Seen from the sun and from here the same way round: the lit side.
  float side = across.x * along.y - across.y * along.x;
  if (side <= 0.0) return vec2(0.0);
  vec2 slope = vec2(along.y * across.z - across.y * along.z,
                    across.x * along.z - along.x * across.z) / side;
  vec2 steep = slope * scale.x;
  float facing = inversesqrt(1.0 + dot(steep, steep));
  float grazing = smoothstep(0.02, 0.08, facing);
  return vec2(grazing * sunSeen(depths, at, slope, texel, scale.y), facing);
}
"""
_FRAGMENT = """//VTK::Light::Impl
  {
    // Derivatives are taken outside of branches.
    vec3 farAcross = dFdx(sunFar), farAlong = dFdy(sunFar);
    vec3 nearAcross = dFdx(sunNear), nearAlong = dFdy(sunNear);
    vec2 sun = vec2(1.0, 1.0);
    vec2 rim = abs(sunNear.xy - 0.5);
    if (max(rim.x, rim.y) < 0.499)
      sun = sunOn(sunNearMap, sunNear, nearAcross, nearAlong, sunTexels.y, sunNearScale.xy);
    else if (all(lessThan(abs(sunFar.xy - 0.5), vec2(0.499))))
      sun = sunOn(sunFarMap, sunFar, farAcross, farAlong, sunTexels.x, sunFarScale.xy);
    gl_FragData[0].rgb *= sunShade + sunLight * sun.x * (FACING);
  }
"""
#: Flat faces are lit by their angle to the sun; photographs and smooth ground hold that already.
_FLAT, _EVEN = "0.3 + 0.9 * sun.y", "1.0"


class Sunlight:
    """The sun of a view: nothing while there is none."""

    def __init__(self) -> None:
        self.sun: Sun | None = None
        self._shadows: Shadows | None = None

    def set(self, sun: Sun | None, side: int = 0) -> None:
        """Take another sun; shadows are drawn by `update`, `side` pixels wide and high."""
        self.sun = sun
        if sun is None and self._shadows is not None:
            self._shadows.close()
            self._shadows = None
        elif sun is not None and self._shadows is None:
            self._shadows = Shadows(side)

    def update(self, drawn: Sequence[Drawn], seen: FloatArray | None) -> None:
        """Let the sun shine on what is drawn; `seen` are places around what is in view."""
        if self.sun is not None and self._shadows is not None:
            self._shadows.set_casters([d for d in drawn if casts(d)])
            self._shadows.set_receivers([d for d in drawn if receives(d)])
            self._shadows.cast(self.sun, seen)


class Shadows:
    """Depths of the scene as the sun sees it, and the surfaces that ask them.

    Parameters
    ----------
    side : int
        Pixels of a side of each picture.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._window: vtkRenderWindow | None = None
        self._renderer = vtkRenderer()
        self._casters: dict[int, tuple[Drawn, vtkActor]] = {}
        self._maps = {"sunFarMap": _Map(), "sunNearMap": _Map()}
        self._receivers: dict[int, Drawn] = {}

    def close(self) -> None:
        """Take the shadows off all surfaces and release the window."""
        self.set_receivers([])
        self.set_casters([])
        if self._window is not None:
            self._window.RemoveRenderer(self._renderer)
            self._window.Finalize()
            self._window = None

    # -- who takes part --------------------------------------------------------------------

    def set_casters(self, drawn: Sequence[Drawn]) -> None:
        """Let these throw shadows."""
        wanted = {id(d): d for d in drawn}
        if wanted.keys() != self._casters.keys():
            for entry in self._maps.values():
                entry.frame = None
        for key in [k for k in self._casters if k not in wanted]:
            self._renderer.RemoveActor(self._casters.pop(key)[1])
        for key, one in wanted.items():
            if key not in self._casters:
                actor = _depth_actor(one)
                self._renderer.AddActor(actor)
                self._casters[key] = (one, actor)

    def set_receivers(self, drawn: Sequence[Drawn]) -> None:
        """Let these be lit by the sun and take shadows."""
        wanted = {id(d): d for d in drawn}
        for key in [k for k in self._receivers if k not in wanted]:
            _detach(self._receivers.pop(key))
        for key, one in wanted.items():
            if key not in self._receivers:
                _attach(one, {name: entry.texture for name, entry in self._maps.items()})
                self._receivers[key] = one

    # -- light -----------------------------------------------------------------------------

    def cast(self, sun: Sun, seen: FloatArray | None) -> None:
        """Draw the shadows of a sun.

        Parameters
        ----------
        seen : (N, 3) float, optional
            Places around what is in view, scene coordinates; without them only the whole scene is
            drawn.
        """
        boxes = [np.array(actor.GetBounds()) for _, actor in self._casters.values()]
        if sun.elevation > 0 and boxes:
            low, high = np.min(boxes, axis=0)[::2], np.max(boxes, axis=0)[1::2]
            ends = np.array([low, high])
            corners = ends[np.array(list(np.ndindex(2, 2, 2))), [0, 1, 2]]
            whole = _Frame.around(sun.direction, corners, corners)
            self._draw("sunFarMap", whole)
            near = whole if seen is None else _Frame.around(sun.direction, corners, seen)
            if near.area > WORTH * whole.area:
                near = whole
            self._draw("sunNearMap", near)
        self._tell(sun)

    def _draw(self, name: str, frame: _Frame) -> None:
        """Draw the depths of a frame, unless they are known."""
        if self._maps[name].frame == frame:
            return
        if self._window is None:
            self._window = vtkRenderWindow()
            self._window.SetOffScreenRendering(True)
            self._window.SetMultiSamples(0)
            self._window.SetSize(self._side, self._side)
            self._window.AddRenderer(self._renderer)
        entry = self._maps[name]
        if name == "sunNearMap" and frame == self._maps["sunFarMap"].frame:
            entry.take(self._maps["sunFarMap"].depths, self._side)
        else:
            frame.look(self._renderer)
            self._window.Render()
            depths = vtkFloatArray()
            last = self._side - 1
            self._window.GetZbufferData(0, 0, last, last, depths)
            entry.take(_packed(vtk_to_numpy(depths)), self._side)
        entry.frame = frame

    def _tell(self, sun: Sun) -> None:
        """Give every surface the places of the pictures and the colour of the light."""
        _, _, light, shade = sun.colors()
        far, near = self._maps["sunFarMap"].frame, self._maps["sunNearMap"].frame
        power = light if sun.elevation > 0 and far and near else np.zeros(3)
        for drawn in self._receivers.values():
            shader = drawn.actor.GetShaderProperty()
            inside, outside = shader.GetFragmentCustomUniforms(), shader.GetVertexCustomUniforms()
            inside.SetUniform3f("sunLight", [float(v) for v in power])
            inside.SetUniform3f("sunShade", [float(v) for v in shade])
            texel = 1.0 / self._side
            inside.SetUniform2f("sunTexels", [texel, texel])
            for name, frame in (("Far", far), ("Near", near)):
                scale = frame.scale if frame else (1.0, 1.0)
                matrix = frame.matrix if frame else np.eye(4)
                inside.SetUniform2f(f"sun{name}Scale", list(scale))
                outside.SetUniformMatrix4x4(f"sun{name}Matrix", matrix.T.ravel().tolist())


class _Map:
    """One picture of depths as a texture."""

    def __init__(self) -> None:
        self.frame: _Frame | None = None
        self._image = vtkImageData()
        self.texture = vtkTexture()
        self.texture.SetInputData(self._image)
        self.texture.InterpolateOff()
        self.texture.MipmapOff()
        self.texture.SetColorModeToDirectScalars()
        self.texture.SetWrap(vtkTexture.ClampToEdge)
        self.take(_packed(np.ones(1)), 1)

    def take(self, depths: NDArray[np.uint8], side: int) -> None:
        """Show packed depths ``(side * side, 4)``, the lower row first."""
        self.depths = depths
        self._image.SetDimensions(side, side, 1)
        self._image.GetPointData().SetScalars(numpy_to_vtk(depths, deep=True))
        self._image.Modified()


def _packed(depths: AnyArray) -> NDArray[np.uint8]:
    """Return depths in 0..1 as 24 bits in three bytes, the lowest first: VTK's textures keep 8."""
    whole = (depths.astype(np.float64) * (2**24 - 1)).astype("<u4") | np.uint32(0xFF000000)
    return whole.view(np.uint8).reshape(-1, 4)


@dataclass(frozen=True)
class _Frame:
    """What one picture shows: a box along the direction to the sun, scene coordinates.

    Attributes
    ----------
    axes : ((x, y, z), ...)
        Right and up in the picture, and towards the sun.
    low, high : (right, up, towards)
        Corners of the box along these axes.
    """

    axes: tuple[tuple[float, float, float], ...]
    low: tuple[float, float, float]
    high: tuple[float, float, float]

    @classmethod
    def around(cls, direction: FloatArray, casters: FloatArray, seen: FloatArray) -> _Frame:
        """Return the frame of what is seen, as deep as everything that may throw a shadow on it."""
        right = np.cross((0.0, 0.0, 1.0), direction)
        length = float(np.linalg.norm(right))
        right = right / length if length > 1e-6 else np.array([1.0, 0.0, 0.0])
        axes = np.array([right, np.cross(direction, right), direction])
        whole, part = casters @ axes.T, seen @ axes.T
        low = np.maximum(part.min(axis=0), whole.min(axis=0))
        high = np.minimum(part.max(axis=0), whole.max(axis=0))
        low[2], high[2] = whole[:, 2].min() - 1.0, whole[:, 2].max() + 1.0
        # A square, so that cells are square.
        middle, half = (low + high) / 2, max(float((high - low)[:2].max()) / 2 * 1.01, 1.0)
        low[:2], high[:2] = middle[:2] - half, middle[:2] + half
        rows = [tuple(float(v) for v in row) for row in (*axes, low, high)]
        return cls((rows[0], rows[1], rows[2]), rows[3], rows[4])  # type: ignore[arg-type]

    @property
    def area(self) -> float:
        """Square metres across the light."""
        return (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])

    @property
    def scale(self) -> tuple[float, float]:
        """Depth of the box by its width, and `BIAS` as a share of the depth."""
        depth = self.high[2] - self.low[2]
        return depth / (self.high[0] - self.low[0]), BIAS / depth

    @property
    def matrix(self) -> FloatArray:
        """From scene coordinates to the picture, 0..1, and the depth in it ``(4, 4)``."""
        low, high = np.array(self.low), np.array(self.high)
        matrix = np.eye(4)
        matrix[:3, :3] = np.array(self.axes) / (high - low)[:, None]
        matrix[:3, 3] = -low / (high - low)
        matrix[2] = -matrix[2]
        matrix[2, 3] += 1.0  # depth grows away from the sun
        return matrix

    def look(self, renderer: vtkRenderer) -> None:
        """Place a renderer's camera."""
        axes, low, high = np.array(self.axes), np.array(self.low), np.array(self.high)
        depth = float(high[2] - low[2])
        middle = (low + high) / 2
        eye = np.array([middle[0], middle[1], high[2] + depth]) @ axes
        camera = renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        camera.SetPosition(*eye)
        camera.SetFocalPoint(*(eye - axes[2] * depth))
        camera.SetViewUp(*axes[1])
        camera.SetParallelScale(float(high[1] - low[1]) / 2)
        camera.SetClippingRange(depth, 2 * depth)


def _depth_actor(drawn: Drawn) -> vtkActor:
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(drawn.data)
    mapper.ScalarVisibilityOff()
    mapper.SetStatic(True)
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().LightingOff()
    return actor


def casts(drawn: Drawn) -> bool:
    """Tell whether something throws a shadow: solid and opaque, and no computed surface."""
    part = drawn.part
    solid = part.triangles is not None and not part.draped and not part.on_top
    # Leaves cut out of a photograph do throw a shadow, glass does not.
    glass = drawn.translucent and part.image is None
    return solid and drawn.shown and part.opacity >= 1 and not (part.crisp or glass)


def receives(drawn: Drawn) -> bool:
    """Tell whether the sun lights something: a surface whose colours do not stand for numbers.

    Nor one that shows its edges: the shader that draws those passes nothing on to ours.
    """
    part = drawn.part
    return part.triangles is not None and not (part.on_top or part.data or part.show_edges)


def _attach(drawn: Drawn, textures: dict[str, vtkTexture]) -> None:
    shader, part = drawn.actor.GetShaderProperty(), drawn.part
    fragment = _FRAGMENT.replace("FACING", _FLAT if part.lit and not part.smooth else _EVEN)
    shader.AddVertexShaderReplacement("//VTK::Clip::Dec", True, _VERTEX_DECLARATION, False)
    shader.AddVertexShaderReplacement("//VTK::CustomEnd::Impl", True, _VERTEX, False)
    shader.AddFragmentShaderReplacement("//VTK::Clip::Dec", True, _FRAGMENT_DECLARATION, False)
    shader.AddFragmentShaderReplacement("//VTK::Light::Impl", True, fragment, False)
    for name, texture in textures.items():
        drawn.actor.GetProperty().SetTexture(name, texture)


def _detach(drawn: Drawn) -> None:
    shader = drawn.actor.GetShaderProperty()
    shader.ClearVertexShaderReplacement("//VTK::Clip::Dec", True)
    shader.ClearVertexShaderReplacement("//VTK::CustomEnd::Impl", True)
    shader.ClearFragmentShaderReplacement("//VTK::Clip::Dec", True)
    shader.ClearFragmentShaderReplacement("//VTK::Light::Impl", True)
    for name in ("sunFarMap", "sunNearMap"):
        drawn.actor.GetProperty().RemoveTexture(name)
