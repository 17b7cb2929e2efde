"""The tool for sunlight: bar and form are one, the sun follows, places show their day."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from PySide6.QtWidgets import QApplication
from sightline_scenes import X, Y, bodies, box
from tool_context import FakeContext

from plumbline.api import (
    Georeference,
    GridData,
    Layer,
    LayerKind,
    Scene,
    SunlightPack,
    load_pack,
)
from plumbline.core.i18n import translator
from plumbline.ui_kit.time_bar import clock_text
from plumbline_sunlight.panel import SunlightPanel
from plumbline_sunlight.words import WORDS

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

BEIJING = timezone(timedelta(hours=8))


@pytest.fixture
def context() -> FakeContext:
    """Return a wall from east to west, 30 m high, 20 m south of the origin."""
    scene = Scene(Georeference.from_text("EPSG:4549", (X, Y, 0.0)))
    scene.add(bodies({"wall": box((-200, -22, 0), (200, -20, 30), (X, Y, 0.0))}))
    return FakeContext(scene)


@pytest.fixture
def panel(context: FakeContext, qtbot: QtBot, qapp: QApplication) -> Iterator[SunlightPanel]:
    import plumbline_sunlight

    translator.add_folder(Path(plumbline_sunlight.__file__).parent / "translations")
    panel = SunlightPanel(context)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.hide()
    panel.bar.deleteLater()


def pvlib_sun(context: FakeContext, moment: datetime) -> tuple[float, float]:
    """Return azimuth from true north and apparent elevation by pvlib itself."""
    from pvlib import solarposition
    from pyproj import Transformer

    to_degrees = Transformer.from_crs("EPSG:4549", "EPSG:4490", always_xy=True)
    longitude, latitude = to_degrees.transform(X, Y)
    found = solarposition.get_solarposition(
        pd.DatetimeIndex([moment]), latitude, longitude, pressure=101325, temperature=12
    )
    return float(found["azimuth"].iloc[0]), float(found["apparent_elevation"].iloc[0])


def test_the_light_follows_the_bar_and_goes_with_the_tool(
    panel: SunlightPanel, context: FakeContext
) -> None:
    assert context.bar is panel.bar
    # Great Cold at 10:00 by the clock, from the start.
    assert panel.bar.day.month == 1
    assert context.canvas.sun is not None
    panel.bar.set_day(date(2026, 3, 20))
    panel.bar.scale.moved.emit(9 * 60.0 + 30)
    azimuth, elevation = pvlib_sun(context, datetime(2026, 3, 20, 9, 30, tzinfo=BEIJING))
    turn = context.scene.georeference.convergence(X, Y)
    # Between places of the sun 5 minutes apart the path is straight.
    assert context.canvas.sun == pytest.approx((azimuth - turn, elevation), abs=0.02)
    assert f"{elevation:.1f}" in panel.bar._note.text()
    panel.hide()
    assert context.canvas.sun is None
    assert context.bar is None


def test_a_drag_of_the_hand_asks_for_one_path_of_the_sun_a_day(
    panel: SunlightPanel, context: FakeContext
) -> None:
    before, suns = len(context.previews), context.canvas.suns
    for minute in range(480, 600, 5):
        panel.bar.scale.moved.emit(float(minute))
    assert context.canvas.suns == suns + 24
    assert len(context.previews) == before
    panel.bar.set_day(date(2026, 6, 1))
    panel.bar.scale.moved.emit(600.0)
    assert len(context.previews) == before + 1


def test_bar_and_form_are_one(panel: SunlightPanel, context: FakeContext) -> None:
    panel.choose("sunlight.shadow")
    panel.bar.scale.moved.emit(14 * 60.0)
    moment = panel.form.values()["time"]
    assert (moment.hour, moment.utcoffset()) == (14, timedelta(hours=8))
    panel.form.set_values({"time": datetime(2026, 5, 6, 8, 15, tzinfo=BEIJING)})
    panel.form.edited("time")
    assert (panel.bar.day, panel.bar.minutes) == (date(2026, 5, 6), 495.0)
    panel.choose("sunlight.hours")
    assert panel.form.values()["day"] == "great_cold"
    panel.bar.standard_day_requested.emit("winter_solstice")
    assert panel.form.values()["day"] == "winter_solstice"
    assert (panel.bar.day.month, panel.bar.day.day) in ((12, 21), (12, 22))
    panel.form.set_values({"day": "2026-02-03"})
    panel.form.edited("day")
    assert panel.bar.day == date(2026, 2, 3)


def draw_area(context: FakeContext) -> None:
    for dx, dy in ((-20, -15), (20, -15), (20, 45), (-20, 45)):
        context.canvas.click(X + dx, Y + dy, 0)


def test_hours_of_a_drawn_area_and_the_day_of_a_place_in_it(
    panel: SunlightPanel, context: FakeContext
) -> None:
    panel.choose("sunlight.hours")
    draw_area(context)
    panel.form.set_values({"obstacles": ("city",)})
    receivers = panel.form.values()["receivers"]
    assert len(receivers["polygon"]) == 4
    panel.form.editor("receivers")._cell.set_value(5.0)
    context.canvas.finished.emit()
    assert panel.view.result is not None, (panel._message._text.text(), panel.form.errors())
    assert "result.hours" in context.canvas.layers
    grid = context.canvas.layers["result.hours"][0].data.values
    # In the shade of the wall at noon in winter in the south, sun in the north of the area.
    assert np.nanmin(grid) < 1 < np.nanmax(grid)
    panel.picker.pick_for("")
    context.canvas.click(X, Y + 44, 0.0)
    assert panel._day.isVisible()
    lit = sum(end - start for start, end in panel._day._periods) / 60
    shown = float(panel._day_name.text().split(" h")[0])
    assert lit == pytest.approx(shown, abs=0.02)
    context.canvas.click(X, Y - 15, 0.0)
    assert "wall" in panel._day_name.text()


def test_without_a_crs_there_is_no_sun_and_that_is_said(
    context: FakeContext, qtbot: QtBot, qapp: QApplication
) -> None:
    plane = FakeContext(Scene(Georeference.from_text(None, (0.0, 0.0, 0.0))))
    panel = SunlightPanel(plane)
    qtbot.addWidget(panel)
    panel.show()
    assert plane.canvas.sun is None
    assert plane.bar is None
    assert panel._message._text.text() != ""
    panel.hide()
    panel.bar.deleteLater()


OPENING = """
import sys
from PySide6.QtWidgets import QApplication
app = QApplication([])
from tool_context import FakeContext
from plumbline.api import Georeference, Scene
from plumbline.services.plugins import plugin_host
from plumbline_sunlight.panel import ANALYSES, SunlightPanel
plugin_host()
context = FakeContext(Scene(Georeference.from_text("EPSG:4549", (5e5, 4e6, 0.0))))
asked = []
context.preview = lambda key, *more: asked.append(key)
panel = SunlightPanel(context)
panel.show()
for analysis in ANALYSES:
    panel.choose(analysis)
    panel._check()
    app.processEvents()
assert set(asked) == {"standard days", "sun"}, asked
print([name for name in ("pvlib", "pandas", "scipy", "numba", "embreex") if name in sys.modules])
"""


def test_opening_the_tool_does_not_wait_for_the_algorithm_of_the_sun() -> None:
    """What takes seconds to import is left to the workers; the window goes on living."""
    done = subprocess.run(
        [sys.executable, "-c", OPENING], capture_output=True, text=True, env=child_environment()
    )
    assert done.stdout.strip() == "[]", done.stderr[-2000:]


def child_environment() -> dict[str, str]:
    """Return an environment in which a child finds what this process found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def test_every_word_is_translated(panel: SunlightPanel) -> None:
    translator.set_language("zh_CN")
    shown: set[Any] = {panel.word(name) for name in WORDS}
    assert not {text for text in shown if text.isascii()}


def test_the_day_is_filmed_from_sunrise_to_sunset(
    panel: SunlightPanel, context: FakeContext
) -> None:
    panel.bar.set_minutes(600.0)
    panel.bar._film.click()
    ((name, seconds, pictures),) = context.films
    assert str(panel.bar.day) in name
    # At 30 minutes of the day in a second, each picture is three minutes on.
    assert seconds == 0.1
    rise, fall = panel.bar.light or (0.0, 0.0)
    assert len(pictures) == int((fall - rise) / 3) + 1
    captions, suns = zip(*pictures, strict=True)
    assert captions[0].endswith(clock_text(rise))
    assert captions[-1].endswith(clock_text(rise + 3 * (len(pictures) - 1)))
    azimuths = [sun[0] for sun in suns]
    assert azimuths == sorted(azimuths), "from east to west"
    assert min(sun[1] for sun in suns) > -1
    assert panel.bar.minutes == 600, "the hand is back"
    assert not panel.bar._film.isChecked()
    assert panel.bar.scale.isEnabled()


def test_colours_of_hours_cut_where_the_pack_asks(panel: SunlightPanel) -> None:
    panel.choose("sunlight.hours")
    panel.form.set_values({"pack": "hangzhou"})
    asked = {one.hours for one in load_pack("hangzhou", SunlightPack).thresholds}
    assert set(panel._breaks()) == asked | {hours for hours in (4, 6) if hours > max(asked)}
    panel.form.set_values({"pack": None})
    assert panel._breaks() == (1, 2, 3, 4, 6)
    layer = Layer(
        "after", "After", LayerKind.RASTER, GridData(np.ones((2, 2)), (1, 0, X, 0, -1, Y))
    )
    assert panel.style_of("after", layer).breaks == (1, 2, 3, 4, 6)
    assert panel.style_of("change", layer).breaks == ()
