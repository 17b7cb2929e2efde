"""Marks of selected entities on the surfaces that they share with their neighbours.

A photographed mesh is one piece: the part of it that belongs to an entity is cut out for the mark,
exactly at the outline. Tiles and clouds are too large to cut for a click; there a prism shows which
part is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from plumbline.core.city import CityEntity
from plumbline.core.data import AnyArray, FloatArray, LayerData, MeshData
from plumbline.core.scene import Scene
from plumbline.geometry.polygons import rings_of, triangulate
from plumbline.geometry.prism import Columns, part_above
from plumbline.render.mesh import compact
from plumbline.render.parts import Part, Request

#: Entities that are cut out; of more, prisms show which they are.
MOST_CUT = 40
#: The prism stands this much above the roof, metres.
ROOM = 0.3


class EntityMarks:
    """Makes the marks of one view; remembers how the meshes lie on the map."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[LayerData, Columns]] = {}

    def parts(self, scene: Scene, request: Callable[[str], Request]) -> Iterator[Part]:
        """Yield what marks the selected entities on the surfaces that are shown.

        Parameters
        ----------
        request : callable
            Returns how a layer is drawn.
        """
        owners = (scene.entity_book.of(ref) for ref in scene.selection)
        chosen = list(dict.fromkeys(one.id for one in owners if one is not None))
        for n, ident in enumerate(chosen):
            one = scene.entity_book.by_id[ident]
            shown = [
                part.layer
                for part in one.surfaces
                if part.layer in scene and scene.is_visible(part.layer)
            ]
            for layer_id in shown:
                data = scene[layer_id].data
                if isinstance(data, MeshData) and n < MOST_CUT:
                    yield from self._cut(one, layer_id, data, request(layer_id))
            if shown:
                whole = not any(isinstance(scene[i].data, MeshData) for i in shown)
                yield from _prism(one, request(shown[0]), faces=whole or n >= MOST_CUT)

    def _cut(self, one: CityEntity, layer_id: str, data: MeshData, request: Request) -> list[Part]:
        known = self._columns.get(layer_id)
        if known is None or known[0] is not data:
            known = (data, Columns(data.vertices, data.triangles))
            self._columns[layer_id] = known
        bare = MeshData(data.vertices, data.triangles)
        cut = part_above(bare, one.shape(), known[1])
        used, faces = compact(cut.triangles, len(cut.vertices))
        return [_tint(request, cut.vertices[used], faces)] if len(faces) else []


def _tint(request: Request, points: FloatArray, faces: AnyArray) -> Part:
    color = request.theme.selection
    return Part(request.local32(points), faces, color=color, opacity=0.4, lit=False, draped=True)


def _prism(one: CityEntity, request: Request, *, faces: bool) -> list[Part]:
    """Return the edges of the prism over an outline; and its faces, seen through."""
    low = one.base if one.base is not None else min(part.low for part in one.surfaces)
    high = one.top if one.top is not None else max(part.high for part in one.surfaces)
    rings = rings_of(np.array([one.shape()], dtype=object), np.zeros(1, dtype=np.intp))
    count = len(rings.points)
    levels = (high + ROOM, low)
    points = np.concatenate([np.column_stack([rings.points, np.full(count, z)]) for z in levels])
    start, end = rings.segments()
    upright = rings.corners()
    lines = np.concatenate(
        [
            np.column_stack([start, end]),
            np.column_stack([start, end]) + count,
            np.column_stack([upright, upright + count]),
        ]
    )
    color, local = request.theme.selection, request.local32(points)
    parts = [
        Part(local, lines=lines, color=color, size=3.0, lit=False, outline=True),
        Part(local, lines=lines, color=color, size=1.0, lit=False, opacity=0.3, on_top=True),
    ]
    if faces:
        roof, _ = triangulate(rings)
        walls = [
            np.column_stack([start, end, end + count]),
            np.column_stack([start, end + count, start + count]),
        ]
        parts.append(_tint(request, points, np.concatenate([roof, *walls])))
    return parts
