"""Blocks of the scheme that is shown: read from its layer of massing, and written back as edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from plumbline.api import (
    CrsUnits,
    EntityRef,
    Layer,
    LayerKind,
    LayerStyle,
    RasterData,
    RefusedError,
    Scene,
    Scheme,
    crs_units,
    surface,
    tr,
)
from plumbline_schemes.analysis.massing import KEY, Block, blocks_of, mesh_of, metadata_of


class MassingStore:
    """The blocks of a scene's schemes.

    Every method that changes something is one step of undo, and refuses a locked scheme.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @property
    def units(self) -> CrsUnits:
        """Metres of the project CRS."""
        return crs_units(self.scene.georeference.crs)

    @property
    def scheme(self) -> Scheme | None:
        """The scheme that is shown, with all its phases."""
        shown = self.scene.active_scheme
        return None if shown is None else self.scene.scheme(shown.id)

    def editable(self) -> Scheme:
        """Return the scheme that is shown.

        Raises
        ------
        RefusedError
            If the baseline is shown, or the scheme is locked.
        """
        scheme = self.scheme
        if scheme is None:
            raise RefusedError(
                tr("The baseline is what is there, and is not built upon."),
                tr("Choose a scheme, or make a new one, under Schemes."),
            )
        if scheme.locked:
            raise RefusedError(
                tr("Scheme “{name}” is locked.", name=scheme.name), tr("Unlock it to edit it.")
            )
        return scheme

    @property
    def layer(self) -> Layer | None:
        """The layer of massing of the scheme that is shown."""
        scheme = self.scheme
        ids = [] if scheme is None else [i for i in scheme.layers if i in self.scene]
        return next((self.scene[i] for i in ids if KEY in self.scene[i].metadata), None)

    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks of the scheme that is shown."""
        layer = self.layer
        return () if layer is None else blocks_of(layer)

    def block(self, ref: EntityRef | None) -> Block | None:
        """Return the block that was picked, None for anything else."""
        layer = self.layer
        if ref is None or layer is None or ref.layer != layer.id:
            return None
        return next((b for b in self.blocks() if b.id == ref.entity.split("/")[0]), None)

    def ref(self, block: Block) -> EntityRef | None:
        """Return a block as an entity of the scene."""
        layer = self.layer
        return None if layer is None else EntityRef(layer.id, block.id)

    def add(self, blocks: Sequence[Block], label: str) -> list[Block]:
        """Add blocks with ids and names of their own; return them as they are now."""
        self.editable()
        known = list(self.blocks())
        number = max((int(b.id[1:]) for b in known if b.id[1:].isdigit()), default=0)
        made = []
        for block in blocks:
            number += 1
            name = block.name or tr("Building {n}", n=number)
            made.append(replace(block, id=f"b{number}", name=name))
        self.write([*known, *made], label)
        return made

    def replace(self, block: Block, label: str, *others: Block) -> None:
        """Put a block, or several, in the place of the one with its id."""
        blocks = list(self.blocks())
        place = [b.id for b in blocks].index(block.id)
        self.write([*blocks[:place], block, *others, *blocks[place + 1 :]], label)

    def remove(self, block: Block) -> None:
        """Take a block away."""
        self.write([b for b in self.blocks() if b.id != block.id], tr("Remove building"))

    def write(self, blocks: Sequence[Block], label: str) -> None:
        """Keep blocks as the massing of the scheme."""
        scheme = self.editable()
        mesh, metadata = mesh_of(blocks, self.units), metadata_of(blocks)
        scene, layer = self.scene, self.layer
        with scene.history.step(label):
            if layer is not None:
                scene.set_data(layer.id, mesh, metadata)
                return
            new = Layer(
                scene.unique_id(f"massing_{scheme.id}"), tr("Massing of {name}", name=scheme.name),
                LayerKind.MESH, mesh, scene.georeference.crs, metadata=metadata,
                style=LayerStyle(color_by="material"),
            )  # fmt: skip
            scene.add(new)
            scene.update_scheme(scheme.id, layers=(*scheme.layers, new.id))

    def ground(self, x: float, y: float) -> float:
        """Return the level of the ground, where the scheme has flattened it that level."""
        import shapely

        scheme = self.scheme
        if scheme is not None and scheme.terrain_height is not None:
            ring = scheme.terrain_polygon
            if len(ring) >= 3 and shapely.intersects_xy(shapely.Polygon(ring), x, y):
                return float(scheme.terrain_height)
        for layer in self.scene:
            if isinstance(layer.data, RasterData) and layer.data.role == "terrain":
                # In a hole that the scheme cuts one builds on the ground that was there.
                ground = replace(surface(self.scene, layer.id), clip=())
                height = float(ground.heights(np.array([[x, y]]))[0])
                if np.isfinite(height):
                    return height
        return 0.0
