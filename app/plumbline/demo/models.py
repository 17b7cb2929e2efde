"""Building models with facades and roofs (LoD2) and trees, for the whole district."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plumbline.demo import facades, obj
from plumbline.demo.frame import ORIGIN, WIDTH, Bytes, Floats, random
from plumbline.demo.model import Building, District, Tree
from plumbline.demo.parts import Face, Part, triangles
from plumbline.demo.sea import SEA_NORTH
from plumbline.demo.surface import SEA_LEVEL

PLINTH = 1.2
"""Depth in m that the walls of the models reach into the ground."""


class _Builder:
    """Collects faces of many buildings, each vertex once per face."""

    def __init__(self) -> None:
        self.vertices: list[Floats] = []
        self.uv: list[Floats] = []
        self.pieces: list[obj.Piece] = []
        self.count = 0

    def add(self, name: str, by_material: dict[str, list[tuple[Floats, Floats, Floats]]]) -> None:
        """Add the faces of one object: material -> (points, uv, triangles)."""
        for material, faces in sorted(by_material.items()):
            corners = []
            for points, uv, cut in faces:
                corners.append(cut + self.count)
                self.vertices.append(points)
                self.uv.append(uv)
                self.count += len(points)
            index = np.vstack(corners).astype(np.int64)
            self.pieces.append(obj.Piece(name, material, index, index))


def write(district: District, sea: Bytes, folder: Path) -> None:
    """Write models of buildings, trees and the sea, each in a folder with its metadata.

    `sea` is the picture of the water from the southern edge of the district to `SEA_NORTH`.
    """
    builder = _Builder()
    styles: set[str] = set()
    for building in district.buildings:
        builder.add(building.ident, _faces(building, styles))
    deck: dict[str, list[tuple[Floats, Floats, Floats]]] = {}
    for number, part in enumerate(district.pier):
        for face in part.faces():
            _put(
                deck,
                "roof_light" if face.kind == "roof" and number == 0 else "roof_sand",
                face,
                _flat_uv(face, part),
            )
    builder.add("pier", deck)
    materials = {f"facade_{s}": facades.facade(s, district.seed) for s in sorted(styles)}
    materials |= {f"roof_{name}": facades.roof(name, district.seed) for name in facades.ROOFS}
    model = obj.Model(np.vstack(builder.vertices), np.vstack(builder.uv), pieces=builder.pieces)
    origin = (*ORIGIN, 0.0)
    obj.write(folder / "buildings" / "buildings.obj", model, materials, origin)
    crowns = {
        name: np.array(colour) if name == "树干" else facades.leaves(colour, district.seed)
        for name, colour in _TREE_COLOURS.items()
    }
    obj.write(folder / "trees" / "trees.obj", _forest(district), crowns, origin)
    obj.write(folder / "sea" / "sea.obj", _sea(), {"sea": sea}, origin)


def _sea() -> obj.Model:
    """Return the sea as one rectangle at sea level; it ends under the land."""
    corners = [(0, 0), (WIDTH, 0), (WIDTH, SEA_NORTH), (0, SEA_NORTH)]
    vertices = np.array([(u, v, SEA_LEVEL) for u, v in corners])
    cut = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0.0, 0.0], [1, 0], [1, 1], [0, 1]])
    return obj.Model(vertices, uv, pieces=[obj.Piece("sea", "sea", cut, cut)])


def _faces(building: Building, styles: set[str]) -> dict[str, list[tuple[Floats, Floats, Floats]]]:
    found: dict[str, list[tuple[Floats, Floats, Floats]]] = {}
    storey = building.eaves / building.storeys
    styles.add(building.facade)
    for part in building.parts:
        for face in part.faces():
            if face.kind == "wall":
                uv = _wall_uv(face, building.facade, storey)
                _put(found, f"facade_{building.facade}", _sunk(face), uv, building.base)
            elif face.kind != "floor":
                tile = "light" if face.kind == "rim" else part.tile
                _put(found, f"roof_{tile}", face, _flat_uv(face, part), building.base)
    for part in building.extras:
        for face in part.faces():
            name = "light" if face.kind == "wall" else part.tile
            _put(found, f"roof_{name}", face, _flat_uv(face, part), building.base)
    return found


def _sunk(face: Face) -> Face:
    """Return a wall whose foot stands in the ground, so that no gap shows on a slope."""
    ring = face.ring.copy()
    ring[ring[:, 2] <= 0, 2] = -PLINTH
    return Face(ring, face.kind)


def _put(
    found: dict[str, list[tuple[Floats, Floats, Floats]]],
    material: str,
    face: Face,
    uv: Floats,
    base: float = 0.0,
) -> None:
    points, cut = triangles(face)
    points = points + np.array([0.0, 0.0, base])
    found.setdefault(material, []).append((points, uv, cut.astype(float)))


def _wall_uv(face: Face, style: str, storey: float) -> Floats:
    """Return texture coordinates: whole bays along the wall, whole storeys up it."""
    start, end = face.ring[0, :2], face.ring[1, :2]
    length = float(np.hypot(*(end - start)))
    bays = max(1, round(length / facades.bay_width(style)))
    along = (face.ring[:, :2] - start) @ (end - start) / length
    up = np.where(face.ring[:, 2] <= 0, -PLINTH, face.ring[:, 2])
    return np.column_stack([along / length * bays, up / storey]) / facades.TILE_BAYS


def _flat_uv(face: Face, part: Part) -> Floats:
    points = np.vstack([face.ring, *face.holes])
    p, q = part.own(points[:, 0], points[:, 1])
    return np.column_stack([p, q + (points[:, 2] if face.kind == "wall" else 0)]) / 8.0


_TREE_COLOURS = {
    "法桐": (92, 118, 58),
    "黑松": (58, 82, 50),
    "刺槐": (88, 112, 58),
    "雪松": (60, 88, 64),
    "银杏": (116, 130, 62),
    "樱花": (112, 126, 70),
    "冬青": (74, 104, 54),
    "树干": (92, 76, 60),
}


def _icosahedron() -> tuple[Floats, NDArray[np.int64]]:
    g = (1 + 5**0.5) / 2
    points = [
        (-1, g, 0),
        (1, g, 0),
        (-1, -g, 0),
        (1, -g, 0),
        (0, -1, g),
        (0, 1, g),
        (0, -1, -g),
        (0, 1, -g),
        (g, 0, -1),
        (g, 0, 1),
        (-g, 0, -1),
        (-g, 0, 1),
    ]
    faces = [
        (0, 11, 5),
        (0, 5, 1),
        (0, 1, 7),
        (0, 7, 10),
        (0, 10, 11),
        (1, 5, 9),
        (5, 11, 4),
        (11, 10, 2),
        (10, 7, 6),
        (7, 1, 8),
        (3, 9, 4),
        (3, 4, 2),
        (3, 2, 6),
        (3, 6, 8),
        (3, 8, 9),
        (4, 9, 5),
        (2, 4, 11),
        (6, 2, 10),
        (8, 6, 7),
        (9, 8, 1),
    ]
    unit = np.array(points, float)
    return unit / np.linalg.norm(unit, axis=1, keepdims=True), np.array(faces, np.int64)


_BALL, _BALL_FACES = _icosahedron()
_TURN = np.arctan2(_BALL[:, 1], _BALL[:, 0]) / (2 * np.pi) + 0.5
# Every corner twice: a face across the seam takes those one turn further on.
_CROWN_UV = np.concatenate([_TURN, _TURN + 1]) * 3
_SEAM = np.ptp(_TURN[_BALL_FACES], axis=1) > 0.5
_AROUND = _BALL_FACES + 12 * (_SEAM[:, None] & (_TURN[_BALL_FACES] < 0.5))


def _forest(district: District) -> obj.Model:
    """Return crowns (squashed icosahedra, or cones for 雪松) and three-sided trunks."""
    rng = random(district.seed, "tree models")
    ball, faces = _BALL, _BALL_FACES
    by_species: dict[str, list[Tree]] = {}
    for tree in district.trees:
        by_species.setdefault(tree.species, []).append(tree)
    vertices, normals, pieces, trunks = [], [], [], []
    count = 0
    for species, trees in sorted(by_species.items()):
        table = np.array([(t.u, t.v, t.ground, t.height, t.radius, t.semi) for t in trees])
        shape = ball
        if species == "雪松":  # narrow above, wide below
            shape = ball * np.column_stack(
                [np.repeat((1.05 - ball[:, 2:]) * 0.72, 2, axis=1), np.ones(12)]
            )
        size = table[:, [4, 4, 5]][:, None] * rng.uniform(0.88, 1.08, (len(trees), 12, 1))
        centre = np.column_stack([table[:, :2], table[:, 2] + table[:, 3] - table[:, 5]])
        points = centre[:, None] + shape[None] * size
        index = (np.arange(len(trees)) * 12)[:, None, None] + faces[None] + count
        vertices.append(points.reshape(-1, 3))
        normals.append(np.tile(ball, (len(trees), 1)))
        flat = index.reshape(-1, 3)
        around = np.tile(_AROUND, (len(trees), 1))
        pieces.append(obj.Piece(species, species, flat, around, flat))
        count += len(trees) * 12
        trunks.append(table[table[:, 3] >= 2.0])
    _trunks(np.vstack(trunks), vertices, normals, pieces, count)
    uv = np.column_stack([_CROWN_UV, np.tile((ball[:, 2] + 1) / 2, 2)])
    return obj.Model(np.vstack(vertices), uv, np.vstack(normals), pieces)


def _trunks(
    table: Floats,
    vertices: list[Floats],
    normals: list[Floats],
    pieces: list[obj.Piece],
    count: int,
) -> None:
    turn = np.array([0.0, 2.1, 4.2])
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    thick = (0.018 * table[:, 3])[:, None, None]
    around = table[:, None, :2] + ring[None] * thick
    low = np.concatenate(
        [around, np.broadcast_to(table[:, None, 2:3] - 0.3, (len(table), 3, 1))], 2
    )
    top = table[:, 2] + table[:, 3] - 1.2 * table[:, 5]
    high = np.concatenate([around, np.broadcast_to(top[:, None, None], (len(table), 3, 1))], 2)
    vertices.append(np.concatenate([low, high], axis=1).reshape(-1, 3))
    normals.append(
        np.tile(np.column_stack([np.vstack([ring, ring]), np.zeros(6)]), (len(table), 1))
    )
    side = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4], [2, 0, 3], [2, 3, 5]])
    index = ((np.arange(len(table)) * 6)[:, None, None] + side[None] + count).reshape(-1, 3)
    pieces.append(obj.Piece("树干", "树干", index, None, index))
