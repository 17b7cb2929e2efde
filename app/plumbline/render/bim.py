"""Building models: coloured by material, class or storey, glass transparent, spaces hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, BimData, FloatArray
from plumbline.render.colors import categories, rgb8
from plumbline.render.mesh import (
    compact,
    kept_triangles,
    material_colors,
    pickable_mesh,
    sharp_edges,
    triangle_colors,
)
from plumbline.render.parts import Part, Prepared, Request
from plumbline.render.snapping import mesh_snaps

#: Colours of common classes; others take a place in the theme's cycle.
CLASS_COLORS = {
    "IfcWall": "#E4DED2",
    "IfcWallStandardCase": "#E4DED2",
    "IfcCurtainWall": "#9FC3DA",
    "IfcSlab": "#B9B7B0",
    "IfcRoof": "#B5654A",
    "IfcWindow": "#8FBFE0",
    "IfcDoor": "#A9794F",
    "IfcColumn": "#C9C4BA",
    "IfcBeam": "#BDB4A6",
    "IfcStair": "#CFC8BC",
    "IfcStairFlight": "#CFC8BC",
    "IfcRailing": "#6F7780",
    "IfcCovering": "#E9E5DC",
    "IfcFurnishingElement": "#C7A574",
    "IfcFurniture": "#C7A574",
    "IfcSpace": "#7FB6D9",
    "IfcSite": "#A8B58C",
    "IfcMember": "#9AA1A8",
    "IfcPlate": "#A9CFE6",
    "IfcFlowTerminal": "#E8EDF0",
}


def prepare(request: Request) -> Prepared:
    """Prepare a building model."""
    data = request.layer.data
    assert isinstance(data, BimData)
    lift, still = storey_lift(data, request.explode), data
    if lift is not None:
        data = _lifted(data, lift)
    unwanted = set(request.style.hidden_classes)
    hidden = request.hidden | {e.id for e in data.elements if e.cls in unwanted}
    kept = kept_triangles(data, frozenset(hidden))
    if len(kept) == 0:
        return pickable_mesh(request, data, kept, [])
    colors = _colors(request, data)[kept]
    glass = colors[:, 3] < 255
    parts = []
    for chosen, opaque in ((~glass, True), (glass, False)):
        if chosen.any():
            parts += _part(request, data, data.triangles[kept[chosen]], colors[chosen], opaque)
    prepared = pickable_mesh(request, data, kept, parts)
    prepared.snaps = mesh_snaps(still, kept, lift)
    if lift is not None and data.element_index is not None:
        heights = lift[data.element_index[kept]]
        for target in prepared.targets:
            target.lift = lambda n: float(heights[n])
    return prepared


def storey_lift(data: BimData, step: float) -> FloatArray | None:
    """Return how far each element stands above where it is, and 0 last for those of no element.

    Storeys are stacked by their elevation, in each building of its own; None where nothing moves.
    """
    if step == 0 or data.element_index is None or not data.storeys:
        return None
    rank: dict[str, int] = {}
    for building in {storey.building for storey in data.storeys}:
        own = [s for s in data.storeys if s.building == building and s.elevation is not None]
        levels = sorted({s.elevation for s in own if s.elevation is not None})
        rank |= {s.id: levels.index(s.elevation) for s in own if s.elevation is not None}
    ranks = [rank.get(element.storey, 0) for element in data.elements]
    return step * np.array([*ranks, 0], dtype=np.float64)


def _lifted(data: BimData, lift: FloatArray) -> BimData:
    """Return a building with its elements moved up; a corner that two share goes with the first."""
    assert data.element_index is not None
    owner = np.full(len(data.vertices), len(data.elements))
    owner[data.triangles[::-1].ravel()] = np.repeat(data.element_index[::-1], 3)
    vertices = data.vertices.copy()
    vertices[:, 2] += lift[owner]
    return replace(data, vertices=vertices)


def _part(
    request: Request, data: BimData, triangles: AnyArray, colors: AnyArray, opaque: bool
) -> list[Part]:
    used, faces = compact(triangles, len(data.vertices))
    points = request.local32(data.vertices[used])
    surface = Part(
        points=points,
        triangles=faces,
        colors=colors[:, :3] if opaque else colors,
        cell_colors=True,
        show_edges=request.style.edges,
    )
    if not opaque:
        return [surface]
    edges = Part(
        points=points,
        lines=sharp_edges(points, faces),
        color=request.theme.edge,
        size=1.0,
        opacity=0.45,
        lit=False,
        outline=True,
        detail=0.06,
        resting_only=True,
    )
    return [surface, edges]


def _colors(request: Request, data: BimData) -> NDArray[np.uint8]:
    """Return RGBA of every triangle."""
    style, by = request.style, request.style.color_by
    materials = material_colors(data)
    index = data.material_index
    count = len(data.triangles)
    if by in ("auto", "texture", "material", "rgb") and index is not None and data.materials:
        return materials[index]
    if by == "scalar" and style.attribute in data.scalars:
        return triangle_colors(request, data)
    if by == "solid" or data.element_index is None:
        return _opaque(np.tile(np.array(rgb8(style.color), dtype=np.uint8), (count, 1)))
    if by == "storey":
        names = {storey.id: storey.name for storey in data.storeys}
        keys = [names.get(e.storey, e.storey) for e in data.elements] + [""]
        table = categories(keys, {"": style.color, **style.class_colors}, request.theme.categorical)
        return _opaque(table[data.element_index])
    keys = [e.cls for e in data.elements] + [""]
    named = {**CLASS_COLORS, "": style.color, **style.class_colors}
    rgba = _opaque(categories(keys, named, request.theme.categorical)[data.element_index])
    if index is not None and data.materials:
        rgba[:, 3] = materials[index, 3]
    return rgba


def _opaque(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.column_stack([colors, np.full(len(colors), 255, dtype=np.uint8)])
