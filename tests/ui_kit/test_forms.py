"""Forms: every type of field shows, judges in words and gives back what it was given."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator, model_validator
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QLineEdit
from pytestqt.qtbot import QtBot

from plumbline.api import (
    EntityRefs,
    LayerRef,
    LayerRefs,
    Params,
    Point,
    Point3,
    Points,
    Polygon,
    Problem,
    Region,
)
from plumbline.core.i18n import translator
from plumbline.ui_kit.editors import AnyEditor, make_editor
from plumbline.ui_kit.field_specs import FieldSpec, field_spec
from plumbline.ui_kit.fields import CoordinateEdit, PointsEdit, UnitSpinBox
from plumbline.ui_kit.forms import ParameterForm
from plumbline.ui_kit.gallery import Quality, SampleParams

LAYERS = [("dsm", "Surface", "raster"), ("city", "City", "mesh")]


@pytest.fixture
def form(themed: QApplication, qtbot: QtBot) -> ParameterForm:
    result = ParameterForm(SampleParams)
    qtbot.addWidget(result)
    result.set_layers(LAYERS)
    result.show()
    return result


FULL: dict[str, Any] = {
    "observer": (500123.4567, 3456789.1234, 12.3456),
    "surface": "dsm",
    "eye_height": 1.55,
    "step": 20,
    "radius": 350.5,
    "day": dt.date(2027, 1, 20),
    "start": dt.datetime(2027, 1, 20, 8, 30, tzinfo=dt.timezone(dt.timedelta(hours=8))),
    "quality": Quality.DRAFT,
    "side": "right",
    "name": "方案 A",
    "vegetation": False,
    "path": ((0.0, 0.0), (1.25, 2.5, 3.0)),
    "blockers": ("dsm", "city"),
}


def test_sample_has_every_field(form: ParameterForm) -> None:
    assert set(FULL) == set(SampleParams.model_fields)


def test_round_trip(form: ParameterForm) -> None:
    form.set_values(FULL)
    assert form.errors() == {}
    params = form.params()
    assert params == SampleParams(**FULL)
    # Points keep their full precision although the field shows millimetres.
    assert params.observer == FULL["observer"]
    form.set_values(SampleParams(observer=(1, 2, 3), surface="city", path=((0, 0), (1, 1))))
    assert form.params().radius is None
    assert form.params().start is None
    assert form.params().day == dt.date(2027, 1, 20)


def test_starts_with_the_defaults(form: ParameterForm) -> None:
    assert form.values()["eye_height"] == 1.6
    assert set(form.errors()) == {"observer", "surface", "path"}
    # Nobody has touched the form: nothing is red yet.
    assert messages(form) == []
    form.show_all_errors()
    assert messages(form) == [
        "Type three numbers, X, Y, Z, or pick a point in the scene.",
        "Choose a layer.",
        "Needs 2 or more.",
    ]


def messages(form: ParameterForm) -> list[str]:
    return [
        label.text()
        for label in form.findChildren(QLabel)
        if label.property("role") in ("error", "warn") and label.isVisibleTo(form)
    ]


def type_into(form: ParameterForm, name: str, text: str, qtbot: QtBot) -> None:
    editor = form.editor(name)
    line = editor.findChild(QLineEdit)
    line.selectAll()
    qtbot.keyClicks(line, text) if text else qtbot.keyClick(line, Qt.Key.Key_Delete)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("step", "90", "Must be 60 min or less."),
        ("step", "0", "Must be 1 min or more."),
        ("step", "2.5", "Type a whole number."),
        ("step", "abc", "Type a whole number."),
        ("eye_height", "0", "Must be more than 0 m."),
        ("eye_height", "tall", "Type a number."),
        ("eye_height", "", "Needs a value."),
        ("radius", "-1", "Must be more than 0 m."),
        ("observer", "1, 2", "Type three numbers, X, Y, Z, or pick a point in the scene."),
        ("name", "x" * 41, "Takes 40 at most."),
    ],
)
def test_says_what_is_wrong(
    form: ParameterForm, qtbot: QtBot, name: str, text: str, message: str
) -> None:
    form.set_values(FULL)
    type_into(form, name, text, qtbot)
    assert messages(form) == [message]
    assert form.editor(name).marked().property("invalid") is True
    assert not form.is_valid()
    type_into(form, name, {"observer": "1, 2, 3", "name": "x"}.get(name, "5"), qtbot)
    assert messages(form) == []
    assert form.editor(name).marked().property("invalid") is False


def test_words_in_chinese(form: ParameterForm, qtbot: QtBot) -> None:
    form.set_values(FULL)
    type_into(form, "step", "90", qtbot)
    translator.set_language("zh_CN")
    assert messages(form) == ["不得大于 60 min。"]
    assert "计入植被" in [box.text() for box in form.findChildren(QCheckBox)]
    names = [label.text() for label in form.findChildren(QLabel)]
    assert "观察点" in names


def test_signals(form: ParameterForm, qtbot: QtBot) -> None:
    form.set_values(FULL)
    with qtbot.waitSignal(form.changed) as changed:
        type_into(form, "step", "5", qtbot)
    assert changed.args[0]["step"] == 5
    with qtbot.waitSignal(form.validity_changed) as valid:
        type_into(form, "step", "99", qtbot)
    assert valid.args == [False]
    with qtbot.assertNotEmitted(form.changed):
        form.set_values(FULL)


def test_picking_a_point(form: ParameterForm, qtbot: QtBot) -> None:
    asked: list[str] = []
    form.pick_requested.connect(asked.append)
    observer = form.editor("observer").findChild(CoordinateEdit)
    path = form.editor("path").findChild(PointsEdit)
    observer.pick_button.click()
    form.add_point("observer", (1.0, 2.0, 3.0))
    path.pick_button.click()
    assert not observer.pick_button.isChecked()
    form.add_point("path", (1.0, 2.0, 3.0))
    form.add_point("path", (4.0, 5.0, 6.0))
    path.pick_button.click()
    assert asked == ["observer", "path", ""]
    assert form.values()["observer"] == (1.0, 2.0, 3.0)
    assert form.values()["path"] == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    with pytest.raises(TypeError, match="takes no points"):
        form.add_point("step", (1.0, 2.0, 3.0))


def test_pasting_rows_of_a_table(form: ParameterForm) -> None:
    edit = form.editor("path").findChild(PointsEdit)
    edit.text_edit.setPlainText("500000\t3400000\t5\n500001\t3400001\t6\n")
    assert form.values()["path"] == ((500000.0, 3400000.0, 5.0), (500001.0, 3400001.0, 6.0))
    edit.text_edit.setPlainText("500000\tx\t5")
    assert form.errors()["path"] == "Type one point per line: X, Y, Z."


def test_layers_come_and_go(form: ParameterForm) -> None:
    form.set_values(FULL)
    form.set_layers([("city", "City", "mesh")])
    assert form.errors() == {"surface": "Choose a layer."}
    form.set_layers(LAYERS)
    assert form.params().surface == "dsm"
    assert form.params().blockers == ("dsm", "city")


def test_layer_fields_may_ask_for_kinds(themed: QApplication, qtbot: QtBot) -> None:
    class Terrain(Params):
        ground: Annotated[
            LayerRef | None, Field(json_schema_extra={"widget": "layer", "kinds": ["raster"]})
        ] = None

    form = ParameterForm(Terrain)
    qtbot.addWidget(form)
    form.set_layers(LAYERS)
    combo = form.findChild(QComboBox)
    assert [combo.itemText(i) for i in range(combo.count())] == ["–", "Surface"]
    assert form.params().ground is None


def test_problems_of_the_analysis(form: ParameterForm, qtbot: QtBot) -> None:
    form.set_values(FULL)
    form.set_problems(
        [Problem("step", "Too coarse for this day."), Problem("", "Nothing to see.", "warning")]
    )
    assert sorted(messages(form)) == ["Nothing to see.", "Too coarse for this day."]
    type_into(form, "step", "5", qtbot)
    assert messages(form) == []


def test_validators_of_the_class_speak(themed: QApplication, qtbot: QtBot) -> None:
    class Window(Params):
        first: int = 8
        last: int = 16

        @field_validator("first")
        @classmethod
        def _daylight(cls, value: int) -> int:
            if value < 5:
                raise ValueError("The sun is not up yet.")
            return value

        @model_validator(mode="after")
        def _order(self) -> Window:
            if self.last <= self.first:
                raise ValueError("The last hour must follow the first.")
            return self

    form = ParameterForm(Window)
    qtbot.addWidget(form)
    form.show()
    type_into(form, "first", "3", qtbot)
    assert messages(form) == ["The sun is not up yet."]
    type_into(form, "first", "18", qtbot)
    assert messages(form) == ["The last hour must follow the first."]


def test_more_types(themed: QApplication, qtbot: QtBot) -> None:
    class More(Params):
        at: dt.time = dt.time(8, 30)
        file: Path | None = None
        offsets: tuple[float, ...] = (1.0, 2.5)
        limit: int | float = 3
        kind: Literal["a", "b"] | None = None
        flat: Point = (1.0, 2.0)
        solid: Point3 | None = None
        lines: Points = ()
        shown: LayerRefs = ()

    form = ParameterForm(More)
    qtbot.addWidget(form)
    assert form.params() == More()
    form.set_values({"offsets": (4.0,), "file": Path("a.csv"), "kind": "b", "at": dt.time(9, 0)})
    wanted = More(offsets=(4.0,), file=Path("a.csv"), kind="b", at=dt.time(9, 0))
    assert form.params() == wanted


def test_hidden_fields_are_set_by_the_panel(themed: QApplication, qtbot: QtBot) -> None:
    class Two(Params):
        shown: int = 1
        kept: int

    form = ParameterForm(Two, hidden=["kept"])
    qtbot.addWidget(form)
    assert form.errors() == {"": "Needs a value."}
    form.set_values({"kept": 7})
    assert form.params() == Two(shown=1, kept=7)


def test_what_has_no_editor_is_typed_as_json_or_as_a_word(themed: QApplication) -> None:
    editor = make_editor(FieldSpec("x", dict, False, "X", ""))
    assert isinstance(editor, AnyEditor)
    for value in ({"step": 5, "名称": "甲"}, [1, 2.5], "great_cold", 7, None):
        editor.put(value)
        assert editor.get() == value


class Places(Params):
    area: Region
    base: Literal["lowest", "mean"] | LayerRef = "lowest"
    surface: LayerRef | LayerRefs
    things: EntityRefs
    ring: Polygon | None = None
    step: int = 1
    site: Annotated[str, Field(json_schema_extra={"advanced": False})] = "A"


@pytest.fixture
def places(themed: QApplication, qtbot: QtBot) -> ParameterForm:
    form = ParameterForm(Places, fold=True)
    qtbot.addWidget(form)
    form.set_layers(LAYERS, {"surface": {"dsm"}})
    form.show()
    return form


RING = ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0))
HOLE = ((6.0, 1.0), (8.0, 1.0), (8.0, 3.0))


def test_regions_words_or_layers_and_entities(places: ParameterForm) -> None:
    wanted = Places(
        area=((RING, HOLE), (RING,)), base="city", surface="dsm",
        things=({"layer": "city", "entities": ("b1", "b2")}, "dsm"), ring=RING,
    )  # fmt: skip
    places.set_values(wanted)
    shown = places.params()
    assert shown == wanted.model_copy(update={"surface": ("dsm",), "things": shown.things})
    # The list ticks layers in its own order.
    assert {one.layer: one.entities for one in shown.things} == {"dsm": (), "city": ("b1", "b2")}
    places.set_values({"area": RING, "base": "mean"})
    assert places.params().area == ((RING,),)
    assert places.params().base == "mean"
    places.set_values({"area": None})
    assert set(places.errors()) == {"area"}


def test_a_shape_can_be_pasted(places: ParameterForm) -> None:
    places.set_values({"surface": "dsm", "things": ("city",)})
    field = places.editor("area").findChild(PointsEdit).text_edit
    field.setPlainText("POLYGON ((0 0, 10 0, 10 10, 0 0), (6 1, 8 1, 8 3, 6 1))")
    assert places.params().area == ((RING, HOLE),)
    field.setPlainText('{"type": "Polygon", "coordinates": [[[0,0],[10,0],[10,10],[0,0]]]}')
    assert places.params().area == ((RING,),)
    field.setPlainText('{"type": ')
    assert set(places.errors()) == {"area"}


def test_what_has_a_default_is_folded_away_until_it_is_wrong(
    places: ParameterForm, qtbot: QtBot
) -> None:
    assert places.editor("site").isVisible()
    assert not places.editor("step").isVisible()
    places.set_problems([Problem("step", "Too fine for this city.")])
    assert places.editor("step").isVisible()
    assert "Too fine for this city." in messages(places)


def test_a_field_offers_the_layers_that_fit_it(places: ParameterForm) -> None:
    places.set_values({"surface": ("dsm", "city"), "things": ("dsm", "city")})
    assert places.values()["surface"] == ("dsm",)
    assert places.values()["things"] == ("dsm", "city")


def test_spec_reads_unit_limits_and_title() -> None:
    spec = field_spec("eye_height", SampleParams.model_fields["eye_height"])
    assert (spec.unit, spec.minimum, spec.maximum) == ("m", 0.0, 100.0)
    assert spec.title == "Eye height"
    assert field_spec("path", SampleParams.model_fields["path"]).widget == "points"


def test_panel_width_is_enough(form: ParameterForm) -> None:
    """A form fits the body of a panel, in both languages, so that panels keep their width."""
    for language in ("en", "zh_CN"):
        translator.set_language(language)
        assert form.minimumSizeHint().width() <= 288


def test_arrows_stop_at_the_limits(themed: QApplication, qtbot: QtBot) -> None:
    spin = UnitSpinBox("m", minimum=0, maximum=1, step=0.3)
    qtbot.addWidget(spin)
    seen: list[float | None] = []
    spin.value_changed.connect(seen.append)
    for _ in range(5):
        spin.stepUp()
    assert seen == [0.3, 0.6, 0.9, 1.0]
    assert spin.text() == "1"
