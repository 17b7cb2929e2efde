"""What a kind prepares, and how it becomes an actor.

`Part` is plain arrays, made in any thread; `Drawn` holds the VTK objects, made and released on the
GUI thread. Coordinates become float32, relative to the scene origin, in `local32` and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkTexture

from plumbline.core.data import AnyArray, Bounds, MeshData
from plumbline.core.layer import Layer, LayerStyle
from plumbline.geometry.rays import Pickable
from plumbline.render.theme import LIGHT, SOFTWARE, Budget, RenderTheme, rgb

if TYPE_CHECKING:
    import shapely

    from plumbline.render.ground import Ground, GroundGrid
    from plumbline.render.snapping import SnapSet


@dataclass(frozen=True)
class Request:
    """Everything a kind needs to prepare a layer; nothing in it is changed."""

    layer: Layer
    style: LayerStyle
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hidden: frozenset[str] = frozenset()
    ground: Ground | None = None
    theme: RenderTheme = LIGHT
    budget: Budget = SOFTWARE
    #: Terrain: polygon (x, y) in which it is cut, or flattened to a height.
    clip: tuple[tuple[float, float], ...] = ()
    clip_height: float | None = None
    #: Captured meshes, tiles, clouds and photographs: polygons of the map that are cleared.
    mask: shapely.MultiPolygon | None = None
    #: Where there is no ground, grids are laid on these from above, and else lie at this height,
    #: metres.
    models: tuple[MeshData, ...] = ()
    floor: float = 0.0
    #: Height by which each storey of a building model stands above the one below, metres.
    explode: float = 0.0

    def local32(self, points: AnyArray) -> NDArray[np.float32]:
        """Return points ``(N, 3)`` relative to the scene origin, lifted by the style's offset."""
        shift = np.array(self.origin) - (0.0, 0.0, self.style.z_offset)
        return (np.asarray(points, dtype=np.float64) - shift).astype(np.float32)


@dataclass
class Part:
    """One actor to be.

    Attributes
    ----------
    points : (N, 3) float32
        Relative to the scene origin.
    triangles, lines : (M, 3) or (M, 2) integer, optional
        Without either, the points themselves are drawn.
    colors : (N or M, 3 or 4) uint8, optional
        For each point or each cell, told apart by `cell_colors`.
    image : (H, W, 3 or 4) uint8, optional
        Texture, first row on top.
    crisp : bool
        Pixels of the image keep their edges.
    lit : bool
        Shaded by the lights; photographs are not.
    smooth : bool
        Shaded smoothly by `normals`, else flat.
    draped : bool
        Lies on the terrain: drawn a little nearer to the viewer, by the order of layers.
    moving : int, optional
        While the camera moves, draw only this many of the first points.
    rise : float
        Further metres towards the viewer of something draped, to lie over its own halo.
    data : bool
        The colours stand for numbers: the sun does not shade them.
    outline : bool
        Edges of something solid: drawn before it by a thousandth of the distance, so that the
        rafters below a roof stay below.
    spacing : float
        Points: metres between neighbours; seen from near they grow until they touch. 0: never.
    detail : float
        Not drawn where a pixel is larger than this many metres: lines that would merge to a
        dark mass. 0: always drawn.
    resting_only : bool
        Not drawn while the camera moves.
    """

    points: NDArray[np.float32]
    triangles: AnyArray | None = None
    lines: AnyArray | None = None
    color: str = "#ffffff"
    colors: NDArray[np.uint8] | None = None
    cell_colors: bool = False
    normals: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None
    image: NDArray[np.uint8] | None = None
    repeat: bool = True
    crisp: bool = False
    lit: bool = True
    smooth: bool = False
    draped: bool = False
    opacity: float = 1.0
    size: float = 2.0
    round: bool = False
    show_edges: bool = False
    moving: int | None = None
    resting_only: bool = False
    on_top: bool = False
    rise: float = 0.0
    outline: bool = False
    data: bool = False
    spacing: float = 0.0
    detail: float = 0.0


@dataclass
class Target:
    """What the picker can hit in a layer.

    Attributes
    ----------
    shape : Pickable
        In data coordinates (project CRS, without the style's height offset).
    entity : callable
        From the primitive that was hit to the id of the entity, "" for none.
    primitive : callable
        From the primitive of the shape to the index in the layer's data.
    solid : bool
        Hides what lies behind it.
    draped : bool
        Lies on the ground: the ground gives the position, this the entity.
    lift : callable, optional
        From the primitive to how far it is drawn above where it is (storeys apart), metres.
    """

    shape: Pickable
    entity: Callable[[int], str] = lambda _: ""
    primitive: Callable[[int], int] = lambda n: n
    solid: bool = True
    draped: bool = False
    lift: Callable[[int], float] | None = None


@dataclass(frozen=True)
class Label:
    """A name in the picture and its place in the project CRS."""

    text: str
    place: tuple[float, float, float]


@dataclass
class Prepared:
    """A layer ready to be drawn and picked.

    Attributes
    ----------
    highlight : callable
        From ids of entities to parts that mark them.
    extent : callable
        From ids of entities to the box around them, project CRS.
    ground : GroundGrid, optional
        Terrain: what other layers are laid on.
    covers_ground : bool
        Imagery that hides the terrain below it wholly.
    snaps : list of SnapSet
        What a hand may snap to.
    """

    parts: list[Part] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    highlight: Callable[[Iterable[str]], list[Part]] = lambda _: []
    extent: Callable[[Iterable[str]], Bounds | None] = lambda _: None
    ground: GroundGrid | None = None
    covers_ground: bool = False
    eye_dome: bool = False
    labels: list[Label] = field(default_factory=list)
    snaps: list[SnapSet] = field(default_factory=list)


# -- building: VTK, GUI thread only --------------------------------------------------------------

#: Moves a draped vertex nearer to the viewer along its line of sight: depth only, so that it
#: covers the ground by the same margin at every distance, which polygon offset does not.
_LIFT = """//VTK::PositionVC::Impl
  float liftBy = liftMetres + liftShare * gl_Position.w;
  gl_Position.z -= liftPerspective * liftBy / max(gl_Position.w - liftBy, 0.3 * gl_Position.w)
                 + liftParallel * liftBy;
"""


#: Cuts an unlit point to a disc. A sphere, as lit points are, would stand out towards the viewer by
#: its radius, and a large one behind would cover a small one before it.
_DISC = """//VTK::Color::Impl
  vec2 fromMiddle = gl_PointCoord - vec2(0.5);
  if (dot(fromMiddle, fromMiddle) > 0.25) discard;
"""

#: Points grow no larger than this, pixels.
MAX_POINT = 12.0


@dataclass
class Drawn:
    """An actor with what changes while the camera moves."""

    part: Part
    actor: vtkActor
    data: vtkPolyData
    moving_data: vtkPolyData | None = None
    scale: float = 1.0
    covered: bool = False
    too_fine: bool = False
    shown: bool = True
    #: Some of its colours let light through.
    translucent: bool = False
    #: Terrain or a photograph on it; the mark of a selection.
    ground: bool = False
    mark: bool = False
    #: Its shaders know of clipping (`render.clipping`); and what that leaves of its opacity.
    clipped: bool = False
    fade: float = 1.0
    _wanted: tuple[bool, float] = (True, 1.0)

    def show(self, visible: bool, opacity: float) -> None:
        """Apply visibility and opacity of the layer."""
        self._wanted = visible, opacity
        self.shown = visible and opacity * self.fade > 0
        self._apply()
        strength = opacity * self.fade * self.part.opacity
        self.actor.GetProperty().SetOpacity(strength)
        # VTK decides by the texture's alpha otherwise, and sorts a photograph as translucent.
        self.actor.SetForceOpaque(strength >= 1 and not self.translucent)

    def set_fade(self, fade: float) -> None:
        """Leave only a share of the opacity: X-ray, ghosts, transparent ground."""
        if fade != self.fade:
            self.fade = fade
            self.show(*self._wanted)

    def _apply(self) -> None:
        self.actor.SetVisibility(self.shown and not self.covered and not self.too_fine)

    def set_pixel(self, metres: float, moving: bool) -> None:
        """Adapt to the size of a pixel at this actor: of points, and whether lines are seen."""
        part = self.part
        if part.spacing:
            thinned = len(part.points) / part.moving if moving and part.moving else 1.0
            touching = 1.2 * part.spacing * max(thinned, 1.0) ** 0.5 / metres
            size = min(max(part.size * self.scale, touching), MAX_POINT * self.scale)
            self.actor.GetProperty().SetPointSize(size)
        if part.detail:
            self.too_fine = metres * self.scale > part.detail
            self._apply()

    def set_moving(self, moving: bool) -> None:
        """Switch between the light and the full version."""
        if self.moving_data is not None:
            self.actor.GetMapper().SetInputData(self.moving_data if moving else self.data)

    def set_lift(self, metres: float, perspective: float, parallel: float) -> None:
        """Tell the shader how far a draped part stands before the ground.

        `perspective` and `parallel` turn metres along the view into depth; one of them is 0.
        """
        part = self.part
        if not (part.draped or part.outline):
            return
        rise = part.rise + (0.0 if part.triangles is not None else 0.1)
        uniforms = self.actor.GetShaderProperty().GetVertexCustomUniforms()
        uniforms.SetUniformf("liftMetres", metres + rise if part.draped else 0.0)
        uniforms.SetUniformf("liftShare", 0.0006 if part.draped else 0.001)
        uniforms.SetUniformf("liftPerspective", perspective)
        uniforms.SetUniformf("liftParallel", parallel)


def _has_alpha(part: Part) -> bool:
    translucent_image = part.image is not None and part.image.shape[2] == 4
    if translucent_image and part.image is not None:
        translucent_image = bool(part.image[..., 3].min() < 255)
    translucent_colors = part.colors is not None and part.colors.shape[1] == 4
    if translucent_colors and part.colors is not None:
        translucent_colors = bool(part.colors[:, 3].min(initial=255) < 255)
    return translucent_image or translucent_colors


def build(part: Part, scale: float = 1.0, anisotropy: int = 1) -> Drawn:
    """Make the actor of a part.

    Parameters
    ----------
    scale : float
        Device pixels for each pixel of its sizes.
    anisotropy : int
        Samples of a texture seen at a low angle.
    """
    data = _polydata(part, len(part.points))
    moving = None
    if part.moving is not None and part.moving < len(part.points):
        moving = _polydata(part, part.moving)
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    if part.colors is not None:
        mapper.SetColorModeToDirectScalars()
        if part.cell_colors:
            mapper.SetScalarModeToUseCellData()
        else:
            mapper.SetScalarModeToUsePointData()
    else:
        mapper.ScalarVisibilityOff()
    mapper.SetStatic(True)
    # Points are near the origin already; shaders count on seeing them as they are.
    mapper.SetVBOShiftScaleMethod(0)
    actor = vtkActor()
    actor.SetMapper(mapper)
    if part.image is not None:
        actor.SetTexture(texture(part.image, part.repeat, anisotropy, crisp=part.crisp))
    _appearance(actor, part, scale)
    shader = actor.GetShaderProperty()
    if part.draped or part.outline:
        shader.AddVertexShaderReplacement("//VTK::PositionVC::Impl", True, _LIFT, False)
    if part.round and not part.lit:
        shader.AddFragmentShaderReplacement("//VTK::Color::Impl", True, _DISC, False)
    drawn = Drawn(part, actor, data, moving, scale, translucent=_has_alpha(part))
    drawn.set_lift(0.3, 0.0, 0.0)
    return drawn


def _appearance(actor: vtkActor, part: Part, scale: float) -> None:
    look = actor.GetProperty()
    look.SetColor(*rgb(part.color))
    look.SetAmbient(0.36 if part.lit else 1.0)
    look.SetDiffuse(0.7 if part.lit else 0.0)
    look.SetLighting(part.lit)
    look.SetPointSize(part.size * scale)
    look.SetLineWidth(part.size * scale)
    look.SetRenderPointsAsSpheres(part.round and part.lit)
    look.SetInterpolation(1 if part.smooth else 0)
    if part.show_edges:
        look.EdgeVisibilityOn()
        look.SetEdgeColor(0.2, 0.22, 0.26)
        look.SetEdgeOpacity(0.5)


def _polydata(part: Part, count: int) -> vtkPolyData:
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(part.points[:count]), deep=False))
    data = vtkPolyData()
    data.SetPoints(points)
    if part.triangles is not None:
        data.SetPolys(_cells(part.triangles))
    elif part.lines is not None:
        data.SetLines(_cells(part.lines))
    else:
        # One cell of many vertices: a cell for each point would cost memory and time.
        vertices = vtkCellArray()
        vertices.SetData(
            numpy_to_vtkIdTypeArray(np.array([0, count], dtype=np.int64), deep=True),
            numpy_to_vtkIdTypeArray(np.arange(count, dtype=np.int64), deep=True),
        )
        data.SetVerts(vertices)
    if part.colors is not None:
        where = data.GetCellData() if part.cell_colors else data.GetPointData()
        chosen = part.colors if part.cell_colors else part.colors[:count]
        where.SetScalars(numpy_to_vtk(np.ascontiguousarray(chosen), deep=True))
    if part.normals is not None:
        data.GetPointData().SetNormals(numpy_to_vtk(np.ascontiguousarray(part.normals), deep=True))
    if part.uv is not None:
        data.GetPointData().SetTCoords(numpy_to_vtk(np.ascontiguousarray(part.uv), deep=True))
    return data


def _cells(indices: AnyArray) -> vtkCellArray:
    cells = vtkCellArray()
    count, corners = indices.shape
    offsets = np.arange(0, count * corners + 1, corners, dtype=np.int64)
    flat = np.ascontiguousarray(indices, dtype=np.int64).ravel()
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(flat, deep=True)
    )
    return cells


def texture(
    image: NDArray[np.uint8], repeat: bool = True, anisotropy: int = 1, *, crisp: bool = False
) -> vtkTexture:
    """Make a texture from an image whose first row is on top, with mipmaps unless it is crisp."""
    from vtkmodules.vtkCommonDataModel import vtkImageData

    height, width, bands = image.shape
    grid = vtkImageData()
    grid.SetDimensions(width, height, 1)
    pixels = np.ascontiguousarray(image[::-1]).reshape(-1, bands)
    grid.GetPointData().SetScalars(numpy_to_vtk(pixels, deep=True))
    result = vtkTexture()
    result.SetInputData(grid)
    result.SetInterpolate(not crisp)
    result.SetMipmap(not crisp)
    result.SetMaximumAnisotropicFiltering(anisotropy)
    result.SetWrap(vtkTexture.Repeat if repeat else vtkTexture.ClampToEdge)
    result.SetColorModeToDirectScalars()
    return result
