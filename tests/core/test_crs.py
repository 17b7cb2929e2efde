"""Reading and naming coordinate reference systems; nothing is guessed."""

from __future__ import annotations

import pytest

from plumbline.core.crs import (
    crs_label,
    crs_text,
    horizontal_crs,
    parse_crs,
    same_crs,
    transformer,
)
from plumbline.core.errors import EXIT_USAGE, UsageError

LOCAL = (
    "+proj=tmerc +lon_0=113.366666666667 +k=1 +x_0=500000 +y_0=90 +ellps=GRS80 +units=m +no_defs"
)


@pytest.mark.parametrize("text", ["EPSG:4549", "EPSG:4549+5737", "EPSG:4978", "OGC:CRS84"])
def test_a_code_is_named_by_itself_again(text: str) -> None:
    assert crs_text(parse_crs(text)) == text


def test_a_system_without_code_is_named_by_wkt() -> None:
    text = crs_text(parse_crs(LOCAL))
    assert text is not None
    assert text.startswith("PROJCRS[")
    assert parse_crs(text) == parse_crs(LOCAL)


@pytest.mark.parametrize("text", ["", "EPSG:", "EPSG:99999999", "青岛", "PROJCS[", "x" * 10_000])
def test_what_is_no_crs_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_crs(text)
    assert "EPSG:4549" in caught.value.hint
    assert len(caught.value.message) < 200
    assert caught.value.exit_code == EXIT_USAGE


def test_label_is_for_people() -> None:
    assert crs_label(parse_crs("EPSG:4549")) == (
        "EPSG:4549 CGCS2000 / 3-degree Gauss-Kruger CM 120E"
    )
    assert crs_label(None) == "no CRS"
    assert crs_text(None) is None


def test_heights_do_not_part_two_systems_and_the_plane_does() -> None:
    rd = parse_crs("EPSG:28992")
    assert same_crs(rd, parse_crs("EPSG:28992+5709"))
    assert same_crs(parse_crs("EPSG:7415"), rd)
    assert not same_crs(rd, parse_crs("EPSG:28991"))
    assert not same_crs(parse_crs("EPSG:4547"), parse_crs("EPSG:4549"))
    assert same_crs(None, None)
    assert not same_crs(rd, None)
    assert horizontal_crs(parse_crs("EPSG:7415")).to_epsg() == 28992
    assert len(horizontal_crs(parse_crs("EPSG:4979")).axis_info) == 2


def test_transformer_takes_east_first_whatever_the_axes_say() -> None:
    # EPSG:4490 has latitude first, EPSG:4549 northing first;
    # the value is from the series in test_georeference.
    x, y = transformer(parse_crs("EPSG:4490"), parse_crs("EPSG:4549")).transform(120.5, 36.1)
    assert (x, y) == pytest.approx((545025.0362, 3996754.4176), abs=1e-4)
