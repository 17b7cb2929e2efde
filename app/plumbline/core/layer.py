"""A layer and the three objects beside it: where it came from, how it looks, how it is viewed.

Data, style, storage and view state are four objects and never one: a style edit cannot touch
coordinates, a project stores sources without data, two views may show one layer differently.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from plumbline.core.data import Bounds, LayerData

if TYPE_CHECKING:
    from pyproj import CRS


class LayerKind(StrEnum):
    """Kinds of layers; each has one way to be drawn."""

    MESH = "mesh"
    TILES = "tiles"
    POINTCLOUD = "pointcloud"
    BIM = "bim"
    VECTOR = "vector"
    RASTER = "raster"
    RESULT = "result"


@dataclass(frozen=True)
class Source:
    """Where a layer came from, enough to load it again and to notice that it changed.

    Attributes
    ----------
    path : Path
        Absolute path of the file (the project file stores it relative to itself).
    loader : str
        Id of the loader, e.g. ``"las"``.
    sublayer : str
        Name of the layer inside the file, empty when the file has one.
    options : dict
        Options given to the loader, as plain JSON values.
    crs : str, optional
        CRS that the user stated because the file had none or a wrong one.
    sha256 : str
        Digest of the file's bytes, empty when not computed.
    size : int
        Size of the file, bytes.
    fingerprint : str
        What a folder or a very large file is known by, because hashing all of it takes too long:
        its list of files with samples of them (`plumbline.io.fingerprint`); empty for others.
    """

    path: Path
    loader: str
    sublayer: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    crs: str | None = None
    sha256: str = ""
    size: int = 0
    fingerprint: str = ""


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class LayerStyle(BaseModel):
    """How a layer is drawn. One plain model for all kinds; a kind reads the fields it knows.

    `color_by` is one of ``auto, solid, texture, material, class, storey, rgb, elevation,
    intensity, attribute, scalar``; ``auto`` takes the richest that the data offers.

    Numbers (of a computed grid, or the scalar of a mesh that `attribute` names) are shown on a
    `palette` over `value_range`; in bands where there are `breaks`; or as classes where there are
    `class_colors` (bytes always are), by the number as text (``"1"``). A number equal to a break
    belongs to the band above it; `class_colors` names a band by its place from below, ``"0"``
    first. Classes in `hidden_classes` are not drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    color: str = "#8fa3b8"
    color_by: str = "auto"
    attribute: str = ""
    palette: str = "viridis"
    class_colors: dict[str, str] = Field(default_factory=dict)
    #: What classes are called in the legend; English text that passes through `tr`.
    class_names: dict[str, str] = Field(default_factory=dict)
    #: Heading of the legend with its unit, English text that passes through `tr`.
    legend: str = ""
    #: Limits between bands of numbers, rising.
    breaks: tuple[float, ...] = Field((), max_length=64)
    #: BIM and grids: classes that are not drawn, though they are there and can be measured.
    hidden_classes: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None
    point_size: float = Field(2.0, ge=1, le=20)
    line_width: float = Field(2.0, ge=0.5, le=20)
    edges: bool = False
    eye_dome: bool = True
    #: Vector: name of the attribute with the height of extrusion in metres; empty for none.
    extrude: str = ""
    #: Vector: attribute with the base height; empty puts the base on the terrain.
    base: str = ""
    #: Vector lines: attribute with the outer diameter; empty draws lines. It counts `tube_unit`.
    tube: str = ""
    #: Metres in one unit of the diameter: 0.001 for millimetres.
    tube_unit: float = Field(1.0, gt=0, le=1)
    #: Vector lines without z: attribute with the depth of a tube's top below the ground, metres.
    depth: str = ""
    #: Vector without z: lay it on the terrain.
    drape: bool = True
    #: Raster imagery: drape on the terrain; terrain: take this imagery layer's colours.
    hillshade: bool = True
    #: Added to every height when drawing, metres; never to data.
    z_offset: float = 0.0
    label: str = ""
    #: Of faces and of grids of heights themselves, times that of the view: limits, corridors.
    opacity: float = Field(1.0, ge=0.05, le=1.0)

    @field_validator("breaks")
    @classmethod
    def _rise(cls, breaks: tuple[float, ...]) -> tuple[float, ...]:
        if not all(map(math.isfinite, breaks)) or list(breaks) != sorted(set(breaks)):
            raise ValueError("breaks must be finite and rise")
        return breaks


class LayerView(BaseModel):
    """How a layer is viewed now; belongs to the scene's tree, not to the layer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visible: bool = True
    opacity: float = Field(1.0, ge=0.0, le=1.0)
    #: Expression (`plumbline.core.where`): entities for which it does not hold are not shown.
    filter: str = Field("", max_length=4000)


@dataclass
class Layer:
    """Identity, kind, CRS and data of a layer.

    Attributes
    ----------
    id : str
        Unique in its scene, stable in the project file, used by analyses to name the layer.
    metadata : dict
        What the loader decided and why, as plain JSON values (``format`` is always there).
    warnings : list of str
        Translated sentences: what was skipped, repaired or doubted.
    """

    id: str
    name: str
    kind: LayerKind
    data: LayerData
    crs: CRS | None = None
    source: Source | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    #: Look suggested by the loader; the scene starts from it.
    style: LayerStyle = field(default_factory=LayerStyle)

    @property
    def bounds(self) -> Bounds | None:
        """Box of the data in the layer's CRS."""
        return self.data.bounds

    @property
    def counts(self) -> dict[str, int]:
        """Counts with the plain names of the command line."""
        return self.data.counts


@dataclass(frozen=True)
class LayerEntry:
    """What a project knows of a layer without its data.

    A scene keeps the entries of layers whose data are not there (still loading, source moved,
    unreadable), so that nothing is lost when the project is saved.

    Attributes
    ----------
    crs : str
        Text that names the CRS of data stored inside the project, empty when there is none.
    stored : Path, optional
        Project file that holds the data itself; None when the layer has a source.
    group : str
        Id of the group that holds it, empty at the top level of the tree.
    above : tuple of str
        Ids of what stood above it in that group or level, from the top; finds its place again.
    problem : str
        Translated sentence: why the data are not there; empty while they are loading.
    """

    id: str
    name: str
    kind: LayerKind
    source: Source | None = None
    style: LayerStyle = field(default_factory=LayerStyle)
    view: LayerView = field(default_factory=LayerView)
    crs: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    stored: Path | None = None
    group: str = ""
    above: tuple[str, ...] = ()
    problem: str = ""
