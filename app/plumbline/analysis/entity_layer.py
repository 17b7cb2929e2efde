"""Entities as a layer: prisms that tint a photogrammetric mesh building by building."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.city import CityEntity
from plumbline.core.data import VectorData
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer, LayerKind, LayerStyle

if TYPE_CHECKING:
    from pyproj import CRS

#: The prism stands this far around and above what it tints, metres, so that it covers it.
ROOM = 0.3


def overlay_layer(
    entities: Sequence[CityEntity], crs: CRS | None, layer_id: str, by: str = ""
) -> Layer:
    """Return the footprints of entities, raised from ground to roof and seen through.

    Parameters
    ----------
    by : str
        Attribute that gives the colours: ``height``, ``storeys`` or a column of their tables; by
        default every prism has the colour of the style.
    """
    import geopandas

    rows = [{k: v for row in e.rows.values() for k, v in row.items()} for e in entities]
    columns = list(dict.fromkeys(k for row in rows for k in row))
    table: dict[str, list[object]] = {
        "id": [e.id for e in entities],
        "name": [e.name for e in entities],
        "height": [e.height for e in entities],
        "storeys": [e.storeys for e in entities],
        "base": [e.base for e in entities],
    }
    table |= {c: [row.get(c) for row in rows] for c in columns if c not in table}
    known = [e.top is not None and e.base is not None for e in entities]
    rise = [e.top - e.base + 2 * ROOM if k else np.nan  # type: ignore[operator]
            for e, k in zip(entities, known, strict=True)]  # fmt: skip
    table["prism"] = list(rise)
    table["prism_base"] = [np.nan if e.base is None else e.base - ROOM for e in entities]
    shapes = [e.shape().buffer(ROOM, join_style="mitre") for e in entities]
    frame = geopandas.GeoDataFrame(table, geometry=shapes, crs=crs)
    frame.index = [e.id for e in entities]  # the things of this layer are the entities
    style = LayerStyle(extrude="prism", base="prism_base", edges=True)
    if by:
        style = style.model_copy(update={"color_by": "attribute", "attribute": by})
    return Layer(
        layer_id,
        tr("Entities"),
        LayerKind.VECTOR,
        VectorData(frame),
        crs,
        metadata={"format": tr("Entities of the project"), "overlay": True},
        style=style,
    )
