"""Which part of a layer a scheme clears: layers that were captured as a whole know no buildings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbline.analysis.clearing import cleared_area, is_captured
from plumbline.core.layer import Layer
from plumbline.core.scene import Scene
from plumbline.core.scheme import Clearing

if TYPE_CHECKING:
    import shapely


class Masks:
    """Joined areas of schemes, made once for each list of them."""

    def __init__(self) -> None:
        self._known: dict[tuple[Clearing, ...], shapely.MultiPolygon] = {}

    def of(self, scene: Scene, layer: Layer) -> shapely.MultiPolygon | None:
        """Return what the scheme that a scene shows clears from a layer; None for nothing."""
        scheme = scene.active_scheme
        if scheme is None or not scheme.cleared or not is_captured(scene, layer):
            return None
        if scheme.cleared not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            self._known[scheme.cleared] = cleared_area(scheme.cleared)
        return self._known[scheme.cleared]
