"""The tool for sunlight: the sun over the scene by day and time, hours, verdicts, and who blocks.

A bar at the foot of the canvas holds day and time; light and shadows follow it. Day and time of
the form and of the bar are one. A click on a window or, where hours are painted, on any place shows
its day as a bar of lit and dark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from typing import Any, ClassVar

import numpy as np
from PySide6.QtGui import QHideEvent, QShowEvent

from plumbline.api import (
    N_,
    STANDARD_DAYS,
    Layer,
    LayerStyle,
    Pick,
    Place,
    Result,
    SunlightPack,
    UserError,
    load_pack,
    tr,
)
from plumbline.ui_kit.analysis_panel import AnalysisPanel
from plumbline.ui_kit.context import Mark, Running, ToolContext
from plumbline.ui_kit.editors import SuggestEditor
from plumbline.ui_kit.field_specs import Editor, FieldSpec
from plumbline.ui_kit.labels import label
from plumbline.ui_kit.rule_field import RuleField, offered
from plumbline.ui_kit.run_history import Run
from plumbline.ui_kit.scene_editors import ReceiversEditor
from plumbline.ui_kit.theme import current_theme
from plumbline.ui_kit.time_bar import DAY, DAYS, LitBar, TimeBar, clock_text
from plumbline_sunlight.sun_path import PATH_STEP, SunPath
from plumbline_sunlight.words import WORDS

POSITION, HOURS, SHADOW = "sunlight.position", "sunlight.hours", "sunlight.shadow"
ANALYSES = (
    "sunlight.windows",
    HOURS,
    SHADOW,
    "sunlight.compare",
    "sunlight.envelope",
    "sunlight.isochrones",
    "sunlight.shadow_path",
    POSITION,
)
#: Key of what a click on a painted place draws and asks.
CELL = "cell"
#: A place on a face is asked from this far in front of it, metres.
OFF_FACE = 0.02
#: Dark periods that are listed beside the bar of a day.
BLOCKERS = 5
#: For which a picture of an animation stands, seconds.
PICTURE = 0.1
#: Layers of hours of sun: of a request, and of two schemes.
PAINTED = ("hours", "before", "after")
#: Hours at which colours change: those that codes ask for, where no pack says its own; more sun.
CODES, ABOVE = (1.0, 2.0, 3.0), (4.0, 6.0)
#: Longitudes in which clocks show Beijing time although the sun may differ.
CHINA = (73.0, 135.5)


class SunlightPanel(AnalysisPanel):
    """Sun, shadows, hours, windows, envelopes."""

    words: ClassVar[Mapping[str, str]] = WORDS
    unfolded: ClassVar[tuple[str, ...]] = ("day", "time", "pack", "zone", "levels", "use")

    def __init__(self, context: ToolContext) -> None:
        self._putting = False
        #: Dates of the standard days by year.
        self._standard_days: dict[int, dict[str, date]] = {}
        super().__init__(context, ANALYSES, title=N_("Sunlight"), icon="sun")

    # -- building --------------------------------------------------------------------------

    def build(self) -> None:
        """Add the bar of the day and the bar of a window's day."""
        self.bar = TimeBar()
        self.bar.changed.connect(lambda _day, _minutes: self._time_changed())
        self.bar.standard_day_requested.connect(self._standard_day)
        self.bar.film_requested.connect(self._film_requested)
        self._film: Running | None = None
        self._day_name = label("", "caption")
        self._day = LitBar()
        self._day.clicked.connect(self._minute_clicked)
        for part in (self._day_name, self._day):
            part.hide()
            self.below.addWidget(part)
        self._site: Place | None = None
        self._sun_path: SunPath | None = None
        self._find_place()
        self.bar.set_day(date.today())
        self.bar.set_minutes(10 * 60.0)
        self._standard_day("great_cold", tell=False)

    def editors(self, analysis: str) -> Mapping[str, Callable[[FieldSpec], Editor]]:
        """Let a day be a standard day or a date, and a pack be one of those that are there."""
        return {
            "receivers": ReceiversEditor,
            "day": lambda spec: SuggestEditor(spec, _standard_days),
            "pack": lambda spec: RuleField(spec, SunlightPack),
        }

    def filled(self, analysis: str) -> dict[str, Any]:
        """Start with the first rule pack and the day of the bar."""
        packs = offered(SunlightPack)
        start: dict[str, Any] = {"pack": packs[0][0]} if packs else {}
        # A shadow is one of a time or of a day; the bar has the time.
        day = {} if analysis == SHADOW else {"day": "great_cold"}
        return {**start, **day, "time": self._instant()}

    # -- the sun ---------------------------------------------------------------------------

    def _find_place(self) -> None:
        """Find where on the earth the scene is; without a CRS there is no sun."""
        scene = self.context.scene
        box = scene.bounds
        x, y, _ = box.center.tolist() if box is not None else scene.georeference.origin
        try:
            self._site = Place.of(scene.georeference, x, y)
        except UserError as error:
            self._site = None
            self._message.show_message(str(error), "warn")
        self._at = (x, y)

    def _zone(self) -> timezone:
        """Return the zone of the clocks: Beijing time in China, else the nearest whole hour."""
        longitude = self._site.longitude if self._site is not None else 120.0
        hours = 8 if CHINA[0] <= longitude <= CHINA[1] else round(longitude / 15)
        return timezone(timedelta(hours=hours))

    def _instant(self) -> datetime:
        start = datetime.combine(self.bar.day, time(), self._zone())
        return start + timedelta(minutes=min(self.bar.minutes, DAY - 1))

    def _standard_day(self, name: str, *, tell: bool = True) -> None:
        """Put the bar on a standard day of its year."""

        def put(day: date) -> None:
            self._show_standard_day(name, day)
            if tell:
                self._time_changed(name)

        self._with_standard_day(name, self.bar.day.year, put)

    def _with_standard_day(self, name: str, year: int, put: Callable[[date], None]) -> None:
        """Pass on the date of a standard day.

        The dates of a year come from a worker once: the first one loads the algorithm of the sun.
        """
        if year in self._standard_days:
            put(self._standard_days[year][name])
            return

        def found(result: Result) -> None:
            table = result.tables["standard_days"]
            rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
            self._standard_days[year] = {
                row["day"]: date.fromisoformat(row["date"]) for row in rows
            }
            put(self._standard_days[year][name])

        if self._site is None or POSITION not in self._ids:
            return
        zone = self._zone()
        noon = datetime(year, 6, 1, 12, tzinfo=zone)
        offset = f"{noon:%z}"
        asked = {"time": noon, "point": self._at, "timezone": f"{offset[:3]}:{offset[3:]}"}
        self.context.preview("standard days", POSITION, asked, found)

    def _time_changed(self, standard: str = "") -> None:
        """Take day and time from the bar into the form, and move the sun."""
        self._move_sun()
        if not self._forms:
            return
        self._putting = True
        names = {spec.name: spec for spec in self.form.specs()}
        if "time" in names:
            moment = self._instant()
            timed = names["time"].type is datetime
            self.form.set_values({"time": moment if timed else moment.isoformat()})
            self.form.edited("time")
        if (
            "day" in names
            and "time" not in names
            and (standard or self.form.values().get("day") not in STANDARD_DAYS)
        ):
            self.form.set_values({"day": standard or self.bar.day.isoformat()})
            self.form.edited("day")
        self._putting = False

    def inputs_changed(self) -> None:
        """Let the bar follow what is typed into the form."""
        if self._putting or not hasattr(self, "bar"):
            return
        values = self.form.values()
        moment = _moment(values.get("time"))
        if moment is not None:
            local = moment.astimezone(self._zone()) if moment.tzinfo else moment
            self.bar.set_day(local.date())
            self.bar.set_minutes(local.hour * 60.0 + local.minute)
        day = values.get("day")
        if isinstance(day, str) and day in STANDARD_DAYS:
            year = values.get("year")
            year = year if isinstance(year, int) else self.bar.day.year
            self._with_standard_day(day, year, partial(self._show_standard_day, day))
        elif (typed := _date(day)) is not None:
            self.bar.set_day(typed)
        self._move_sun()

    def _show_standard_day(self, name: str, day: date) -> None:
        self.bar.set_day(day, name)
        self._move_sun()

    def _move_sun(self) -> None:
        """Light the scene for the time of the bar; the path of a day is asked for once."""
        if self._site is None or POSITION not in self._ids or not self.isVisible():
            return
        if self._sun_path is None or self._sun_path.day != self.bar.day:
            start = datetime.combine(self.bar.day, time(), self._zone())
            asked = {
                "time": start,
                "until": start + timedelta(days=1),
                "step": PATH_STEP,
                "point": self._at,
            }
            day = self.bar.day
            self.context.preview("sun", POSITION, asked, lambda found: self._path_found(day, found))
            return
        azimuth, grid, elevation = self._sun_path.at(self.bar.minutes)
        self.context.canvas.set_sun(grid, elevation)
        self.bar.set_note(
            tr(
                "Azimuth {azimuth:.1f}°, elevation {elevation:.1f}°",
                azimuth=azimuth,
                elevation=elevation,
            )
        )

    def _film_requested(self, wanted: bool) -> None:
        """Take the day from sunrise to sunset at the speed of the bar, or give that up."""
        if self._film is not None:
            self._film.cancel()
        path = self._sun_path
        if not wanted or path is None or path.day != self.bar.day:
            self._film_ended(self.bar.minutes)
            return
        rise, fall = self.bar.light or (0.0, DAY)
        pictures = np.arange(rise, fall, self.bar.speed * PICTURE)

        def show(n: int) -> str:
            self.bar.set_minutes(float(pictures[n]))
            self._move_sun()
            return f"{path.day}  {clock_text(self.bar.minutes)}"

        self.bar.set_filming(True)
        ended = partial(self._film_ended, self.bar.minutes)
        name = f"{tr('Sunlight')} {path.day}"
        try:
            film = self.context.film(name, len(pictures), PICTURE, show, ended)
        except UserError as error:
            self._message.show_message(str(error), "bad")
            film = None
        self._film = film if film is not None and not film.finished else None
        if self._film is None:
            ended()

    def _film_ended(self, minutes: float) -> None:
        self._film = None
        self.bar.set_filming(False)
        self.bar.set_minutes(minutes)
        self._move_sun()

    def _path_found(self, day: date, result: Result) -> None:
        self._sun_path = SunPath.of(day, result)
        rise, fall = (self._minute(result.values[n].value) for n in ("sunrise", "sunset"))
        self.bar.set_light(None if rise is None or fall is None else (rise, fall))
        if day == self.bar.day:
            self._move_sun()

    def _minute(self, value: Any) -> float | None:
        """Return the minute of the day that a time in a result means."""
        moment = _moment(value)
        if moment is None:
            return None
        local = moment.astimezone(self._zone()) if moment.tzinfo else moment
        return local.hour * 60.0 + local.minute + local.second / 60.0

    def showEvent(self, event: QShowEvent) -> None:
        """Switch the sun on."""
        super().showEvent(event)
        self._find_place()
        if self._site is not None and POSITION in self._ids:
            self.context.show_bar(self.bar)
            self._move_sun()

    def hideEvent(self, event: QHideEvent) -> None:
        """Switch the sun off."""
        super().hideEvent(event)
        self.bar.stop()
        if self._film is not None:
            self._film.cancel()
        self.context.canvas.clear_marks(CELL)
        self.context.show_bar(None)
        self.context.canvas.set_sun(None)

    # -- the day of a window or a place ----------------------------------------------------

    def clicked(self, pick: Pick) -> None:
        """Show the day of the window that was hit, or of the place where hours are painted."""
        super().clicked(pick)
        if pick.ref is not None:
            row = self.view.choose_row("windows", "id", pick.ref.entity)
            if row is not None:
                self._show_day(str(row["id"]))
                return
        result = self.view.result
        if result is None or result.analysis != HOURS:
            return
        x, y, z = pick.position
        normal = pick.normal or (0.0, 0.0, 1.0)
        # Just in front of the face, so that it is not its own shade.
        place = [p + OFF_FACE * n for p, n in zip((x, y, z), normal, strict=True)]
        asked = {**result.params, "receivers": {"points": [place]}}
        self.context.canvas.show_marks(CELL, [Mark([(x, y, z)], "points", tone="lit", width=10.0)])
        self.context.preview(CELL, HOURS, asked, self._cell_found)

    def _cell_found(self, found: Result) -> None:
        """Show the day of the place that was clicked."""
        rows = found.tables["receivers"]
        (cells,) = (dict(zip(rows.columns, row, strict=True)) for row in rows.rows)
        self._show_periods(
            found,
            str(cells["id"]),
            tr(
                "{hours:.2f} h at {x:.1f}, {y:.1f}",
                hours=cells["hours"],
                x=cells["x"],
                y=cells["y"],
            ),
        )

    def row_chosen(self, table: str, row: dict[str, Any]) -> None:
        """Show the day of a window beside its place."""
        super().row_chosen(table, row)
        if "id" in row:
            self._show_day(str(row["id"]))

    def _show_day(self, name: str) -> None:
        """Show when one receiver of the result is lit."""
        if self.view.result is not None:
            self._show_periods(self.view.result, name, name)

    def _show_periods(self, result: Result, name: str, title: str) -> None:
        table = result.tables.get("periods")
        if table is None:
            return
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        periods = [
            (start, end)
            for row in rows
            if str(row["id"]) == name
            and (start := self._minute(row["start"])) is not None
            and (end := self._minute(row["end"])) is not None
        ]
        self._day_name.setText("\n".join((title, *self._blockers(result, name))))
        self._day.set_periods(periods, self.bar.light or (6 * 60.0, 18 * 60.0))
        self._day.set_now(self.bar.minutes)
        self._day_name.show()
        self._day.show()
        self.scroll_to(self._day_name)

    def _blockers(self, result: Result, name: str) -> list[str]:
        """Return who keeps a receiver dark and when, the longest first."""
        table = result.tables.get("dark")
        if table is None:
            return []
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        mine = [row for row in rows if str(row["id"]) == name]
        mine.sort(key=lambda row: -float(row["minutes"]))
        lines = []
        for row in mine[:BLOCKERS]:
            start, end = self._minute(row["start"]), self._minute(row["end"])
            who = row.get("name") or row["entity"] or row["cause"]
            if start is not None and end is not None:
                lines.append(f"{clock_text(start)}–{clock_text(end)}  {who}")
        return lines

    def _minute_clicked(self, minutes: float) -> None:
        self.bar.stop()
        self.bar.set_minutes(minutes)
        self._day.set_now(minutes)
        self._time_changed()

    def present(self, result: Result) -> None:
        """Draw a result; the day of a window waits for a click."""
        super().present(result)
        self._day_name.hide()
        self._day.hide()
        self.context.canvas.clear_marks(CELL)

    def restored(self, run: Run) -> None:
        """Let the bar follow an earlier run."""
        self.inputs_changed()

    def _breaks(self) -> tuple[float, ...]:
        """Return where colours of hours change: at what the pack asks for, and above."""
        result = self.view.result
        params = result.params if result is not None else self.form.values()
        request = params.get("request")
        pack = (request if isinstance(request, dict) else params).get("pack")
        asked = _thresholds(pack or "") or CODES
        return (*asked, *(hours for hours in ABOVE if hours > asked[-1]))

    def style_of(self, name: str, layer: Layer) -> LayerStyle:
        """Return amber and slate for lit and shaded; hours come in the bands of codes."""
        if layer.style != LayerStyle():
            return layer.style
        colors = current_theme().analysis
        if name == "sunlit":
            return LayerStyle(
                color_by="class",
                class_colors={"1": colors.lit, "0": colors.shade},
                class_names={"1": N_("Lit"), "0": N_("Shaded")},
            )
        if name in PAINTED:
            return LayerStyle(breaks=self._breaks(), legend=N_("Hours of sun (h)"))
        return layer.style


def _thresholds(pack_id: object) -> tuple[float, ...]:
    """Return the hours that a pack asks for, of whatever use."""
    try:
        pack = load_pack(str(pack_id), SunlightPack)
    except UserError:
        return ()
    return tuple(sorted({one.hours for one in pack.thresholds}))


def _standard_days() -> list[tuple[str, str]]:
    return [(name, tr(DAYS[name])) for name in STANDARD_DAYS]


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
