"""Which rule judges, and on which day: what requests that end in a verdict have in common."""

from __future__ import annotations

from datetime import date, timedelta, timezone
from typing import Annotated, Any, Literal

from pydantic import Field

from plumbline.api import (
    N_,
    Band,
    Params,
    Problem,
    SunlightPack,
    SunlightRule,
    UsageError,
    UserError,
    load_pack,
    standard_day,
    tr,
    zone_of,
)
from plumbline_sunlight.analysis.fields import ToldZone

#: The zone in which Chinese standards date solar terms (GB/T 33661), and in which times are told.
CHINA = timezone(timedelta(hours=8))

STANDARD_DAYS = (
    *("great_cold", "winter_solstice", "spring_equinox", "summer_solstice", "autumn_equinox"),
)


class PackParams(Params):
    """Rule pack, use, place and day."""

    pack: Annotated[
        str,
        Field(
            min_length=1,
            title=N_("Rule pack"),
            description=N_("Id of a rule pack, or the path of its .json file."),
            json_schema_extra={"widget": "pack"},
        ),
    ]
    use: Annotated[
        Literal["dwelling", "elderly", "renewal", "kindergarten", "ward", "classroom", "dormitory"],
        Field(title=N_("Use"), description=N_("Use of the rooms behind the windows.")),
    ] = "dwelling"
    zone: Annotated[
        Literal["I", "II", "III", "IV", "V", "VI", "VII"] | None,
        Field(
            title=N_("Climate zone"),
            description=N_("Building climate zone; a local pack knows its own."),
        ),
    ] = None
    population: Annotated[
        int | None,
        Field(
            gt=0,
            title=N_("Population"),
            description=N_("People in the city; a local pack knows its own."),
        ),
    ] = None
    day: Annotated[
        str | None,
        Field(
            title=N_("Day"),
            description=N_(
                "Date, or great_cold, winter_solstice, spring_equinox, summer_solstice, "
                "autumn_equinox; the pack's own day otherwise."
            ),
        ),
    ] = None
    year: Annotated[
        int | None,
        Field(
            ge=1,
            le=3000,
            title=N_("Year"),
            description=N_("Year of a standard day; the pack's base year otherwise."),
        ),
    ] = None
    timezone: ToldZone = "+08:00"


def rule_of(params: PackParams) -> SunlightRule:
    """Return the requirement that a request is judged by; raises as `load_pack` and `rule`."""
    pack = load_pack(params.pack, SunlightPack)
    standard = params.day if params.day in STANDARD_DAYS else None
    return pack.rule(params.use, params.zone, params.population, standard)


def pack_problems(params: PackParams) -> list[Problem]:
    """Return what is wrong with pack, place, day and time zone, beside their fields."""
    problems = []
    for field, ask in (
        ("pack", lambda: rule_of(params)),
        ("day", lambda: None if params.day in (None, *STANDARD_DAYS) else _date(params.day)),
        ("timezone", lambda: zone_of(params.timezone)),
    ):
        try:
            ask()
        except UserError as error:
            problems.append(Problem(field, str(error)))
    return problems


def band_of(rule: SunlightRule, params: PackParams) -> Band:
    """Return the hours of the day in which sun counts, on the day of the request."""
    if params.day is None or params.day in STANDARD_DAYS:
        name = params.day or rule.day
        _, day = standard_day(name, params.year or rule.base_year, CHINA)
    else:
        day = _date(params.day)
    start, end = rule.band
    return Band(
        day,
        start * 3600.0,
        end * 3600.0,
        clock="civil" if rule.clock == "civil" else "true_solar",
        step=min(60.0, rule.step * 60.0),
        least_elevation=rule.least_altitude,
        zone=CHINA if rule.meridian is None else timezone(timedelta(minutes=4 * rule.meridian)),
    )


def rule_warnings(rule: SunlightRule, params: PackParams) -> list[str]:
    """Return what has to stand beside every verdict by a rule."""
    warnings = []
    if not rule.verified:
        warnings.append(
            tr(
                "Rule pack “{id}” {version} is not verified: compare its values with the text of "
                "the code before signing.",
                id=rule.pack,
                version=rule.version,
            )
        )
    if params.day is not None and params.day != rule.day:
        warnings.append(
            tr(
                "The clause asks for {day}; these hours are those of {other}.",
                day=rule.day,
                other=params.day,
            )
        )
    return warnings


def rule_provenance(rule: SunlightRule) -> dict[str, Any]:
    """Return what names the rule in a result."""
    return {
        "pack": {
            "id": rule.pack,
            "version": rule.version,
            "sha256": rule.sha256,
            "clause": rule.clause,
            "source": rule.source,
            "verified": rule.verified,
            "unverified": list(rule.unverified),
        }
    }


def _date(text: str | None) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError as error:
        raise UsageError(
            tr("“{text}” is neither a date nor a standard day.", text=str(text)[:40]),
            tr("Give a date such as 2026-01-20, or one of: {days}.", days=", ".join(STANDARD_DAYS)),
        ) from error
