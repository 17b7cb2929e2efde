"""Parameters that several analyses of this plugin have, said once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.api import N_, LayerRefs
from plumbline_sunlight.analysis.receivers import ReceiverRefs

LetThroughRailings = Annotated[
    tuple[str, ...],
    Field(
        title=N_("Let light through"),
        description=N_("Classes of elements that are no obstacles, e.g. IfcRailing."),
    ),
]

LetThroughWindows = Annotated[
    tuple[str, ...],
    Field(
        title=N_("Let light through"),
        description=N_("Classes of elements that are no obstacles, e.g. IfcWindow."),
    ),
]

ObstacleRefs = Annotated[
    LayerRefs,
    Field(
        title=N_("Obstacles"),
        description=N_("Layers that stand in the way; the receivers' own surfaces always do."),
    ),
]

Receivers = Annotated[
    ReceiverRefs,
    Field(
        title=N_("Receivers"),
        description=N_(
            "A terrain raster, layers whose faces are painted, {polygon, cell_size, height}, "
            "{layers, cell_size, faces}, or points."
        ),
    ),
]

StatedZone = Annotated[
    str,
    Field(
        title=N_("Time zone"),
        description=N_("Of times without offset, and in which times are told."),
    ),
]

ToldZone = Annotated[
    str,
    Field(title=N_("Time zone"), description=N_("Zone in which times are told.")),
]
