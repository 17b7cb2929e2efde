"""Drawings for CAD: lines, outlines, points and texts in metres on named layers, as DXF R2010."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from plumbline.core.data import AnyArray

#: AutoCAD colour numbers that read on a light and on a dark ground.
_COLORS = (5, 1, 3, 30, 6, 4, 40, 8)


@dataclass
class Drawing:
    """What a DXF file holds; coordinates ``(N, 2)`` or ``(N, 3)``, metres.

    Attributes
    ----------
    lines, outlines : list of (layer, points)
        Open and closed.
    points : list of (layer, points)
    texts : list of (layer, place, text)
    """

    lines: list[tuple[str, AnyArray]] = field(default_factory=list)
    outlines: list[tuple[str, AnyArray]] = field(default_factory=list)
    points: list[tuple[str, AnyArray]] = field(default_factory=list)
    texts: list[tuple[str, Sequence[float], str]] = field(default_factory=list)


def dxf_bytes(drawing: Drawing) -> bytes:
    """Return a drawing as DXF; the same drawing gives the same bytes."""
    import ezdxf

    document = ezdxf.new("R2010", units=6)
    # Otherwise a result would differ from its replay in nothing but these.
    ezdxf.options.write_fixed_meta_data_for_testing = True
    space = document.modelspace()
    names: dict[str, str] = {}

    def attributes(layer: str) -> dict[str, str]:
        if layer not in names:
            name = re.sub(r'[<>/\\":;?*|=`,\x00-\x1f]', "_", layer)[:200] or "0"
            names[layer] = name
            if name not in document.layers:
                document.layers.add(name, color=_COLORS[len(names) % len(_COLORS)])
        return {"layer": names[layer]}

    for closed, shapes in ((False, drawing.lines), (True, drawing.outlines)):
        for layer, points in shapes:
            if points.shape[1] == 2:
                space.add_lwpolyline(
                    points.tolist(), close=closed, dxfattribs=attributes(layer), format="xy"
                )
            else:
                space.add_polyline3d(points.tolist(), close=closed, dxfattribs=attributes(layer))
    for layer, points in drawing.points:
        for point in points.tolist():
            space.add_point(point, dxfattribs=attributes(layer))
    for layer, place, text in drawing.texts:
        line = " ".join(text.split())[:250]
        space.add_text(line, height=0.25, dxfattribs=attributes(layer)).set_placement(
            tuple(float(v) for v in place)
        )
    stream = io.StringIO()
    document.write(stream)
    return stream.getvalue().encode("utf-8")
