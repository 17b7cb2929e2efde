"""Applies a clipping to everything that is drawn and to everything that is picked.

Every actor gets a few lines of shader that drop what is clipped, so that a dragged face of the
section box only changes numbers on the way to the graphics card: nothing is prepared anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakValueDictionary

import numpy as np

from plumbline.core.clipping import MOST_CORNERS, MOST_PLANES, Clipping
from plumbline.core.data import FloatArray
from plumbline.core.layer import Layer
from plumbline.geometry.clip import (
    Region,
    ground_region,
    is_ground_gone,
    region_of,
)
from plumbline.render.kinds import is_ground
from plumbline.render.parts import Drawn, Prepared
from plumbline.render.picking import Candidate

#: Opacity of solid things in X-ray, of all but the selection as ghosts, of transparent ground.
XRAY, GHOST, GROUND = 0.35, 0.1, 0.3

_VERTEX_DECLARATION = """//VTK::Color::Dec
out vec3 clipPlaceVSOutput;
"""
_VERTEX = """//VTK::Clip::Impl
  clipPlaceVSOutput = vertexMC.xyz;
"""
_GEOMETRY_DECLARATION = """//VTK::Color::Dec
in vec3 clipPlaceVSOutput[];
out vec3 clipPlaceGSOutput;
"""
_GEOMETRY = """//VTK::Clip::Impl
    clipPlaceGSOutput = clipPlaceVSOutput[i];
"""
#: Polygons by the even-odd rule, as `geometry.clip.in_polygon` does it in float64.
_FRAGMENT_DECLARATION = """//VTK::Color::Dec
in vec3 clipPlaceVSOutput;
"""
_FRAGMENT = """//VTK::Clip::Impl
  for (int n = 0; n < clipPlaneCount; n++)
  {
    vec3 clipNormal = vec3(clipPlanes[4*n], clipPlanes[4*n+1], clipPlanes[4*n+2]);
    if (dot(clipNormal, clipPlaceVSOutput) < clipPlanes[4*n+3]) discard;
  }
  for (int which = 0; which < 2; which++)
  {
    int corners = which == 0 ? prismCorners : groundCorners;
    bool within = false;
    for (int n = 0; n < corners; n++)
    {
      int m = n == 0 ? corners - 1 : n - 1;
      vec2 a = which == 0 ? vec2(prism[2*m], prism[2*m+1]) : vec2(pit[2*m], pit[2*m+1]);
      vec2 b = which == 0 ? vec2(prism[2*n], prism[2*n+1]) : vec2(pit[2*n], pit[2*n+1]);
      vec2 p = clipPlaceVSOutput.xy;
      if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x)
        within = !within;
    }
    if (corners > 0 && within != (which == 0 && prismInside == 1)) discard;
  }
"""


class ClipStage:
    """Holds the actors of a view to the scene's clipping.

    Actors are known from when they are made (`dress`) until nobody holds them any more, so that
    whoever draws something need not follow the clipping.
    """

    def __init__(self) -> None:
        self._clipping = Clipping()
        self._origin = np.zeros(3)
        self._used = False
        self._drawn: WeakValueDictionary[int, Drawn] = WeakValueDictionary()

    @property
    def clipping(self) -> Clipping:
        """What applies now."""
        return self._clipping

    def set(self, clipping: Clipping, origin: Iterable[float]) -> None:
        """Apply a clipping; `origin` is the scene's."""
        self._clipping = clipping
        self._origin = np.array(tuple(origin), dtype=np.float64)
        self._used = self._used or clipping.changes
        for drawn in list(self._drawn.values()):
            self._apply(drawn)

    def dress(self, drawn: Drawn) -> Drawn:
        """Let an actor follow the clipping; return it."""
        self._drawn[id(drawn)] = drawn
        self._apply(drawn)
        return drawn

    def regions(self, ground: bool) -> list[Region]:
        """Return what is kept of the ground or of all else: what lies in all of these."""
        regions = ground_region(self._clipping) if ground else [region_of(self._clipping)]
        return [region for region in regions if not region.whole]

    @property
    def hides_ground(self) -> bool:
        """Whether no ground is shown at all."""
        return is_ground_gone(self._clipping)

    @property
    def sees_through_ground(self) -> bool:
        """Whether the ground is translucent: what lies below is picked through it."""
        return self._clipping.active and self._clipping.ground == "transparent"

    def candidate(self, layer: Layer, prepared: Prepared, offset: float) -> Candidate:
        """Return a layer as the picker may see it: only what is shown of it."""
        ground = is_ground(layer)
        through = ground and self.sees_through_ground
        regions = self.regions(ground)
        return Candidate(layer.id, prepared.targets, offset, regions, through, prepared.snaps)

    def keeps(self, place: FloatArray) -> bool:
        """Tell whether a place ``(3,)`` of something other than the ground is shown."""
        return all(bool(r.contains(place[None])[0]) for r in self.regions(ground=False))

    def _apply(self, drawn: Drawn) -> None:
        if not self._used:
            return  # a scene that was never clipped keeps its plain shaders
        if not drawn.clipped:
            _teach(drawn)
            drawn.clipped = True
        drawn.set_fade(self._fade(drawn))
        clipping = self._clipping
        uniforms = drawn.actor.GetShaderProperty().GetFragmentCustomUniforms()
        region = region_of(clipping)
        values = np.zeros(4 * MOST_PLANES)
        planes = np.column_stack(
            [
                region.normals,
                np.einsum("ij,ij->i", region.normals, region.points - self._origin),
            ]
        )
        values[: planes.size] = planes.ravel()
        uniforms.SetUniformi("clipPlaneCount", len(planes))
        uniforms.SetUniform1fv("clipPlanes", len(values), values.tolist())
        self._set_polygon(uniforms, "prism", region.polygon)
        uniforms.SetUniformi("prismInside", int(region.inside))
        pit = ground_region(clipping)[1:] if drawn.ground else []
        self._set_polygon(uniforms, "pit", pit[0].polygon if pit else np.empty((0, 2)))
        uniforms.SetUniformi("groundCorners", len(pit[0].polygon) if pit else 0)

    def _set_polygon(self, uniforms: object, name: str, polygon: FloatArray) -> None:
        values = np.zeros(2 * MOST_CORNERS)
        values[: polygon.size] = (polygon - self._origin[:2]).ravel()
        uniforms.SetUniform1fv(name, len(values), values.tolist())  # type: ignore[attr-defined]
        if name == "prism":
            uniforms.SetUniformi("prismCorners", len(polygon))  # type: ignore[attr-defined]

    def _fade(self, drawn: Drawn) -> float:
        clipping = self._clipping
        if not clipping.active:
            return 1.0
        if drawn.ground:
            if self.hides_ground:
                return 0.0
            return GROUND if clipping.ground == "transparent" else 1.0
        if drawn.mark:
            return 1.0
        if clipping.look == "ghost":
            return GHOST
        return XRAY if clipping.look == "xray" and drawn.part.triangles is not None else 1.0


def _teach(drawn: Drawn) -> None:
    """Give an actor the shader lines that drop what is clipped."""
    shader = drawn.actor.GetShaderProperty()
    shader.AddVertexShaderReplacement("//VTK::Color::Dec", True, _VERTEX_DECLARATION, False)
    shader.AddVertexShaderReplacement("//VTK::Clip::Impl", True, _VERTEX, False)
    shader.AddGeometryShaderReplacement("//VTK::Color::Dec", True, _GEOMETRY_DECLARATION, False)
    shader.AddGeometryShaderReplacement("//VTK::Clip::Impl", True, _GEOMETRY, False)
    shader.AddFragmentShaderReplacement("//VTK::Color::Dec", True, _FRAGMENT_DECLARATION, False)
    shader.AddFragmentShaderReplacement("//VTK::Clip::Impl", True, _FRAGMENT, False)
