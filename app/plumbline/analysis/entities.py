"""Entities from footprints: which parts of which layers are the same building.

`plan` takes what is needed out of the scene on its thread; `build` is pure and belongs to a worker.
A thing of a model (an IFC building, a city object with its parts, an object of a mesh) is joined to
the footprint of its id, else to the one that holds more than half of what it covers on the map. Of
meshes without things of their own, of tiles and of clouds the part above the footprint is joined,
cut exactly at the outline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plumbline.analysis.entity_parts import (
    AROUND,
    Measured,
    clouds_above,
    meshes_above,
    owners_of_models,
)
from plumbline.core.city import CityEntity, outline_of
from plumbline.core.data import (
    BimData,
    FloatArray,
    MeshData,
    PointCloudData,
    RasterData,
    VectorData,
)
from plumbline.core.entities import entity_ids, entity_name, table_columns, table_rows
from plumbline.core.errors import RefusedError, UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import N_, tr
from plumbline.core.layer import Layer
from plumbline.core.pick import EntityRef
from plumbline.core.scene import Scene
from plumbline.core.tiles import TilesData
from plumbline.core.where import where
from plumbline.geometry.geodesy import crs_units
from plumbline.io.raster import sample_bilinear

if TYPE_CHECKING:
    import shapely

#: Columns that hold what is asked for, by habit, where none is named.
ID_COLUMNS = ("编号", "楼号", "id", "ID", "Id", "gml_id", "identificatie", "objectid")
HEIGHT_COLUMNS = ("高度", "建筑高度", "height", "Height", "HEIGHT", "measuredHeight", "bldg_h")
STOREY_COLUMNS = ("层数", "楼层", "storeys", "floors", "levels", "storeysAboveGround", "Floor")
#: What rises less above the ground is the ground, metres.
RISE = 1.0
MAX_FOOTPRINTS = 500_000

Table = tuple[str, tuple[str, ...], tuple[tuple[Any, ...], ...], str]


@dataclass(frozen=True)
class EntityPlan:
    """Snapshot of a scene from which entities are built.

    Attributes
    ----------
    rows : (K,) intp
        Features that become entities.
    terrain : Layer, optional
        Ground under them.
    tables : tuple of (name, columns, rows, key column)
    margin : float
        Outlines are widened by this where meshes and clouds are cut, units of the CRS.
    vertical : float
        Metres per unit of z.
    around : float
        Without a terrain the ground is looked for this far around outlines, units of the CRS.
    """

    footprints: Layer
    rows: NDArray[np.intp]
    surfaces: tuple[Layer, ...]
    models: tuple[Layer, ...]
    terrain: Layer | None
    columns: Mapping[str, str]
    tables: tuple[Table, ...] = ()
    margin: float = 0.0
    vertical: float = 1.0
    around: float = AROUND


@dataclass(frozen=True)
class Built:
    """Entities, and translated sentences about what could not be joined."""

    entities: tuple[CityEntity, ...]
    warnings: tuple[str, ...] = field(default=())


def plan(
    scene: Scene,
    footprints: str,
    *,
    expression: str = "",
    columns: Mapping[str, str] | None = None,
    surfaces: Sequence[str] | None = None,
    models: Sequence[str] | None = None,
    tables: Sequence[Table] = (),
    margin: float = 0.0,
) -> EntityPlan:
    """Return what entities are to be built from.

    Parameters
    ----------
    footprints : str
        Vector layer with polygons.
    columns : mapping, optional
        ``id, name, height, storeys, documents`` to columns of the footprints; for those that are
        not named the habits of `ID_COLUMNS` and its kind decide.
    surfaces, models : sequence of str, optional
        Layers to join; by default every model with things of its own, and every mesh, tree of tiles
        and cloud none of whose things is joined. Results of analyses are never taken by default.

    Raises
    ------
    RefusedError
        If the layer has no polygons, or too many.
    UsageError
        If a layer or a column is not there.
    """
    layer = scene[footprints]
    rows = _polygons(layer, expression)
    own = dict(columns or {})
    known = table_columns(layer)
    for name, habits in (("id", ID_COLUMNS), ("height", HEIGHT_COLUMNS),
                         ("storeys", STOREY_COLUMNS)):  # fmt: skip
        if name not in own:
            own[name] = next((c for c in habits if c in known), "")
    for column in filter(None, own.values()):
        if column not in known:
            raise UsageError(
                tr("There is no column “{name}”.", name=column[:80]),
                tr("The columns are: {names}.", names=", ".join(known)[:500]),
            )
    if not math.isfinite(margin) or abs(margin) > 100:
        raise UsageError(tr("The margin must be between -100 and 100."), tr("E.g. 0.5"))
    usual = [one for one in scene if one.id != footprints and one.kind != "result"]
    terrain = next((o for o in usual if _is_terrain(o)), None)
    units = crs_units(scene.georeference.crs)
    return EntityPlan(
        layer,
        rows,
        tuple(map(scene.__getitem__, surfaces)) if surfaces is not None
        else tuple(one for one in usual if _is_surface(one)),
        tuple(map(scene.__getitem__, models)) if models is not None
        else tuple(one for one in usual if _is_model(one)),
        terrain,
        own,
        tuple(tables),
        margin,
        units.vertical,
        AROUND / (units.horizontal or 1.0),
    )  # fmt: skip


def _polygons(layer: Layer, expression: str) -> NDArray[np.intp]:
    import shapely

    if not isinstance(layer.data, VectorData):
        raise RefusedError(
            tr("“{name}” holds no footprints.", name=layer.name),
            tr("Choose a vector layer with polygons."),
        )
    rows = where(layer, expression)
    shapes = layer.data.features.geometry.to_numpy()[rows]
    flat = (shapely.get_dimensions(shapes) == 2) & ~shapely.is_empty(shapes)
    if not flat.any() or flat.sum() > MAX_FOOTPRINTS:
        raise RefusedError(
            tr("“{name}” has {n} polygons to make entities of.", name=layer.name, n=flat.sum()),
            tr("Choose between 1 and {n} of them.", n=MAX_FOOTPRINTS),
        )
    found: NDArray[np.intp] = rows[flat]
    return found


def _is_terrain(layer: Layer) -> bool:
    return isinstance(layer.data, RasterData) and layer.data.role == "terrain"


def _is_model(layer: Layer) -> bool:
    return isinstance(layer.data, MeshData) and bool(layer.data.elements)


def _is_surface(layer: Layer) -> bool:
    data = layer.data
    captured = isinstance(data, MeshData | TilesData | PointCloudData)
    return captured and not isinstance(data, BimData)


def build(inputs: EntityPlan, feedback: Feedback | None = None) -> Built:
    """Return an entity for each footprint; pure.

    The order is that of the features; two footprints with one id are one entity.
    """
    feedback = feedback or Feedback()
    bare, warnings = _entities_of_footprints(inputs)
    shapes = np.array([one.shape() for one in bare], dtype=object)
    parts: list[list[EntityRef]] = [list(one.parts) for one in bare]
    numbers = {one.id: n for n, one in enumerate(bare)}
    for n, layer in enumerate(inputs.models):
        feedback.step(n, len(inputs.models), tr("Joining {name}", name=layer.name))
        assert isinstance(layer.data, MeshData)
        for number, element in owners_of_models(layer.data, shapes, numbers, feedback):
            parts[number].append(EntityRef(layer.id, element))
    joined = {ref.layer for refs in parts for ref in refs}
    wide, ground = _widened(shapes, inputs.margin), _ground(inputs.terrain, shapes, inputs.vertical)
    # Where there is a terrain, nobody asks what lies beside.
    around = wide if inputs.terrain is not None else _widened(wide, inputs.around)
    found: list[list[Measured]] = [[] for _ in bare]
    for n, layer in enumerate(inputs.surfaces):
        if layer.id in joined:  # its things are parts themselves
            continue
        part = feedback.part(n / len(inputs.surfaces), (n + 1) / len(inputs.surfaces))
        part.step(0, 1, tr("Joining {name}", name=layer.name))
        cut = clouds_above if isinstance(layer.data, PointCloudData) else meshes_above
        for number, measured in cut(layer, wide, around, part):
            low = ground[number] if math.isfinite(ground[number]) else measured.foot
            if measured.roof - low >= RISE / inputs.vertical:
                found[number].append(measured)
    entities = tuple(
        _measured(replace(one, parts=tuple(dict.fromkeys(refs))), seen, low, inputs.vertical)
        for one, refs, seen, low in zip(bare, parts, found, ground, strict=True)
    )
    entities, lost = _with_rows(entities, inputs.tables)
    return Built(entities, (*warnings, *lost))


def _entities_of_footprints(inputs: EntityPlan) -> tuple[list[CityEntity], list[str]]:
    import shapely

    layer, columns = inputs.footprints, inputs.columns
    assert isinstance(layer.data, VectorData)
    labels, names, table = entity_ids(layer), table_columns(layer), table_rows(layer)
    shapes = layer.data.features.geometry.to_numpy()
    entities: dict[str, CityEntity] = {}
    again = unnamed = 0
    for n in inputs.rows.tolist():
        row = dict(zip(names, table[n], strict=True))
        name = _text(row.get(columns.get("id", "")))
        unnamed += not name
        ident, ref = name or labels[n], EntityRef(layer.id, labels[n])
        if ident in entities:
            again += 1
            old = entities[ident]
            joined = shapely.union_all([old.shape(), shapely.force_2d(shapes[n])])
            entities[ident] = replace(
                old, outline=outline_of(_valid(joined)), parts=(*old.parts, ref)
            )
            continue
        given = {key: _number(row.get(columns.get(key, ""))) for key in ("height", "storeys")}
        documents = _text(row.get(columns.get("documents", "")))
        entities[ident] = CityEntity(
            id=ident,
            name=_text(row.get(columns.get("name", ""))) or _name(layer, labels[n], ident),
            outline=outline_of(_valid(shapely.force_2d(shapes[n]))),
            parts=(ref,),
            height=given["height"],
            storeys=given["storeys"],
            sources={key: columns[key] for key, value in given.items() if value is not None},
            documents=tuple(d.strip() for d in documents.split(";") if d.strip()),
        )
    warnings = []
    if again:
        warnings.append(
            tr("{n} footprints share the id of another and were joined to it.", n=again)
        )
    if unnamed and columns.get("id"):
        warnings.append(
            tr("{n} footprints have no {column}; they keep the number of their feature.",
               n=unnamed, column=columns["id"])
        )  # fmt: skip
    return list(entities.values()), warnings


def _name(layer: Layer, label: str, ident: str) -> str:
    """Return the name attribute of a feature, "" where it has none of its own."""
    name = entity_name(layer, label)
    return "" if name in (f"{layer.name} {label}", ident) else name


def _valid(shape: shapely.Geometry) -> shapely.Geometry:
    import shapely

    return shape if shape.is_valid else shapely.make_valid(shape, method="structure")


def _widened(shapes: NDArray[np.object_], margin: float) -> NDArray[np.object_]:
    import shapely

    if margin == 0:
        return shapes
    wide: NDArray[np.object_] = shapely.buffer(shapes, margin, join_style="mitre")
    return wide


def _ground(terrain: Layer | None, shapes: NDArray[np.object_], vertical: float) -> FloatArray:
    """Return the lowest ground under the corners of each outline, z of the CRS; NaN: unknown."""
    import shapely

    lowest = np.full(len(shapes), np.inf)
    if terrain is None:
        return np.full(len(shapes), np.nan)
    assert isinstance(terrain.data, RasterData)
    corners, owner = shapely.get_coordinates(shapes, return_index=True)
    heights = sample_bilinear(terrain.data, corners) / vertical
    known = np.isfinite(heights)
    np.minimum.at(lowest, owner[known], heights[known])
    return np.where(np.isfinite(lowest), lowest, np.nan)


def _measured(one: CityEntity, seen: list[Measured], ground: float, vertical: float) -> CityEntity:
    """Return an entity with base, top and height, from its surfaces where no column says them."""
    best = max(seen, key=lambda m: m.part.count, default=None)
    base = ground if math.isfinite(ground) else None if best is None else best.foot
    top = None if best is None else best.roof
    height, sources = one.height, dict(one.sources)
    if height is None and best is not None and base is not None:
        height = (best.roof - base) * vertical
        sources["height"] = N_("measured")
    if top is None and base is not None and height is not None:
        top = base + height / vertical
    parts = tuple(m.part for m in seen)
    return replace(one, surfaces=parts, base=base, top=top, height=height, sources=sources)


def _with_rows(
    entities: tuple[CityEntity, ...], tables: Sequence[Table]
) -> tuple[tuple[CityEntity, ...], list[str]]:
    """Join rows of tables by id; storeys and heights that only a table knows are taken up."""
    warnings = []
    for name, header, rows, key in tables:
        if key not in header:
            raise UsageError(
                tr("There is no column “{name}”.", name=key[:80]),
                tr("The columns are: {names}.", names=", ".join(header)[:500]),
            )
        place = header.index(key)
        by_id = {_text(row[place]): dict(zip(header, row, strict=False)) for row in rows
                 if len(row) > place}  # fmt: skip
        lost = [one.id for one in entities if one.id not in by_id]
        entities = tuple(
            _with_row(one, name, by_id[one.id]) if one.id in by_id else one for one in entities
        )
        if lost:
            warnings.append(
                tr("{n} entities have no row in {table}, e.g. “{id}”.", n=len(lost), table=name,
                   id=lost[0])
            )  # fmt: skip
    return entities, warnings


def _with_row(one: CityEntity, table: str, row: dict[str, Any]) -> CityEntity:
    plain = {k: v if isinstance(v, int | float | str | bool) else _text(v) for k, v in row.items()}
    changes: dict[str, Any] = {"rows": {**one.rows, table: plain}}
    sources = dict(one.sources)
    for field_name, habits in (("height", HEIGHT_COLUMNS), ("storeys", STOREY_COLUMNS)):
        column = next((c for c in habits if c in row), "")
        number = _number(row.get(column))
        if number is not None and (
            getattr(one, field_name) is None or sources.get(field_name) == "measured"
        ):
            changes[field_name], sources[field_name] = number, f"{table}: {column}"
    return replace(one, sources=sources, **changes)


def _text(value: Any) -> str:
    """Return an id or a name as text: 7 and 7.0 are one; nothing is ""."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
