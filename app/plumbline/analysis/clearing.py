"""What schemes clear from layers that were captured as a whole, for the eye and for analyses.

A photogrammetric mesh, tiles, a cloud and a photograph know no buildings that a scheme could hide.
They lose what stands in the areas that the scheme says (`Scheme.cleared`), which are worked out
when buildings are taken out of it (`removing`), and kept with it: a request needs no other layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from plumbline.core.data import MeshData, PointCloudData, RasterData, VectorData
from plumbline.core.entities import entity_ids
from plumbline.core.layer import Layer
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Scene
from plumbline.core.scheme import Clearing, Scheme
from plumbline.core.tiles import TilesData
from plumbline.geometry.geodesy import crs_units
from plumbline.geometry.masking import (
    MARGIN,
    StandingCloud,
    area_of,
    clearing_around,
    footprint_of,
)

if TYPE_CHECKING:
    import shapely


def cleared_area(clearings: Iterable[Clearing]) -> shapely.MultiPolygon:
    """Return the joined polygons of clearings."""
    return area_of(clearing.rings for clearing in clearings)


def is_captured(scene: Scene, layer: Layer) -> bool:
    """Tell whether a layer is a capture of the place as a whole, so that areas are cleared in it.

    Clouds, tiles, photographs, and meshes with photographs, with colours or without named parts;
    never what a scheme adds.
    """
    if any(layer.id in scheme.layers for scheme in scene.schemes):
        return False
    data = layer.data
    if isinstance(data, MeshData):
        photographs = any(material.texture is not None for material in data.materials)
        return photographs or data.colors is not None or not data.elements
    if isinstance(data, RasterData):
        return data.role == "imagery"
    return isinstance(data, PointCloudData | TilesData)


def mask_of(scene: Scene, layer: Layer) -> shapely.MultiPolygon | None:
    """Return what the scheme that a scene shows clears from a layer; None for nothing."""
    scheme = scene.active_scheme
    if scheme is None or not scheme.cleared or not is_captured(scene, layer):
        return None
    return cleared_area(scheme.cleared)


def standing(scene: Scene, layer: Layer) -> Layer:
    """Return a layer as the shown scheme leaves it: a cloud loses the points that are cleared."""
    mask = mask_of(scene, layer)
    if mask is None or not isinstance(layer.data, PointCloudData):
        return layer
    return replace(layer, data=StandingCloud(layer.data, mask))


def removing(scene: Scene, scheme: Scheme, refs: Sequence[EntityRef]) -> Scheme:
    """Return a scheme that removes more entities, with the areas that this clears."""
    new = [ref for ref in dict.fromkeys(refs) if ref not in scheme.hidden]
    hidden = (*scheme.hidden, *new)
    gone = set(hidden)
    cleared = list(scheme.cleared)
    for layer_id in dict.fromkeys(ref.layer for ref in new):
        of_layer = [ref for ref in new if ref.layer == layer_id]
        cleared += _clearings(scene, scene[layer_id], of_layer, gone)
    return replace(scheme, hidden=hidden, cleared=tuple(cleared))


def keeping(scheme: Scheme, refs: Iterable[EntityRef]) -> Scheme:
    """Return a scheme that no longer removes some entities, nor clears where they stand."""
    back = set(refs)
    return replace(
        scheme,
        hidden=tuple(ref for ref in scheme.hidden if ref not in back),
        cleared=tuple(one for one in scheme.cleared if not one.of or set(one.of) - back),
        phases=tuple(
            replace(phase, hidden=tuple(ref for ref in phase.hidden if ref not in back))
            for phase in scheme.phases
        ),
    )


def _clearings(
    scene: Scene, layer: Layer, refs: Sequence[EntityRef], gone: set[EntityRef]
) -> list[Clearing]:
    """Return the areas that entities of a layer leave, without what stays beside them."""
    import shapely

    own = [(ref, footprint_of(layer.data, ref.entity)) for ref in refs]
    stands = [
        shape
        for entity in (entity_ids(layer) if isinstance(layer.data, VectorData) else ())
        if EntityRef(layer.id, entity) not in gone
        and (shape := footprint_of(layer.data, entity)) is not None
    ]
    tree = shapely.STRtree(stands)
    unit = crs_units(scene.georeference.crs).horizontal
    margin = 0.0 if unit is None else MARGIN / unit
    found = []
    for ref, shape in own:
        if shape is None:
            continue
        near = [stands[n] for n in tree.query(shapely.buffer(shape, margin))]
        found += [Clearing(rings, (ref,)) for rings in clearing_around(shape, near, margin)]
    return found
