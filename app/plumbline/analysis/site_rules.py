"""Rule packs for sites: plot ratio, density, green ratio and height by climate zone and storeys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from plumbline.analysis.rules import Origin, Pack, Zone, pack_kind
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

Share = Annotated[float, Field(ge=0, le=100)]
Storeys = Annotated[int, Field(ge=1, le=200)]


class SiteLimit(Origin):
    """Limits of a residential block of one kind in some zones.

    Attributes
    ----------
    storeys : (from, to)
        Mean number of storeys, both included.
    far : (from, to)
        Plot ratio.
    density : float
        Largest building density, %.
    green : float
        Least green ratio, %.
    height : float
        Tallest building, metres.
    """

    category: Literal["low", "multi_1", "multi_2", "high_1", "high_2"]
    zones: tuple[Zone, ...] = Field(min_length=1)
    storeys: tuple[Storeys, Storeys]
    far: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    density: Share
    green: Share
    height: Annotated[float, Field(gt=0)]


@pack_kind("site")
class SitePack(Pack):
    """A code's limits for residential blocks."""

    kind: Literal["site"]
    limits: tuple[SiteLimit, ...] = Field(min_length=1)

    def contradictions(self) -> list[tuple[str, str]]:
        """Return the fields that contradict each other; see `Pack`."""
        found = []
        for n, one in enumerate(self.limits):
            for name in ("storeys", "far"):
                low, high = getattr(one, name)
                if low > high:
                    found.append((f"limits[{n}].{name}", tr("it ends before it begins")))
            if one.density + one.green > 100:
                found.append((f"limits[{n}].green", tr("with the density it is more than 100 %")))
            for k, other in enumerate(self.limits[:n]):
                apart = one.storeys[0] > other.storeys[1] or other.storeys[0] > one.storeys[1]
                if set(one.zones) & set(other.zones) and not apart:
                    found.append((f"limits[{n}]", tr("it says otherwise than limits[{k}]", k=k)))
        return found

    def limit(self, zone: str, storeys: float) -> SiteLimit:
        """Return the limits in a zone for a mean number of storeys (rounded up).

        Raises
        ------
        UsageError
            If the pack says nothing about that many storeys.
        """
        for one in self.limits:
            if zone in one.zones and one.storeys[0] - 1 < storeys <= one.storeys[1]:
                return one
        raise UsageError(
            tr("The rule pack “{id}” has no limits for {n:g} storeys.", id=self.id, n=storeys),
            tr("Check the zone and the number of storeys."),
        )
