"""Tiles: the finest cut through the tree that this machine draws fluently, as one textured mesh."""

from __future__ import annotations

from dataclasses import replace

from plumbline.core.tiles import TilesData
from plumbline.render import mesh
from plumbline.render.parts import Prepared, Request


def prepare(request: Request) -> Prepared:
    """Prepare a tree of tiles."""
    data = request.layer.data
    assert isinstance(data, TilesData)
    cut = data.mesh(max_triangles=request.budget.tile_triangles)
    return mesh.prepare(replace(request, layer=replace(request.layer, data=cut.mesh)))
