"""Building models: coloured by material, class or storey, glass transparent, spaces hidden."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, BimData
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
    return pickable_mesh(request, data, kept, parts)


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
