"""Numbers and points as people type and paste them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.core.units import format_number
from plumbline.ui_kit.parsing import parse_number, parse_point, parse_points, point_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.5", 12.5),
        (" 12,5 ", 12.5),
        ("1,234", 1234.0),
        ("1,234,567.8", 1234567.8),
        ("1 234.5", 1234.5),
        ("1\u2009234.5", 1234.5),
        ("\u22123", -3.0),
        ("１２．５", 12.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("12 m", 12.0),
        ("12m", 12.0),
    ],
)
def test_numbers(text: str, value: float) -> None:
    assert parse_number(text, "m") == value


@pytest.mark.parametrize("text", ["", "m", "abc", "1.2.3", "nan", "inf", "1e999", "12 km", "1,2,3"])
def test_no_numbers(text: str) -> None:
    assert parse_number(text, "m") is None


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_formatted_numbers_read_back(value: float, digits: int) -> None:
    assert parse_number(format_number(value, digits)) == pytest.approx(
        value, abs=0.5 * 10**-digits + 1e-9 + math.ulp(value)
    )


@pytest.mark.parametrize(
    "text",
    [
        "500123.45, 3456789.1, 12.3",
        "500123.45 3456789.1 12.3",
        "500123.45\t3456789.1\t12.3",
        "500,123.45\t3,456,789.1\t12.3",
        "500\u2009123.45; 3\u2009456\u2009789.1; 12.3",
        "X=500123.45 Y=3456789.1 Z=12.3",
        "(500123.45，3456789.1，12.3)",
    ],
)
def test_points(text: str) -> None:
    assert parse_point(text) == (500123.45, 3456789.1, 12.3)


@pytest.mark.parametrize("text", ["", "1", "1, 2, 3, 4", "1, two, 3", "1, , x"])
def test_no_points(text: str) -> None:
    assert parse_point(text) is None


def test_rows_of_a_table() -> None:
    assert parse_points("1\t2\t3\n\n4\t5\t6\n") == [(1, 2, 3), (4, 5, 6)]
    assert parse_points("1\t2\t3\nx\ty\tz") is None
    assert parse_points("") == []


def test_text_can_be_pasted_back() -> None:
    point = (500123.456, 3456789.123, -0.5)
    assert parse_point(point_text(point)) == point
