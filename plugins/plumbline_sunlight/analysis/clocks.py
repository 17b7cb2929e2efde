"""Days, times of day and instants as requests give them, and how results tell them."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from plumbline.api import (
    STANDARD_DAYS,
    Place,
    Problem,
    UsageError,
    UserError,
    civil_time,
    standard_day,
    tr,
    zone_of,
)


def _read_hour(value: object) -> object:
    """Accept decimal hours, or ``8:30`` and ``08:30:15``."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d{1,2}):([0-5]\d)(?::([0-5]\d))?\s*", value)
        if found:
            return int(found[1]) + int(found[2]) / 60 + int(found[3] or 0) / 3600
    return value


#: A time of day in decimal hours; also ``8:30``.
Hour: TypeAlias = Annotated[
    float, BeforeValidator(_read_hour), Field(ge=0, le=24, json_schema_extra={"unit": "h"})
]


def day_of(text: str, year: int | None, zone: tzinfo) -> date:
    """Return the date that a request names: a date, or a standard day of a year.

    Raises
    ------
    UsageError
        If it is neither, or a standard day has no year.
    """
    if text in STANDARD_DAYS:
        if year is None:
            raise UsageError(
                tr("“{day}” needs a year.", day=text), tr("Give year, e.g. 2001, the base year.")
            )
        return standard_day(text, year, zone)[1]
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            tr("“{text}” is neither a date nor a standard day.", text=text[:40]),
            tr("Give a date such as 2026-01-20, or one of: {days}.", days=", ".join(STANDARD_DAYS)),
        ) from error


def instant_of(time: datetime, zone: tzinfo) -> float:
    """Return a time as seconds of UTC since 1970; without an offset it is civil time of `zone`."""
    aware = time if time.tzinfo is not None else time.replace(tzinfo=zone)
    return (aware - datetime(1970, 1, 1, tzinfo=zone_of("UTC"))) / timedelta(seconds=1)


def clock(instant: float | None, zone: tzinfo) -> str | None:
    """Return an instant as ISO 8601 with the offset of a zone, to the second."""
    return None if instant is None else civil_time(instant, zone).isoformat()


def hour_text(seconds: float) -> str:
    """Return seconds since midnight as ``08:30:15``."""
    whole = round(seconds) % 86_400
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def zone_problems(timezone: str) -> list[Problem]:
    """Return what is wrong with a time zone."""
    try:
        zone_of(timezone)
    except UserError as error:
        return [Problem("timezone", str(error))]
    return []


def far_zone(place: Place, zone: tzinfo, instant: float) -> list[str]:
    """Return a warning where a zone's clock is more than three hours off the place's sun."""
    offset = civil_time(instant, zone).utcoffset() or timedelta()
    hours = offset / timedelta(hours=1) - place.longitude / 15
    hours = (hours + 12) % 24 - 12
    if math.fabs(hours) <= 3:
        return []
    return [
        tr(
            "The time zone is {hours:.1f} h off the mean solar time of the place: is it the right "
            "one?",
            hours=abs(hours),
        )
    ]
