"""A planning scheme: what it changes of the baseline, and from when on; sources never change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr
from plumbline.core.pick import EntityRef

#: Outline of a polygon without holes, (x, y) of the project CRS.
Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Phase:
    """A stage of a scheme: what stands, and what is gone, from a day on.

    Attributes
    ----------
    begins : str
        ISO 8601 date.
    layers : tuple of str
        Layers of the scheme that come now.
    hidden : tuple of EntityRef
        Entities that the scheme removes and that go now.
    """

    begins: str
    name: str = ""
    layers: tuple[str, ...] = ()
    hidden: tuple[EntityRef, ...] = ()


@dataclass(frozen=True)
class Clearing:
    """An area in which captured meshes, tiles, clouds and photographs are cleared to the ground.

    Attributes
    ----------
    rings : tuple of rings
        The outline, then its holes.
    of : tuple of EntityRef
        The entities whose removal clears it; none for an area of its own.
    """

    rings: tuple[Ring, ...]
    of: tuple[EntityRef, ...] = ()


@dataclass(frozen=True)
class Scheme:
    """Named overrides on the baseline.

    Attributes
    ----------
    hidden : tuple of EntityRef
        Baseline entities that the scheme removes.
    layers : tuple of str
        Layers that exist in this scheme only.
    terrain_polygon : tuple of (x, y), optional
        Area in which the terrain is cut or flattened.
    terrain_height : float, optional
        Height of the flattened terrain, metres; None cuts a hole.
    site : dict
        Site parameters: ``polygons`` (the parcels), ``use``, ``controls`` (limits of the plan).
    cleared : tuple of Clearing
        Where layers without entities lose what the scheme removes.
    phases : tuple of Phase
        By their dates; what no phase names is there, or gone, from the beginning.
    note : str
        What its author wrote about it.
    locked : bool
        Refuses edits.
    """

    id: str
    name: str
    hidden: tuple[EntityRef, ...] = ()
    layers: tuple[str, ...] = ()
    terrain_polygon: Ring = ()
    terrain_height: float | None = None
    site: dict[str, Any] = field(default_factory=dict)
    cleared: tuple[Clearing, ...] = ()
    phases: tuple[Phase, ...] = ()
    note: str = ""
    locked: bool = False

    def at(self, day: str) -> Scheme:
        """Return what of it has come about on a day (ISO 8601); all of it for an empty text."""
        if not day or not self.phases:
            return self
        later = [phase for phase in self.phases if phase.begins > day]
        not_yet = {layer for phase in later for layer in phase.layers}
        still = {ref for phase in later for ref in phase.hidden}
        return replace(
            self,
            layers=tuple(i for i in self.layers if i not in not_yet),
            hidden=tuple(ref for ref in self.hidden if ref not in still),
            cleared=tuple(one for one in self.cleared if not one.of or set(one.of) - still),
        )

    def phased(self, phase: Phase) -> Scheme:
        """Return it with a phase, which takes what it names from the phases that had it.

        Raises
        ------
        UsageError
            If the date is none, or the phase names what the scheme does not have.
        """
        try:
            date.fromisoformat(phase.begins)
        except ValueError:
            raise UsageError(
                tr("“{text}” is no date.", text=phase.begins[:40]),
                tr("Write it as year-month-day, e.g. {example}.", example="2030-06-01"),
            ) from None
        unknown = [i for i in phase.layers if i not in self.layers]
        if unknown:
            raise UsageError(
                tr("Scheme “{name}” has no layer “{id}”.", name=self.name, id=unknown[0])
            )
        others = [
            replace(
                one,
                layers=tuple(i for i in one.layers if i not in phase.layers),
                hidden=tuple(ref for ref in one.hidden if ref not in phase.hidden),
            )
            for one in self.phases
            if one.begins != phase.begins
        ]
        kept = [one for one in others if one.layers or one.hidden]
        return replace(self, phases=tuple(sorted([*kept, phase], key=lambda one: one.begins)))
