"""What lies under the cursor, solved in float64."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EntityRef:
    """One thing in one layer.

    `entity` is the id that the data gives: GlobalId of an IFC product, id of a mesh element, index
    label of a vector feature, index of a point as text.
    """

    layer: str
    entity: str


@dataclass(frozen=True)
class Pick:
    """A point on a visible surface.

    Attributes
    ----------
    position : (x, y, z)
        Project CRS, float64.
    layer : str
        Id of the layer that was hit.
    entity : str
        Id of the thing in that layer, empty when it has none.
    primitive : int
        Index of the triangle, point or cell in the layer's data, -1 when unknown.
    normal : (nx, ny, nz), optional
        Unit normal of the surface, towards the viewer.
    snap : str
        What the point snapped to: ``""``, ``"vertex"``, ``"midpoint"``, ``"perpendicular"``,
        ``"feature"``, ``"edge"``, ``"point"``, ``"face"``.
    pixel : float
        Size of a pixel there, in the unit of x and y: how well a hand can point. 0 where unknown.
    """

    position: tuple[float, float, float]
    layer: str
    entity: str = ""
    primitive: int = -1
    normal: tuple[float, float, float] | None = None
    snap: str = ""
    pixel: float = 0.0

    @property
    def ref(self) -> EntityRef | None:
        """The entity that was hit, None for a surface without entities."""
        return EntityRef(self.layer, self.entity) if self.entity else None
