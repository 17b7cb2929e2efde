"""Units that people choose: exact factors, and what is not a length or an area stays as it is."""

from __future__ import annotations

import pytest

from plumbline.core.records import record_label, value_text
from plumbline.core.scene import Record
from plumbline.core.units import UnitChoice, unit_choice


@pytest.mark.parametrize(
    ("length", "area", "value", "unit", "text"),
    [
        ("mm", "m²", 1.2345, "m", "1\u2009234 mm"),
        ("km", "m²", 1234.5, "m", "1.234500 km"),
        ("m", "ha", 25_000.0, "m²", "2.5000 ha"),
        # 1 ha is 15 mu by definition.
        ("m", "亩", 10_000.0, "m²", "15.000 亩"),
        ("m", "km²", 2_500_000.0, "m²", "2.500000 km²"),
        ("km", "ha", 45.0, "°", "45.000°"),
        ("mm", "ha", 3.0, "m³", "3.00 m³"),
    ],
)
def test_lengths_and_areas_are_shown_in_the_chosen_units(
    length: str, area: str, value: float, unit: str, text: str
) -> None:
    choice = UnitChoice()
    choice.choose(length, area)
    assert choice.text(value, unit) == text


def test_the_uncertainty_is_in_the_same_unit() -> None:
    choice = UnitChoice()
    choice.choose("mm", "m²")
    assert choice.shown(2.0, "m", 0.005) == pytest.approx((2000.0, "mm", 5.0))
    assert choice.text(2.0, "m", 0.005) == "2\u2009000.0 ± 5.0 mm"
    with pytest.raises(ValueError, match="no units"):
        choice.choose("ell", "m²")


def test_a_record_s_label_follows_the_choice_and_coordinates_do_not() -> None:
    values = {"distance": {"value": 12.5, "unit": "m", "uncertainty": None}}
    record = Record("1", "Lane", {}, values, label="12.500 m", headline="distance")
    unit_choice.choose("mm", "m²")
    try:
        assert record_label(record) == "12\u2009500 mm"
        assert value_text("x", 12.5, "m") == "12.500 m"
    finally:
        unit_choice.choose("m", "m²")
    assert record_label(Record("2", "Old", {}, {}, label="3 m")) == "3 m"
    assert record_label(Record("3", "Nameless", {}, {})) == "Nameless"
