"""Which layers of a scene fit a field of an analysis, and which are a sensible start.

A field's name says what it is for: names are a stable contract of the analyses, and mean the same
in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from plumbline.api import (
    BimData,
    GridData,
    Layer,
    MeshData,
    PointCloudData,
    RasterData,
    Scene,
    VectorData,
)
from plumbline.ui_kit.field_specs import FieldSpec, LayerChoice

Fits = Callable[[Scene, Layer], bool]


def is_terrain(scene: Scene, layer: Layer) -> bool:
    """Tell whether a layer is a raster of heights."""
    data = layer.data
    return (isinstance(data, RasterData) and data.role == "terrain") or (
        isinstance(data, GridData) and data.heights
    )


def is_surface(scene: Scene, layer: Layer) -> bool:
    """Tell whether a layer has one height at a place: terrain, a mesh, a point cloud."""
    return is_terrain(scene, layer) or isinstance(layer.data, MeshData | PointCloudData)


def is_solid(scene: Scene, layer: Layer) -> bool:
    """Tell whether a layer has faces: meshes, building models, footprints with a height."""
    data = layer.data
    if isinstance(data, VectorData):
        return data.has_z or bool(scene.style(layer.id).extrude)
    return isinstance(data, MeshData)


def is_obstacle(scene: Scene, layer: Layer) -> bool:
    """Tell whether a layer can stand in the way."""
    return is_solid(scene, layer) or (is_terrain(scene, layer) and not _is_grid(layer))


def is_vector(scene: Scene, layer: Layer) -> bool:
    """Tell whether a layer holds features."""
    return isinstance(layer.data, VectorData)


def has_windows(scene: Scene, layer: Layer) -> bool:
    """Tell whether a layer may hold windows: building models, features."""
    return isinstance(layer.data, BimData | VectorData)


def _is_grid(layer: Layer) -> bool:
    return isinstance(layer.data, GridData)


#: What a field of this name takes.
FITS: dict[str, Fits] = {
    "surface": is_surface,
    "ground": is_surface,
    "terrain": is_terrain,
    "before": is_surface,
    "after": is_surface,
    "obstacles": is_obstacle,
    "footprints": is_vector,
    "windows": has_windows,
}
#: Fields that start with the terrain, and those that start with everything that is shown.
ON_TERRAIN = ("surface", "ground", "terrain", "before", "receivers")
ALL_SHOWN = ("obstacles",)


def choices(scene: Scene) -> list[LayerChoice]:
    """Return the layers of a scene as a form offers them."""
    return [LayerChoice(layer.id, layer.name, str(layer.kind)) for layer in scene]


def fitting(scene: Scene, specs: Iterable[FieldSpec]) -> dict[str, set[str]]:
    """Return the ids of the layers that each field takes, for fields that do not take all."""
    return {
        spec.name: {layer.id for layer in scene if FITS[spec.name](scene, layer)}
        for spec in specs
        if spec.name in FITS
    }


def proposals(scene: Scene, specs: Iterable[FieldSpec]) -> dict[str, Any]:
    """Return layers to start with, by field; only for fields that must name layers."""
    found: dict[str, Any] = {}
    for spec in specs:
        many = spec.widget == "layers"
        if spec.optional or spec.widget not in ("layer", "layers"):
            continue
        if spec.name in ALL_SHOWN:
            ids = [n.id for n in scene if is_obstacle(scene, n) and scene.is_visible(n.id)]
        elif spec.name in ON_TERRAIN:
            ids = [n.id for n in scene if is_terrain(scene, n)][:1]
        else:
            fits = FITS.get(spec.name, lambda _scene, _layer: True)
            kinds = spec.extra.get("kinds")
            ids = [n.id for n in scene if fits(scene, n) and (not kinds or n.kind in kinds)]
            # One that fits is no choice; of several the user chooses.
            ids = ids if len(ids) == 1 else []
        if ids:
            found[spec.name] = tuple(ids) if many else ids[0]
    return found
