"""Meshes: photographs as they are, painted parts shaded, one actor for each texture."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plumbline.core.data import AnyArray, Bounds, FloatArray, MeshData, Texture
from plumbline.geometry.masking import cleared_mesh
from plumbline.geometry.rays import TriangleSet
from plumbline.render.colors import categories, palette, rgb8
from plumbline.render.parts import Part, Prepared, Request, Target
from plumbline.render.scales import scale_of
from plumbline.render.snapping import mesh_snaps
from plumbline.render.themes import element_colors


def prepare(request: Request) -> Prepared:
    """Prepare a mesh."""
    data = request.layer.data
    assert isinstance(data, MeshData)
    if request.mask is not None:
        data = cleared_mesh(data, request.mask)
    kept = kept_triangles(data, request.hidden)
    parts = parts_of(request, data, kept)
    prepared = pickable_mesh(request, data, kept, parts)
    prepared.snaps = mesh_snaps(data, kept, None)
    return prepared


def kept_triangles(data: MeshData, hidden: frozenset[str]) -> NDArray[np.intp]:
    """Return the indices of triangles whose element is not hidden."""
    if not hidden or data.element_index is None:
        return np.arange(len(data.triangles))
    gone = np.array([element.id in hidden for element in data.elements] + [False])
    return np.nonzero(~gone[data.element_index])[0]


def pickable_mesh(
    request: Request, data: MeshData, kept: NDArray[np.intp], parts: list[Part]
) -> Prepared:
    """Return a mesh with its targets and with marking of its elements."""
    index = data.element_index
    # Without elements, a triangle with a number is a thing of its own.
    single = bool(data.scalars) and not data.elements

    def entity(n: int) -> str:
        if single:
            return str(kept[n])
        return _element_id(data, -1 if index is None else int(index[kept[n]]))

    target = Target(
        TriangleSet(data.vertices, data.triangles[kept]),
        entity=entity,
        primitive=lambda n: int(kept[n]),
    )

    def triangles_of(ids: Iterable[str]) -> AnyArray:
        if single:
            return data.triangles[[int(i) for i in ids if i.isdigit()]]
        if index is None:
            return data.triangles[:0]
        wanted = set(ids)
        chosen = np.array([element.id in wanted for element in data.elements] + [False])
        triangles: AnyArray = data.triangles[kept][chosen[index[kept]]]
        return triangles

    def highlight(ids: Iterable[str]) -> list[Part]:
        return mark_triangles(request, data.vertices, triangles_of(ids))

    def extent(ids: Iterable[str]) -> Bounds | None:
        return Bounds.of(data.vertices[triangles_of(ids).ravel()])

    return Prepared(parts, [target] if len(kept) else [], highlight, extent)


def _element_id(data: MeshData, index: int) -> str:
    return data.elements[index].id if index >= 0 else ""


def parts_of(request: Request, data: MeshData, kept: NDArray[np.intp]) -> list[Part]:
    style = request.style
    by = style.color_by
    textured: list[int] = []
    if by in ("auto", "texture") and data.uv is not None and data.material_index is not None:
        textured = [n for n, m in enumerate(data.materials) if m.texture is not None]
    material = data.material_index if data.material_index is not None else None
    parts: list[Part] = []
    rest = np.ones(len(kept), dtype=bool)
    for number in textured:
        texture = data.materials[number].texture
        assert texture is not None
        assert material is not None
        assert data.uv is not None
        image = read_texture(texture, request.budget.texture_side)
        chosen = material[kept] == number
        if image is None or not chosen.any():
            continue
        rest &= ~chosen
        used, triangles = compact(data.triangles[kept[chosen]], len(data.vertices))
        parts.append(
            Part(
                points=request.local32(data.vertices[used]),
                triangles=triangles,
                uv=np.asarray(data.uv[used], dtype=np.float32),
                image=image,
                lit=False,
                show_edges=style.edges,
            )
        )
    if rest.any():
        parts.append(_painted(request, data, kept[rest]))
    return parts


def _painted(request: Request, data: MeshData, chosen: NDArray[np.intp]) -> Part:
    style, by = request.style, request.style.color_by
    used, triangles = compact(data.triangles[chosen], len(data.vertices))
    part = Part(
        points=request.local32(data.vertices[used]),
        triangles=triangles,
        color=style.color,
        show_edges=style.edges,
        opacity=style.opacity,
    )
    if by in ("auto", "texture", "rgb") and data.colors is not None:
        part.colors, part.lit = np.asarray(data.colors, dtype=np.uint8)[used, :3], True
    elif by == "scalar" and style.attribute in data.scalars:
        part.colors = triangle_colors(request, data)[chosen, :3]
        part.cell_colors = part.data = True
    elif by == "elevation":
        part.colors = palette(style.palette, data.vertices[used, 2], style.value_range)
    elif by == "attribute" and style.attribute and data.element_index is not None:
        table = element_colors(data, style, request.theme)
        part.colors, part.cell_colors = table[data.element_index[chosen]], True
    elif by in ("class", "attribute") and data.element_index is not None and data.elements:
        names = [element.cls for element in data.elements] + [""]
        table = categories(names, style.class_colors, request.theme.categorical)
        part.colors, part.cell_colors = table[data.element_index[chosen]], True
    elif by in ("auto", "texture", "material") and data.material_index is not None:
        table = material_colors(data)
        part.colors, part.cell_colors = table[data.material_index[chosen]], True
    return part


def triangle_colors(request: Request, data: MeshData) -> NDArray[np.uint8]:
    """Return RGBA of every triangle by the number that the style names; grey if it has none."""
    numbers = np.asarray(data.scalars[request.style.attribute])
    colors = scale_of(numbers, request.style, request.theme).colors(numbers)
    colors[colors[:, 3] == 0] = (*rgb8(request.theme.none), 255)
    return colors


def material_colors(data: MeshData) -> NDArray[np.uint8]:
    """Return RGBA bytes of each material, with a grey last for the index -1."""
    colors = [material.color for material in data.materials] + [(0.8, 0.8, 0.8, 1.0)]
    return (np.clip(colors, 0, 1) * 255).round().astype(np.uint8)


def compact(triangles: AnyArray, count: int) -> tuple[NDArray[np.intp], AnyArray]:
    """Return the vertices that triangles use, and the triangles renumbered to them."""
    if 3 * len(triangles) >= 4 * count:
        used_mask = np.zeros(count, dtype=bool)
        used_mask[triangles.ravel()] = True
        used = np.nonzero(used_mask)[0]
        number = np.cumsum(used_mask) - 1
        return used, number[triangles]
    used, inverse = np.unique(triangles, return_inverse=True)
    return used, inverse.reshape(-1, 3)


def mark_triangles(request: Request, vertices: FloatArray, triangles: AnyArray) -> list[Part]:
    """Return a tint and the sharp edges of some triangles, in the colour of the selection."""
    if len(triangles) == 0:
        return []
    used, faces = compact(triangles, len(vertices))
    points = request.local32(vertices[used])
    color = request.theme.selection
    tint = Part(points, faces, color=color, opacity=0.22, lit=False, draped=True)
    edges = sharp_edges(points, faces)
    outline = Part(points, lines=edges, color=color, size=3.0, lit=False, outline=True)
    hidden = Part(points, lines=edges, color=color, size=1.0, lit=False, opacity=0.3, on_top=True)
    return [tint, outline, hidden]


def sharp_edges(points: AnyArray, triangles: AnyArray, degrees: float = 25.0) -> AnyArray:
    """Return the edges ``(K, 2)`` where a surface ends or bends, told by place, not by index."""
    # Corners of one place may be several vertices (seams of textures): join them first.
    _, place = np.unique(np.round(points, 3), axis=0, return_inverse=True)
    place = place.reshape(-1)
    first_of = np.zeros(place.max() + 1, dtype=np.int64)
    first_of[place[::-1]] = np.arange(len(place))[::-1]
    faces = place[triangles]
    p = points.astype(np.float64)[triangles]
    normals = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    owner = np.repeat(np.arange(len(faces)), 3)
    key = edges[:, 0] * (len(first_of) + 1) + edges[:, 1]
    order = np.argsort(key, kind="stable")
    key, owner, edges = key[order], owner[order], edges[order]
    starts = np.nonzero(np.r_[True, key[1:] != key[:-1]])[0]
    counts = np.diff(np.r_[starts, len(key)])
    sharp = counts != 2
    pairs = starts[~sharp]
    cosine = np.einsum("ij,ij->i", normals[owner[pairs]], normals[owner[pairs + 1]])
    sharp[~sharp] = np.abs(cosine) < np.cos(np.radians(degrees))
    chosen = edges[starts[sharp]]
    result: AnyArray = first_of[chosen[chosen[:, 0] != chosen[:, 1]]]
    return result


def read_texture(texture: Texture, side: int) -> NDArray[np.uint8] | None:
    """Return an image ``(H, W, 3 or 4)``, made smaller where needed; None if it is no image.

    A mesh without its photographs is drawn in the colours of its materials: the loader has told
    the user which file is missing.
    """
    if texture.path is not None:
        return (
            _read_file(texture.path, texture.path.stat().st_mtime_ns, side)
            if (texture.path.is_file())
            else None
        )
    return _decode(io.BytesIO(texture.data), side) if texture.data else None


@lru_cache(maxsize=64)
def _read_file(path: Path, _changed: int, side: int) -> NDArray[np.uint8] | None:
    return _decode(path, side)


def _decode(source: Path | io.BytesIO, side: int) -> NDArray[np.uint8] | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(source) as image:
            image.draft("RGB", (side, side))
            if max(image.size) > side:
                image.thumbnail((side, side))
            mode = "RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB"
            return np.asarray(image.convert(mode), dtype=np.uint8)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def solid_color(color: str, count: int) -> NDArray[np.uint8]:
    """Return one colour for `count` cells ``(count, 3)``."""
    return np.tile(np.array(rgb8(color), dtype=np.uint8), (count, 1))
