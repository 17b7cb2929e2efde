"""Rule packs for sunlight: what counts as sun at a window, and how much of it a code asks for.

`SunlightPack` is the file; `SunlightPack.rule` picks the one requirement that holds for a use, a
climate zone and a city, and `SunlightRule` counts lit periods by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from plumbline.analysis.rules import Origin, Pack, PackModel, Stated, Zone, pack_kind
from plumbline.core.errors import UsageError
from plumbline.core.i18n import N_, tr

Day: TypeAlias = Literal[
    "great_cold", "winter_solstice", "spring_equinox", "summer_solstice", "autumn_equinox"
]
Use: TypeAlias = Literal[
    "dwelling", "elderly", "renewal", "kindergarten", "ward", "classroom", "dormitory"
]
Period: TypeAlias = tuple[float, float]

#: What people call the uses and the days.
USES = {
    "dwelling": N_("Dwelling"),
    "elderly": N_("Dwelling for the elderly"),
    "renewal": N_("New dwelling in the renewal of an old district"),
    "kindergarten": N_("Kindergarten"),
    "ward": N_("Hospital or sanatorium ward"),
    "classroom": N_("Ordinary classroom"),
    "dormitory": N_("Dormitory"),
}
DAYS = {
    "great_cold": N_("Great Cold"),
    "winter_solstice": N_("Winter Solstice"),
    "spring_equinox": N_("Spring Equinox"),
    "summer_solstice": N_("Summer Solstice"),
    "autumn_equinox": N_("Autumn Equinox"),
}

Hour: TypeAlias = Annotated[float, Field(ge=0, le=24)]
Minutes: TypeAlias = Annotated[float, Field(ge=0, le=240)]
Metres: TypeAlias = Annotated[float, Field(gt=0, le=100)]
Range: TypeAlias = tuple[Metres, Metres]


class SweepAngle(PackModel):
    """Smallest angle between the sun's direction on the map and the wall, for the sun to count.

    ``none``: 0; ``fixed``: `angle`; ``wall``: arctan(`wall_thickness` / width of the window),
    rounded to the nearest `round_to` where that is given.
    """

    rule: Literal["none", "fixed", "wall"]
    angle: float | None = Field(None, ge=0, lt=90)
    wall_thickness: float | None = Field(None, gt=0, le=2)
    round_to: float | None = Field(None, gt=0, le=45)

    def degrees(self, width: float) -> float:
        """Return the angle for a window of a width in metres."""
        if self.rule == "wall" and self.wall_thickness is not None:
            angle = math.degrees(math.atan2(self.wall_thickness, width))
            return angle if self.round_to is None else round(angle / self.round_to) * self.round_to
        return self.angle or 0.0


class Spacing(PackModel):
    """Smallest and largest distance between sample points, metres."""

    windows: Range
    buildings: Range
    sites: Range


class SunlightCalculation(PackModel):
    """How sun is counted. Hours of the day are decimal, in the pack's clock."""

    base_year: Stated[Annotated[int, Field(ge=1900, le=2200)]]
    clock: Stated[Literal["true_solar", "civil"]]
    #: Meridian of the zone time, degrees east; for the civil clock.
    meridian: Stated[Annotated[float, Field(ge=-180, le=180)]] | None = None
    band: Stated[dict[Day, tuple[Hour, Hour]]]
    least_altitude: Stated[Annotated[float, Field(ge=0, lt=90)]]
    sweep_angle: Stated[SweepAngle]
    #: Shortest continuous period that counts, minutes.
    shortest_period: Stated[dict[Day, Minutes]]
    #: All periods add, or only so many of the longest.
    periods_counted: Stated[Literal["all"] | Annotated[int, Field(ge=1, le=20)]]
    #: Largest time step, minutes.
    step: Stated[Annotated[float, Field(gt=0, le=60)]]
    spacing: Stated[Spacing]
    #: Height of the measured sill above the indoor floor, metres.
    sill_height: Stated[Annotated[float, Field(ge=0, le=3)]]
    #: ``full``: both ends of the sill at once; ``centre``: the middle of the sill.
    window_rule: Stated[Literal["full", "centre"]]
    #: Of wider windows the best stretch of this width counts, metres; None: the whole sill.
    favourable_width: Stated[Metres] | None = None
    #: How far two programs may differ, minutes.
    tolerance: Stated[Minutes]


class Threshold(Origin):
    """What is asked for a use, in some zones and some sizes of city."""

    use: Use
    zones: tuple[Zone, ...] = Field(min_length=1)
    #: From (included) and to (excluded) so many people; None for no bound.
    population: tuple[int | None, int | None]
    day: Day
    hours: Annotated[float, Field(gt=0, le=24)]
    #: Share of the rooms that must have it.
    share: float = Field(1.0, gt=0, le=1)
    #: Where it differs from the calculation's.
    window_rule: Literal["full", "centre"] | None = None
    #: Whether the favourable width holds for this use; else the whole sill counts.
    favourable: bool = True

    def holds(self, zone: str | None, population: int | None) -> bool:
        """Tell whether it holds; what is not known excludes nothing."""
        low, high = self.population
        inside = population is None or (low or 0) <= population < (high or math.inf)
        return inside and (zone is None or zone in self.zones)

    def meets(self, other: Threshold) -> bool:
        """Tell whether both can hold at once for one use and day."""
        low = max(self.population[0] or 0, other.population[0] or 0)
        high = min(self.population[1] or math.inf, other.population[1] or math.inf)
        same = (self.use, self.day) == (other.use, other.day)
        return same and low < high and bool(set(self.zones) & set(other.zones))


class Place(PackModel):
    """Where a local pack applies, so that nobody has to say it again."""

    zone: Stated[Zone]
    population: Stated[Annotated[int, Field(gt=0)]]


@pack_kind("sunlight")
class SunlightPack(Pack):
    """A code's or a city's rules on sunlight."""

    kind: Literal["sunlight"]
    place: Place | None = None
    calculation: SunlightCalculation
    thresholds: tuple[Threshold, ...] = Field(min_length=1)

    def contradictions(self) -> list[tuple[str, str]]:
        """Return the fields that contradict each other; see `Pack`."""
        found = _calculation_contradictions(self.calculation)
        for n, one in enumerate(self.thresholds):
            found += self._of_threshold(n, one)
        return found

    def _of_threshold(self, n: int, one: Threshold) -> list[tuple[str, str]]:
        path, calculation, found = f"thresholds[{n}]", self.calculation, []
        low, high = one.population
        if low is not None and high is not None and low >= high:
            found.append((f"{path}.population", tr("it ends before it begins")))
        band = calculation.band.value.get(one.day)
        if band is None:
            found.append(("calculation.band", tr("no band for {day}", day=one.day)))
        elif one.hours > band[1] - band[0]:
            found.append((f"{path}.hours", tr("more than the band of that day holds")))
        if one.day not in calculation.shortest_period.value:
            missing = tr("no shortest period for {day}", day=one.day)
            found.append(("calculation.shortest_period", missing))
        elif calculation.shortest_period.value[one.day] > one.hours * 60:
            found.append((f"{path}.hours", tr("less than the shortest period that counts")))
        for k, other in enumerate(self.thresholds[:n]):
            if one.meets(other):
                found.append((path, tr("it says otherwise than thresholds[{k}]", k=k)))
        return found

    def rule(
        self,
        use: str = "dwelling",
        zone: str | None = None,
        population: int | None = None,
        day: str | None = None,
    ) -> SunlightRule:
        """Return the one requirement that holds.

        Parameters
        ----------
        zone, population : optional
            Climate zone and people of the city; a local pack knows its own.
        day : str, optional
            Standard day, where the pack asks for several.

        Raises
        ------
        UsageError
            If none holds, or if several do: then the message says what to state.
        """
        if self.place is not None:
            zone = zone or self.place.zone.value
            population = population or self.place.population.value
        of_use = [t for t in self.thresholds if t.use == use]
        if not of_use:
            uses = ", ".join(sorted({t.use for t in self.thresholds}))
            raise UsageError(
                tr("The rule pack “{id}” says nothing about “{use}”.", id=self.id, use=use),
                tr("Its uses are: {uses}.", uses=uses),
            )
        held = [t for t in of_use if t.holds(zone, population)]
        if day is not None and any(t.day == day for t in held):
            held = [t for t in held if t.day == day]
        if not held:
            raise UsageError(
                tr("The rule pack “{id}” asks nothing in this zone and city.", id=self.id),
                tr("Check zone and population."),
            )
        if len({(t.day, t.hours, t.window_rule, t.share, t.favourable) for t in held}) > 1:
            raise UsageError(
                tr("The rule pack “{id}” asks for different hours by zone and city.", id=self.id),
                tr("State zone (I to VII) and population."),
            )
        return _rule(self, held[0], zone, population)


def _calculation_contradictions(c: SunlightCalculation) -> list[tuple[str, str]]:
    found = []
    if c.clock.value == "civil" and c.meridian is None:
        found.append(("calculation.meridian", tr("the civil clock needs the zone meridian")))
    for day, (start, end) in c.band.value.items():
        if start >= end:
            found.append((f"calculation.band.{day}", tr("it ends before it begins")))
    sweep = c.sweep_angle.value
    needed = {"none": (), "fixed": ("angle",), "wall": ("wall_thickness",)}[sweep.rule]
    for name in ("angle", "wall_thickness", "round_to"):
        given = getattr(sweep, name) is not None
        allowed = name in needed or (name == "round_to" and sweep.rule == "wall")
        if given and not allowed:
            found.append(
                (f"calculation.sweep_angle.{name}", tr("“{rule}” has none", rule=sweep.rule))
            )
        if not given and name in needed:
            found.append(
                (f"calculation.sweep_angle.{name}", tr("“{rule}” needs it", rule=sweep.rule))
            )
    for name in ("windows", "buildings", "sites"):
        low, high = getattr(c.spacing.value, name)
        if low > high:
            found.append((f"calculation.spacing.{name}", tr("it ends before it begins")))
    if c.favourable_width is not None and c.window_rule.value != "full":
        found.append(("calculation.favourable_width", tr("only a full window has one")))
    return found


# -- one requirement -----------------------------------------------------------------------------


@dataclass(frozen=True)
class CountedSun:
    """Periods by a rule, in the unit in which they came.

    Attributes
    ----------
    total : float
        Sum of the periods that count.
    longest : float
        Longest single period, whether it counts or not.
    counted : tuple of bool
        Which periods count, in their order.
    """

    total: float
    longest: float
    counted: tuple[bool, ...]


@dataclass(frozen=True)
class SunlightRule:
    """One requirement with all that counts for it.

    Attributes
    ----------
    pack, version, title, sha256 : str
        The pack that says so.
    clause, source : str
        Where the code says so.
    verified : bool
        Whether every value that a verdict rests on was compared with the text.
    unverified : tuple of str
        Paths of the values that were not.
    band : (from, to)
        Hours of the day, in the rule's clock.
    shortest : float
        Shortest period that counts, minutes.
    counted : int, optional
        How many of the longest periods add; None for all.
    favourable_width : float, optional
        Metres; None where the whole sill counts.
    tolerance : float
        Minutes.
    """

    pack: str
    version: str
    title: str
    sha256: str
    clause: str
    source: str
    verified: bool
    unverified: tuple[str, ...]
    use: str
    zone: str | None
    population: int | None
    day: str
    hours: float
    share: float
    base_year: int
    clock: str
    meridian: float | None
    band: tuple[float, float]
    least_altitude: float
    sweep: SweepAngle
    shortest: float
    counted: int | None
    step: float
    spacing: Spacing
    sill_height: float
    window_rule: str
    favourable_width: float | None
    tolerance: float

    def count(self, periods: Sequence[Period], unit: float = 60.0) -> CountedSun:
        """Return what of some lit periods counts.

        Parameters
        ----------
        periods : sequence of (start, end)
            Disjoint, ascending.
        unit : float
            How many of the periods' unit are an hour: 60 for minutes, 1 for hours.
        """
        lengths = [end - start for start, end in periods]
        # A period of exactly the shortest length counts; rounding must not take it away.
        least = self.shortest / 60 * unit * (1 - 1e-9)
        long_enough = [n for n, length in enumerate(lengths) if length >= least and length > 0]
        # Of equal ones the earlier.
        best = sorted(long_enough, key=lambda n: (-lengths[n], n))[: self.counted]
        chosen = tuple(n in best for n in range(len(lengths)))
        total = math.fsum(lengths[n] for n in sorted(best))
        return CountedSun(total, max(lengths, default=0.0), chosen)

    def sweep_angle(self, width: float) -> float:
        """Return the sweep angle for a window of a width in metres, degrees."""
        return self.sweep.degrees(width)

    @property
    def name(self) -> str:
        """The pack, its version and the clause; the same in every language."""
        state = "" if self.verified else " (not verified)"
        return f"{self.pack} {self.version}, {self.clause}{state}"

    @property
    def text(self) -> str:
        """The requirement in words, with the pack, its version and the clause."""
        words = tr(
            "at least {hours:g} h on {day}, {start:g}:00 to {end:g}:00 {clock}",
            hours=self.hours,
            day=tr(DAYS[self.day]),
            start=self.band[0],
            end=self.band[1],
            clock=tr(CLOCKS[self.clock]),
        )
        state = "" if self.verified else f" [{tr('values not verified')}]"
        whose = f"{self.title} {self.clause} ({self.pack} {self.version}), {tr(USES[self.use])}"
        return f"{whose}: {words}{state}"


CLOCKS = {"true_solar": N_("true solar time"), "civil": N_("civil time")}


def _rule(
    pack: SunlightPack, one: Threshold, zone: str | None, population: int | None
) -> SunlightRule:
    c = pack.calculation
    own = f"thresholds[{pack.thresholds.index(one)}]"
    rests = {
        path: origin
        for path, origin in pack.origins.items()
        if path == own or not path.startswith("thresholds")
    }
    unverified = tuple(path for path, origin in rests.items() if not origin.verified)
    counted = c.periods_counted.value
    width = c.favourable_width
    return SunlightRule(
        pack=pack.id,
        version=pack.version,
        title=pack.name,
        sha256=pack.sha256,
        clause=one.clause,
        source=one.source,
        verified=not unverified,
        unverified=unverified,
        use=one.use,
        zone=zone,
        population=population,
        day=one.day,
        hours=one.hours,
        share=one.share,
        base_year=c.base_year.value,
        clock=c.clock.value,
        meridian=None if c.meridian is None else c.meridian.value,
        band=c.band.value[one.day],
        least_altitude=c.least_altitude.value,
        sweep=c.sweep_angle.value,
        shortest=c.shortest_period.value[one.day],
        counted=None if counted == "all" else counted,
        step=c.step.value,
        spacing=c.spacing.value,
        sill_height=c.sill_height.value,
        window_rule=one.window_rule or c.window_rule.value,
        favourable_width=width.value if width is not None and one.favourable else None,
        tolerance=c.tolerance.value,
    )
