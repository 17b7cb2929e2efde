"""The plain data that the demo district is made of, and what `build` hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from plumbline.demo.frame import Floats
from plumbline.demo.parts import Part


@dataclass(frozen=True)
class Street:
    """A street: its centre line in local m, its whole width and the part that carries traffic."""

    name: str
    grade: str
    width: float
    carriage: float
    line: Any
    """shapely LineString in local m."""

    @property
    def polygon(self) -> Any:
        """The street between its property lines, a shapely polygon in local m."""
        return self.line.buffer(self.width / 2, quad_segs=4)


@dataclass(frozen=True)
class Block:
    """The land between streets, with what it is used for."""

    key: str
    polygon: Any
    angle: float
    """Direction in rad of its east-west streets, anticlockwise from east."""
    use: str
    """What fills it: ``slabs``, ``liyuan``, ``villas``, ``park`` ..."""


@dataclass
class Building:
    """A building by construction. Heights in m are above `base`, which is in m above the sea."""

    name: str
    use: str
    storeys: int
    year: int
    structure: str
    parts: tuple[Part, ...]
    facade: str
    block: str
    extras: tuple[Part, ...] = ()
    """Stair heads, lift boxes and the like, standing on the roof."""
    dwellings: int = 0
    demolish: bool = False
    base: float = 0.0
    ident: str = ""

    @cached_property
    def footprint(self) -> Any:
        """The outline as a shapely polygon in local m."""
        import shapely

        if len(self.parts) == 1:
            return self.parts[0].polygon
        # The parts touch along edges; the grid closes the last 1e-6 m between them.
        return shapely.union_all([p.polygon for p in self.parts], grid_size=1e-6)

    @property
    def eaves(self) -> float:
        """Height in m of the eaves or of the flat roof."""
        return self.parts[0].eaves

    @property
    def ridge(self) -> float:
        """Height in m of the ridge; that of the eaves under a flat roof."""
        return max(p.eaves + p.rise for p in self.parts)

    @property
    def height(self) -> float:
        """Height in m as planning law counts it: half-way from eaves to ridge (GB 50016)."""
        return (self.eaves + self.ridge) / 2

    @property
    def top(self) -> float:
        """Height in m of the highest thing on it: ridge, parapet, lift box, spire."""
        return max(p.top for p in (*self.parts, *self.extras))

    @property
    def volume(self) -> float:
        """Volume in m³ of the body: footprint x eaves + roof; no parapets and no extras."""
        return sum(p.volume for p in self.parts)

    @property
    def volume_extras(self) -> float:
        """Volume in m³ of parapets and of what stands on the roof."""
        return sum(p.parapet_volume for p in self.parts) + sum(p.volume for p in self.extras)

    @property
    def floor_area(self) -> float:
        """Gross floor area in m²: storeys x footprint."""
        return float(self.storeys * self.footprint.area)

    @property
    def roof(self) -> str:
        """``flat``, ``gable``, ``hip`` or ``pyramid``."""
        return self.parts[0].roof


@dataclass(frozen=True)
class Tree:
    """A tree or shrub. Its crown is an ellipsoid: radius x radius x `semi`, top at `height`."""

    u: float
    v: float
    ground: float
    height: float
    radius: float
    semi: float
    species: str

    @property
    def shrub(self) -> bool:
        return self.height < 2.0


@dataclass(frozen=True)
class DemoLayer:
    """One layer of the district as the application should show it.

    Attributes
    ----------
    id : str
        Stable name, e.g. ``"buildings"``.
    path : str
        Relative to `DemoDistrict.folder`; `sublayer` names the table of a GeoPackage.
    kind : str
        ``raster``, ``vector``, ``mesh``, ``pointcloud`` or ``bim``.
    name, name_zh : str
        What the layer tree shows.
    group : str
        Group of the layer tree: ``terrain``, ``plan``, ``city``, ``survey``, ``underground``,
        ``schemes``.
    style : dict
        Suggested style; the fields of `plumbline.core.layer.LayerStyle` by name.
    visible, opacity
        How it is shown when the demo opens.
    join : dict
        ``{"layer": id, "key": field}``: objects of this layer are named by that field of that
        layer, so that a picked model can show the attributes; ``table`` is the same as CSV
        beside the model. Empty for none.
    """

    id: str
    path: str
    kind: str
    name: str
    name_zh: str
    group: str
    sublayer: str = ""
    style: dict[str, Any] = field(default_factory=dict)
    visible: bool = True
    opacity: float = 1.0
    join: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DemoScheme:
    """A planning scheme: its layers, and the baseline buildings (编号) that it clears.

    Attributes
    ----------
    site : list of rings
        Outlines of the site in EPSG:4549, m: the terrain to flatten and to count indicators on.
    """

    id: str
    name: str
    name_zh: str
    layers: list[str]
    hidden: list[str]
    site: list[list[list[float]]]


@dataclass(frozen=True)
class Viewpoint:
    """A named camera: position and focal point in EPSG:4549 and m above the sea."""

    id: str
    name: str
    name_zh: str
    position: tuple[float, float, float]
    focal_point: tuple[float, float, float]


@dataclass(frozen=True)
class DemoDistrict:
    """What `plumbline.demo.build` made.

    Attributes
    ----------
    folder : Path
        Holds every file named below.
    crs : str
        ``"EPSG:4549"``.
    origin : tuple of float
        Suggested scene origin in m (E, N, H).
    bounds : tuple of float
        (E min, N min, E max, N max) in m.
    sea_level : float
        Height of the sea in m.
    """

    folder: Path
    crs: str
    origin: tuple[float, float, float]
    bounds: tuple[float, float, float, float]
    sea_level: float
    layers: tuple[DemoLayer, ...]
    viewpoints: tuple[Viewpoint, ...]
    schemes: tuple[DemoScheme, ...]
    groups: dict[str, tuple[str, str]]
    """Group of the layer tree -> its English and Chinese name."""
    truth: Path

    def layer(self, ident: str) -> DemoLayer:
        """Return the layer called `ident`; KeyError when there is none."""
        for layer in self.layers:
            if layer.id == ident:
                return layer
        raise KeyError(ident)


@dataclass
class District:
    """Everything by construction, from which every file is written. Local m throughout."""

    seed: int
    streets: list[Street]
    blocks: list[Block]
    parcels: list[dict[str, Any]]
    buildings: list[Building]
    trees: list[Tree]
    greens: list[dict[str, Any]]
    ground: Floats
    """(1000, 1200) terrain heights in m at the centres of 1 m cells, north row first."""
    covers: list[tuple[Any, int]]
    """Polygons with their ground cover (`orthophoto.COVER`), later ones lie on top."""
    pier: list[Part]
