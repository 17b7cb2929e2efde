"""What all mesh formats share: options, triangulation, checks, and placing beside a metadata.xml.

Photogrammetry software writes coordinates relative to an origin that a ``metadata.xml`` states
beside the model or one folder above; `placement` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.crs import crs_label, parse_crs
from plumbline.core.data import AnyArray, FloatArray, IntArray, MeshData
from plumbline.core.errors import InputError, UsageError, UserError
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind
from plumbline.io.base import damaged
from plumbline.io.registry import LoadContext
from plumbline.io.table import join_table

if TYPE_CHECKING:
    from pyproj import CRS

#: A polygon with more corners is not a face that any software writes.
MAX_CORNERS = 20_000


@dataclass
class Placement:
    """Where a mesh belongs: CRS, the shift that brings it there, and who said so."""

    crs: CRS | None = None
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    #: Latitude and longitude of a tangent plane (``ENU:lat,lon``), None for a plain shift.
    tangent: tuple[float, float] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def mesh_layer(
    path: Path,
    data: MeshData,
    context: LoadContext,
    *,
    title: str,
    up: str = "z",
    metadata: dict[str, Any] | None = None,
    warnings: Sequence[str] = (),
) -> Layer:
    """Return the layer of a mesh after the options ``up``, ``scale``, ``offset`` and metadata.xml.

    Parameters
    ----------
    data : MeshData
        As the file has it; taken over and changed.
    up : str
        Axis that points up in this format when the option says ``auto``.
    """
    notes = list(warnings)
    drop_unusable(path, title, data, notes)
    table = str(context.options.get("table", ""))
    if table:
        notes += join_table(data, path.parent, table)
    chosen = str(context.options.get("up", "auto"))
    axis = up if chosen == "auto" else chosen
    if axis == "y":
        x, y, z = data.vertices.T
        data.vertices = np.column_stack([x, -z, y])
    scale = float(context.options.get("scale", 1.0))
    if not (np.isfinite(scale) and scale > 0):
        raise UsageError(
            tr("The scale {scale} is no positive number.", scale=scale),
            tr("Give metres per unit, e.g. 0.001 for millimetres."),
        )
    place = placement(path)
    data.vertices = place_vertices(
        data.vertices * scale, place, parse_offset(str(context.options.get("offset", "0,0,0")))
    )
    info: dict[str, Any] = {"format": title, "up": axis, **(metadata or {}), **place.metadata}
    return Layer(
        path.stem,
        path.stem,
        LayerKind.MESH,
        data,
        crs=place.crs,
        metadata=info,
        warnings=notes + place.warnings,
    )


def parse_offset(text: str) -> FloatArray:
    """Return the offset ``(3,)`` that ``x,y,z`` states.

    Raises
    ------
    UsageError
        If the text is not three numbers.
    """
    try:
        offset = np.array([float(part) for part in text.split(",")])
    except ValueError:
        offset = np.zeros(0)
    if offset.shape != (3,) or not np.isfinite(offset).all():
        raise UsageError(
            tr("“{value}” is no value for the option {name}.", value=text, name="offset"),
            tr("Give three numbers, e.g. 500000,4000000,0."),
        )
    return offset


def drop_unusable(path: Path, title: str, data: MeshData, notes: list[str]) -> None:
    """Drop triangles whose vertices do not exist or have no finite position."""
    count = len(data.vertices)
    finite: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(data.vertices), axis=1)
    known: NDArray[np.bool_] = (data.triangles >= 0) & (data.triangles < count)
    in_range: NDArray[np.bool_] = np.logical_and.reduce(known, axis=1)
    keep = in_range.copy()
    keep[in_range] = finite[data.triangles[in_range]].all(axis=1)
    dropped = int(len(keep) - keep.sum())
    if dropped:
        notes.append(
            tr("{n} triangles name vertices that are not there; they were left out.", n=dropped)
        )
        data.triangles = data.triangles[keep]
        for name in ("material_index", "element_index"):
            if getattr(data, name) is not None:
                setattr(data, name, getattr(data, name)[keep])
        data.scalars = {name: numbers[keep] for name, numbers in data.scalars.items()}
    if not finite.all():
        number = np.cumsum(finite) - 1
        data.triangles = number[data.triangles]
        data.vertices = data.vertices[finite]
        for name in ("uv", "colors"):
            if getattr(data, name) is not None:
                setattr(data, name, getattr(data, name)[finite])
    if len(data.triangles) == 0:
        raise damaged(path, title, tr("it holds no triangles"))


def triangulate(
    points: FloatArray, corners: IntArray, counts: IntArray
) -> tuple[IntArray, IntArray, int]:
    """Split polygons into triangles.

    Parameters
    ----------
    points : (N, 3) float64
    corners : (sum of counts,) integer
        Indices into `points`, polygon after polygon.
    counts : (P,) integer
        Corners of each polygon.

    Returns
    -------
    triangles : (M, 3) integer
        Positions in `corners`, in the order of the polygons.
    polygons : (M,) integer
        The polygon of each triangle.
    skipped : int
        Polygons with fewer than three or far too many corners.
    """
    first = np.cumsum(counts) - counts
    usable = (counts >= 3) & (counts <= MAX_CORNERS)
    skipped = int(len(counts) - usable.sum())
    if len(counts) and skipped == 0 and counts.min() == counts.max() == 3:
        return np.arange(len(corners)).reshape(-1, 3), np.arange(len(counts)), 0
    parts, owners = [np.zeros((0, 3), np.int64)], [np.zeros(0, np.int64)]
    for n in np.unique(counts[usable]).tolist():
        faces = np.flatnonzero(counts == n)
        ring = first[faces, None] + np.arange(n)
        local = _fan(points[corners[ring]])
        parts.append(np.take_along_axis(ring[:, None, :], local, axis=2).reshape(-1, 3))
        owners.append(np.repeat(faces, n - 2))
    triangles, polygons = np.concatenate(parts), np.concatenate(owners)
    order = np.argsort(polygons, kind="stable")
    return triangles[order], polygons[order], skipped


def _fan(rings: FloatArray) -> IntArray:
    """Return ``(P, n-2, 3)`` corners of the triangles of P polygons with n corners each.

    Convex polygons become fans; the others go through ear clipping in their own plane.
    """
    faces, n = rings.shape[:2]
    spread = np.arange(1, n - 1)
    fan = np.stack([np.zeros_like(spread), spread, spread + 1], axis=1)
    local = np.broadcast_to(fan, (faces, n - 2, 3))
    if n == 3:
        return local
    local = local.copy()
    edges = rings - rings[:, :1]
    normals = np.cross(edges[:, 1:-1], edges[:, 2:])
    newell = normals.sum(axis=1)
    bad = ~(np.einsum("fij,fj->fi", normals, newell) >= 0).all(axis=1)
    for face in np.flatnonzero(bad).tolist():
        ears = _ears(edges[face], newell[face])
        if len(ears) == n - 2:
            local[face] = ears
    return local


def _ears(ring: FloatArray, normal: FloatArray) -> IntArray:
    import mapbox_earcut

    if not np.isfinite(ring).all():
        return np.zeros((0, 3), np.int64)
    axis = int(np.argmax(np.abs(normal)))
    plane = np.ascontiguousarray(np.delete(ring, axis, axis=1))
    ends = np.array([len(ring)], dtype=np.uint32)
    ears: IntArray = mapbox_earcut.triangulate_float64(plane, ends).astype(np.int64).reshape(-1, 3)
    # Ear clipping knows no winding: turn each triangle to face where the polygon faces.
    a, b, c = ring[ears[:, 0]], ring[ears[:, 1]], ring[ears[:, 2]]
    flipped = np.cross(b - a, c - a) @ normal < 0
    ears[flipped] = ears[flipped][:, ::-1]
    return ears


def split_seams(
    corner_v: IntArray, corner_t: IntArray, triangles: IntArray, count: int, uvs: FloatArray
) -> tuple[IntArray, IntArray, AnyArray | None]:
    """Give every vertex one texture coordinate, doubling vertices along seams only.

    Returns
    -------
    triangles : (M, 3) integer
    source : (N,) integer
        For each vertex the one in the file.
    uv : (N, 2) float32 or None
    """
    vertex, texture = corner_v[triangles], corner_t[triangles]
    source = np.arange(count)
    if len(uvs) == 0 or not (texture >= 0).any():
        return vertex, source, None
    chosen = np.full(count, -1)
    chosen[vertex] = texture
    seam = chosen[vertex] != texture
    if seam.any():
        key = vertex[seam] * (len(uvs) + 1) + texture[seam] + 1
        pairs, inverse = np.unique(key, return_inverse=True)
        vertex = vertex.copy()
        vertex[seam] = count + inverse.ravel()
        source = np.concatenate([source, pairs // (len(uvs) + 1)])
        chosen = np.concatenate([chosen, pairs % (len(uvs) + 1) - 1])
    uv = uvs[np.maximum(chosen, 0)]
    uv[chosen < 0] = 0.0
    return vertex, source, np.nan_to_num(uv).astype(np.float32)


def place_vertices(points: FloatArray, place: Placement, offset: FloatArray) -> FloatArray:
    """Shift local coordinates ``(N, 3)`` into the CRS of a placement, float64."""
    if place.tangent is not None:
        points = _from_tangent_plane(points + np.asarray(place.shift), place.tangent)
        return points + offset
    return points + (np.asarray(place.shift) + offset)


def placement(path: Path) -> Placement:
    """Return where the ``metadata.xml`` beside a model, or one folder above, puts it."""
    for folder in (path.parent, path.parent.parent):
        file = folder / "metadata.xml"
        if file.is_file():
            try:
                return _read_metadata_xml(file)
            except UserError as error:
                return Placement(warnings=[str(error)])
    return Placement()


def _read_metadata_xml(file: Path) -> Placement:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    if file.stat().st_size > 1_000_000:
        return Placement()
    try:
        root = parse(file).getroot()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise damaged(file, "XML", str(error)) from error
    if root is None or root.tag != "ModelMetadata":
        return Placement()
    srs = (root.findtext("SRS") or "").strip()
    numbers = (root.findtext("SRSOrigin") or "0,0,0").split(",")
    try:
        x, y, z = (float(part) for part in numbers)
    except ValueError as error:
        raise damaged(file, "XML", tr("its SRSOrigin is not three numbers")) from error
    place = Placement(shift=(x, y, z))
    place.metadata = {"shift": [x, y, z], "shift_source": file.name}
    if srs:
        _set_srs(place, srs, file)
        place.metadata["crs_source"] = file.name
    return place


def _set_srs(place: Placement, srs: str, file: Path) -> None:
    if srs.upper().startswith("ENU:"):
        try:
            lat, lon = (float(part) for part in srs[4:].split(","))
        except ValueError as error:
            raise damaged(file, "XML", tr("its SRS is not a latitude and a longitude")) from error
        if not (abs(lat) < 90 and abs(lon) <= 180):
            raise damaged(file, "XML", tr("its SRS is not a latitude and a longitude"))
        place.tangent = (lat, lon)
        place.crs = parse_crs(_local_projection(lat, lon))
        place.metadata["srs"] = srs
        return
    place.crs = parse_crs(srs)
    label = place.crs.to_json_dict().get("id")
    if label is None or "[" not in srs:
        return
    label = f"{label['authority']}:{label['code']}"
    named = parse_crs(label)
    if same_map(place.crs, named):
        place.crs = named
    else:
        # The label is what is wrong: strip it, so that nothing later looks the label up.
        place.crs = parse_crs(re.sub(r",\s*AUTHORITY\[[^\[\]]*\]\s*\]\s*$", "]", srs))
        place.warnings.append(
            tr(
                "{file} carries the label {label}, but its parameters are not those of {crs}; the "
                "parameters were used.",
                file=file.name,
                label=label,
                crs=crs_label(named),
            )
        )


def same_map(a: CRS, b: CRS) -> bool:
    """Tell whether two projected CRS put the same places at the same coordinates, to a millimetre.

    Comparing definitions is of no use here: writers spell names, axes and units each in their way.
    """
    from pyproj import Proj

    if not (a.is_projected and b.is_projected) or a.ellipsoid is None or b.ellipsoid is None:
        return bool(a.equals(b, ignore_axis_order=True))
    area = b.area_of_use
    west, south, east, north = area.bounds if area is not None else (-6.0, -60.0, 6.0, 60.0)
    lon, lat = np.meshgrid(np.linspace(west, east, 3), np.linspace(south, north, 3))
    first, second = (np.array(Proj(crs)(lon, lat)) for crs in (a, b))
    return bool(np.abs(first - second).max() < 1e-3)


def _local_projection(lat: float, lon: float) -> str:
    return f"+proj=tmerc +lat_0={lat!r} +lon_0={lon!r} +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m"


def _from_tangent_plane(points: FloatArray, tangent: tuple[float, float]) -> FloatArray:
    """Bring east, north, up ``(N, 3)`` of a tangent plane into the local projection there.

    A tangent plane leaves the earth's surface (8 cm at 1 km, 8 m at 10 km), a map does not; heights
    become ellipsoidal.
    """
    from pyproj import Transformer

    lat, lon = tangent
    pipeline = (
        "+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 "
        f"+lat_0={lat!r} +lon_0={lon!r} +h_0=0 "
        "+step +inv +proj=cart +ellps=WGS84 "
        f"+step {_local_projection(lat, lon).replace('+datum=WGS84 ', '+ellps=WGS84 ')}"
    )
    columns = Transformer.from_pipeline(pipeline).transform(*points.T)
    placed: FloatArray = np.column_stack(columns)
    if not np.isfinite(placed).all():
        raise InputError(
            tr("The model reaches too far from the origin that its metadata.xml states."),
            tr("Check SRS and SRSOrigin in the metadata.xml."),
        )
    return placed
