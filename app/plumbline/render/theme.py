"""Colours of the canvas and how much it may draw: plain values that the window fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

#: What the colours of marks mean, in the light theme.
TONES = {
    "good": "#14703F",
    "warn": "#8A5200",
    "bad": "#BC2F28",
    "muted": "#596375",
    "visible": "#2FB380",
    "hidden": "#D2441C",
    "lit": "#F2B02E",
    "shade": "#5B6B82",
    "cut": "#CE3A32",
    "fill": "#2F6FDE",
    "new": "#14A3A0",
    "gone": "#A5432F",
    "changed": "#7B52C9",
}


@dataclass(frozen=True)
class RenderTheme:
    """Colours of the canvas as ``#rrggbb``; the defaults are those of the light theme."""

    sky_top: str = "#BDD2E8"
    sky_bottom: str = "#F3F5F8"
    fog: str = "#EDF1F5"
    text: str = "#1B2230"
    halo: str = "#FFFFFF"
    accent: str = "#1F63D6"
    #: Of measurements and rubber bands; the accent when empty.
    measure: str = ""
    selection: str = "#1F63D6"
    edge: str = "#5D6675"
    terrain: str = "#C9CDBF"
    #: Where there is no number, and the class 0 of a yes-or-no grid.
    none: str = "#A0A5AC"
    #: Colours of marks by name, beside ``accent``, ``text`` and ``none``.
    tones: Mapping[str, str] = field(default_factory=lambda: dict(TONES))
    categorical: tuple[str, ...] = (
        "#2F6FDE",
        "#E08A1E",
        "#17946B",
        "#B8478A",
        "#CAB3F5",
        "#755D0D",
        "#49DC8E",
        "#FCAFCF",
        "#979B51",
        "#6C53A5",
    )

    def tone(self, name: str) -> str:
        """Return the colour of marks of a tone; an unknown one is a `KeyError`."""
        own = {"accent": self.accent, "text": self.text, "none": self.none}
        return own[name] if name in own else self.tones[name]


LIGHT = RenderTheme()
DARK = replace(
    LIGHT,
    sky_top="#0F1722",
    sky_bottom="#36485E",
    fog="#2A3646",
    text="#E8ECF2",
    halo="#10151D",
    accent="#6EA2FF",
    selection="#7DB0FF",
    edge="#2A3340",
)


@dataclass(frozen=True)
class Budget:
    """How much is drawn, by what the machine can carry.

    Attributes
    ----------
    points, moving_points : int
        Points of one cloud at rest and while the camera moves.
    terrain_cells : int
        Cells of one terrain grid that are read.
    terrain_tolerance : float
        How far the simplified terrain may lie from those cells, metres.
    image_pixels : int
        Pixels of one draped image.
    tile_triangles : int
        Triangles of all trees of tiles together, at rest.
    moving_triangles : int
        The same in the first frame of a movement; the following ones go by the time it took.
    tile_pixels, point_pixels : float
        A tile is fine enough where its error, or the distance of its points, is smaller than
        this on the screen.
    tile_memory, tile_upload : int
        Bytes of tiles in memory and with the graphics: hard limits.
    texture_side : int
        Longest side of a texture of a mesh, pixels.
    anisotropy : int
        Samples of a texture seen at a low angle: sharp streets far away, dear on a processor.
    shadow_side : int
        Pixels of a side of the picture that the sun sees, from which shadows come.
    occlusion : bool
        Ambient occlusion may be used. Mesa's llvmpipe leaves hatched tiles in it when it runs in
        more than one thread (seen with 22.3); there eye-dome lighting outlines surfaces instead.
    slow : bool
        The processor draws: fewer pixels while the camera moves.
    """

    points: int = 12_000_000
    moving_points: int = 3_000_000
    tile_triangles: int = 6_000_000
    moving_triangles: int = 4_000_000
    tile_pixels: float = 8.0
    point_pixels: float = 1.5
    tile_memory: int = 1 << 30
    tile_upload: int = 1 << 30
    terrain_cells: int = 4_000_000
    terrain_tolerance: float = 0.08
    image_pixels: int = 64_000_000
    texture_side: int = 8192
    anisotropy: int = 8
    shadow_side: int = 2048
    occlusion: bool = True
    slow: bool = False


HARDWARE = Budget()
#: Mesa's llvmpipe and its kind draw on the processor.
SOFTWARE = Budget(
    points=2_500_000,
    moving_points=250_000,
    tile_triangles=900_000,
    moving_triangles=150_000,
    point_pixels=2.0,
    tile_memory=600 << 20,
    tile_upload=600 << 20,
    terrain_cells=1_200_000,
    terrain_tolerance=0.2,
    image_pixels=16_000_000,
    texture_side=2048,
    anisotropy=1,
    shadow_side=1536,
    occlusion=False,
    slow=True,
)


#: Qualities of the settings: share of the triangles and points, and of the error on the screen.
QUALITIES = {"auto": (1.0, 1.0), "fast": (0.5, 2.0), "balanced": (1.0, 1.0), "best": (4.0, 0.5)}


def with_quality(budget: Budget, quality: str, points: int) -> Budget:
    """Return a budget as the settings want it: a quality, and points drawn at most at rest."""
    share, error = QUALITIES[quality]
    return replace(
        budget,
        points=min(points, int(budget.points * share)),
        moving_points=min(points, budget.moving_points),
        tile_triangles=int(budget.tile_triangles * share),
        tile_pixels=budget.tile_pixels * error,
        point_pixels=budget.point_pixels * error,
    )


def rgb(color: str) -> tuple[float, float, float]:
    """Return ``#rrggbb`` as three numbers in 0..1."""
    text = color.lstrip("#")
    return (int(text[0:2], 16) / 255, int(text[2:4], 16) / 255, int(text[4:6], 16) / 255)
