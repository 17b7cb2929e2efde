"""Parameters that several analyses of this plugin have, said once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.api import N_, LayerRefs

AzimuthFrom = Annotated[
    float,
    Field(
        ge=-360,
        le=360,
        title=N_("From azimuth"),
        description=N_("Clockwise from true north; from grid north without a project CRS."),
        json_schema_extra={"unit": "°"},
    ),
]

AzimuthTo = Annotated[
    float,
    Field(
        ge=-360,
        le=720,
        title=N_("To azimuth"),
        description=N_("The range runs clockwise; a smaller number than the first passes 360."),
        json_schema_extra={"unit": "°"},
    ),
]

Curvature = Annotated[
    bool,
    Field(
        title=N_("Curvature of the earth"),
        description=N_("Lowers what is far away, less by refraction."),
    ),
]

EyeHeight = Annotated[
    float,
    Field(
        ge=0,
        le=10_000,
        title=N_("Eye height"),
        description=N_("Above the surface, where the observer has no z."),
        json_schema_extra={"unit": "m"},
    ),
]

HeightCells = Annotated[
    float,
    Field(
        ge=0.01,
        title=N_("Cell size"),
        description=N_("Of the raster of heights; entities are measured exactly."),
        json_schema_extra={"unit": "m"},
    ),
]

ObstacleRefs = Annotated[
    LayerRefs,
    Field(
        min_length=1,
        title=N_("Obstacles"),
        description=N_("Terrain, meshes, building models and footprints with heights."),
    ),
]

Refraction = Annotated[
    float,
    Field(
        ge=-1,
        lt=1,
        title=N_("Refraction"),
        description=N_("Coefficient of refraction, used with curvature."),
    ),
]
