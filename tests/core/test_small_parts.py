"""History, feedback, units, translation, errors, layers: the small parts everything leans on."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plumbline.core import history as history_module
from plumbline.core.data import Bounds, MeshData
from plumbline.core.errors import (
    EXIT_CANCELLED,
    EXIT_INPUT,
    EXIT_REFUSED,
    CancelledError,
    InputError,
    MissingCrsError,
    RefusedError,
    UserError,
)
from plumbline.core.feedback import Feedback
from plumbline.core.history import History
from plumbline.core.i18n import N_, system_language, tr, translator
from plumbline.core.layer import LayerStyle, LayerView, file_sha256
from plumbline.core.units import (
    AREA_UNITS,
    INTERNATIONAL_FOOT,
    MINUS,
    THIN_SPACE,
    US_SURVEY_FOOT,
    digits_for,
    format_number,
    format_value,
    group_digits,
)

# -- history ---------------------------------------------------------------------------------


def number_edit(history: History, values: list[int], value: int, key: str = "") -> None:
    old = values[0]

    def put(number: int) -> None:
        values[0] = number

    history.do(f"set {value}", lambda: put(value), lambda: put(old), key)


def test_a_new_edit_forgets_what_was_undone() -> None:
    history, values = History(), [0]
    number_edit(history, values, 1)
    number_edit(history, values, 2)
    history.undo()
    assert (values, history.undo_label, history.redo_label) == ([1], "set 1", "set 2")
    number_edit(history, values, 3)
    assert history.redo_label is None
    history.redo()
    assert values == [3]


def test_edits_merge_by_key_within_the_window_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(history_module.time, "monotonic", lambda: now[0])
    history, values = History(), [0]
    number_edit(history, values, 1, "slider")
    now[0] += 0.5
    number_edit(history, values, 2, "slider")
    now[0] += history_module.MERGE_WINDOW + 0.1
    number_edit(history, values, 3, "slider")
    number_edit(history, values, 4, "other")
    seen = []
    while history.undo_label:
        history.undo()
        seen.append(values[0])
    assert seen == [3, 2, 0]


def test_history_has_a_limit_and_tells_every_change() -> None:
    history, values = History(limit=3), [0]
    told: list[None] = []
    history.changed.connect(lambda: told.append(None))
    for n in range(1, 6):
        number_edit(history, values, n)
    for _ in range(10):
        history.undo()
    assert values == [2]
    assert len(told) == 5 + 3
    history.clear()
    assert history.undo_label is history.redo_label is None


# -- feedback --------------------------------------------------------------------------------


def test_parts_of_parts_report_their_share_of_the_whole() -> None:
    told: list[tuple[float, str]] = []
    whole = Feedback(lambda fraction, text: told.append((round(fraction, 6), text)))
    part = whole.part(0.5, 1.0).part(0.0, 0.5)
    part.step(1, 2, "half")
    part.step(9, 2, "more than all")
    whole.step(0, 0)
    assert told == [(0.625, "half"), (0.75, "more than all"), (1.0, "")]


def test_cancelling_stops_at_the_next_step_of_any_part() -> None:
    cancel = threading.Event()
    feedback = Feedback(cancel=cancel)
    part = feedback.part(0, 1)
    part.step(0, 1)
    cancel.set()
    with pytest.raises(CancelledError) as caught:
        part.step(1, 1)
    assert caught.value.exit_code == EXIT_CANCELLED == 130
    assert feedback.cancelled
    other = Feedback()
    other.part(0, 1).cancel()
    with pytest.raises(CancelledError):
        other.check()


# -- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("m", "h", "d"), EXIT_INPUT),
        (MissingCrsError("m", "h", "d"), EXIT_INPUT),
        (RefusedError("m", "h", "d"), EXIT_REFUSED),
        (CancelledError("m", "h", "d"), EXIT_CANCELLED),
    ],
)
def test_errors_cross_processes_whole(error: UserError, code: int) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what multiprocessing does
    assert type(again) is type(error)
    assert (again.message, again.hint, again.details) == ("m", "h", "d")
    assert again.exit_code == code
    assert str(again) == "m h"


# -- units -----------------------------------------------------------------------------------


def test_feet_and_mu_are_exact() -> None:
    assert INTERNATIONAL_FOOT == 0.3048
    assert pytest.approx(1200, abs=1e-9) == US_SURVEY_FOOT * 3937
    # 15 亩 are a hectare (国务院 1959 / 1984: 1 亩 = 666.6667 m²).
    assert 10_000 * AREA_UNITS["亩"] == pytest.approx(15, rel=1e-15)
    assert 10_000 * AREA_UNITS["ha"] == 1


@pytest.mark.parametrize(
    ("uncertainty", "digits"),
    [(0.03, 3), (0.0299, 3), (0.5, 2), (1.0, 1), (12.0, 0), (250.0, 0), (1e-30, 9)],
)
def test_digits_follow_the_uncertainty(uncertainty: float, digits: int) -> None:
    assert digits_for(uncertainty, 5) == digits


@pytest.mark.parametrize("uncertainty", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_without_uncertainty_the_default_counts(uncertainty: float | None) -> None:
    assert digits_for(uncertainty, 2) == 2


def test_numbers_look_set() -> None:
    assert format_number(1234567.891) == f"1{THIN_SPACE}234{THIN_SPACE}567.89"
    assert format_number(-1234.5, 1) == f"{MINUS}1{THIN_SPACE}234.5"
    assert format_number(-0.001) == "0.00"
    assert format_number(float("nan")) == "–"
    assert format_value(12.345, "m", 0.031) == "12.345 ± 0.031 m"
    assert format_value(45.5, "°", digits=1) == "45.5°"
    assert format_value(3, digits=0) == "3"


@given(st.integers(-(10**15), 10**15))
def test_grouping_loses_no_digit(number: int) -> None:
    text = group_digits(str(number))
    assert int(text.replace(THIN_SPACE, "").replace(MINUS, "-")) == number
    assert all(len(part) == 3 for part in text.split(THIN_SPACE)[1:])


# -- translation -----------------------------------------------------------------------------


def test_switching_the_language_is_told_once() -> None:
    told: list[str] = []
    translator.changed.connect(told.append)
    try:
        translator.set_language("zh_CN")
        translator.set_language("zh_CN")
        assert tr("Remove layer") == "移除图层"
        assert tr("no such text {n}", n=1) == "no such text 1"
        translator.set_language("xx")
        assert translator.language == "en"
        assert told == ["zh_CN", "en"]
    finally:
        translator.changed.disconnect(told.append)
    assert N_("Remove layer") == "Remove layer"


def test_a_plugin_brings_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "zh_CN.json").write_text('{"Only here": "只在这里"}', encoding="utf-8")
    translator.add_folder(tmp_path)
    translator.add_folder(tmp_path / "absent")
    translator.set_language("zh_CN")
    assert tr("Only here") == "只在这里"
    translator.set_language("en")
    assert tr("Only here") == "Only here"


@pytest.mark.parametrize(
    ("name", "language"),
    [("zh_CN.UTF-8", "zh_CN"), ("zh_TW.UTF-8", "zh_CN"), ("de_DE.UTF-8", "en"), ("C", "en")],
)
def test_the_system_language(name: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", name)
    assert system_language() == language


# -- layers and data -------------------------------------------------------------------------


def test_styles_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError):
        LayerStyle.model_validate({"colour": "red"})
    with pytest.raises(ValidationError):
        LayerStyle(point_size=0)
    with pytest.raises(ValidationError):
        LayerView(opacity=1.1)
    with pytest.raises(ValidationError):
        LayerStyle().color = "#000000"  # type: ignore[misc]


def test_digest_of_a_file(tmp_path: Path) -> None:
    # FIPS 180-2, appendix B.1: SHA-256 of "abc".
    (tmp_path / "a").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "a") == digest


def test_bounds() -> None:
    box = Bounds.of(np.array([[0.0, 5.0, 2.0], [np.nan, 1.0, 1.0], [4.0, 1.0, 0.0]]))
    assert box == Bounds(0.0, 1.0, 0.0, 4.0, 5.0, 2.0)
    assert box is not None
    assert box.diagonal == 6.0
    assert box.center.tolist() == [2.0, 3.0, 1.0]
    assert Bounds.of(np.empty((0, 3))) is None
    assert Bounds.union([None, box, Bounds(-1, 0, 0, 0, 0, 9)]) == Bounds(-1, 0, 0, 4, 5, 9)
    assert Bounds.union([None]) is None
    empty = MeshData(np.empty((0, 3)), np.empty((0, 3), dtype=np.int64))
    assert empty.bounds is None
    assert empty.counts == {"vertices": 0, "triangles": 0}
