"""Rule packs: what ships is as the table says, what is broken is refused by name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plumbline.analysis import rules
from plumbline.api import (
    PackError,
    SitePack,
    SunlightPack,
    UsageError,
    copied,
    known_packs,
    load_pack,
    parse_pack,
    write_pack,
)
from plumbline.core.i18n import translator


@pytest.fixture(autouse=True)
def _no_folders() -> Iterator[None]:
    kept = list(rules._folders)
    rules.set_rule_folders([])
    yield
    rules.set_rule_folders(kept)


def national() -> dict[str, Any]:
    """Return the national pack as plain values."""
    return load_pack("gb50180-2018", SunlightPack).model_dump(mode="json")


def refused(raw: dict[str, Any]) -> dict[str, str]:
    """Return the problems for which a pack is refused, by field."""
    with pytest.raises(PackError) as caught:
        parse_pack(json.dumps(raw), SunlightPack)
    assert all(field in str(caught.value) for field, _ in caught.value.fields)
    return dict(caught.value.fields)


#: GB 50180-2018, 4.0.9, from secondary sources: zone, people, day, hours, band.
CLAUSE = [
    *((zone, 500_000, "great_cold", 2, (8, 16)) for zone in ("I", "II", "III", "VII")),
    *((zone, 499_999, "great_cold", 3, (8, 16)) for zone in ("I", "II", "III", "VII")),
    ("IV", 500_000, "great_cold", 3, (8, 16)),
    ("IV", 499_999, "winter_solstice", 1, (9, 15)),
    *((zone, n, "winter_solstice", 1, (9, 15)) for zone in ("V", "VI") for n in (1, 10**7)),
]


@pytest.mark.parametrize(("zone", "people", "day", "hours", "band"), CLAUSE)
def test_the_table_of_the_code(
    zone: str, people: int, day: str, hours: float, band: tuple[float, float]
) -> None:
    rule = load_pack("gb50180-2018", SunlightPack).rule("dwelling", zone, people)
    assert (rule.day, rule.hours, rule.band, rule.clause) == (day, hours, band, "4.0.9")
    assert rule.clock == "true_solar"
    assert not rule.verified


def test_other_uses() -> None:
    pack = load_pack("gb50180-2018", SunlightPack)
    # Every zone asks the same of these.
    assert (pack.rule("elderly").hours, pack.rule("elderly").day) == (2, "winter_solstice")
    assert (pack.rule("renewal").hours, pack.rule("renewal").day) == (1, "great_cold")
    kindergarten, ward = pack.rule("kindergarten"), pack.rule("ward")
    assert (kindergarten.hours, kindergarten.favourable_width) == (3, None)
    assert (ward.hours, ward.share, ward.favourable_width) == (2, 0.5, 1.8)
    assert pack.rule("classroom").hours == 2


def test_what_is_not_stated_is_asked_for() -> None:
    pack = load_pack("gb50180-2018", SunlightPack)
    for known in ({}, {"zone": "II"}, {"population": 1_000_000}):
        with pytest.raises(UsageError, match="zone"):
            pack.rule(**known)
    with pytest.raises(UsageError, match="dormitory"):
        pack.rule("dormitory")


def test_local_packs_differ_where_they_say() -> None:
    beijing, hangzhou, qingdao = (
        load_pack(name, SunlightPack).rule() for name in ("beijing", "hangzhou", "qingdao")
    )
    # Beijing: arctan(300 / 1,500) = 11.3°, called 12°; 30 min on the Winter Solstice.
    assert beijing.sweep_angle(1.5) == 12
    assert load_pack("beijing", SunlightPack).rule("elderly").shortest == 30
    assert beijing.shortest == 5
    assert (hangzhou.band, hangzhou.counted, hangzhou.step) == ((9, 15), 2, 5)
    assert (qingdao.least_altitude, qingdao.clock, qingdao.meridian) == (15, "civil", 120)
    assert {rule.hours for rule in (beijing, hangzhou, qingdao)} == {2}


def test_nothing_that_ships_claims_to_be_verified() -> None:
    packs = [*known_packs(SunlightPack), *known_packs(SitePack)]
    assert [p.id for p in packs] == [
        *("beijing", "gb50180-2018", "hangzhou", "qingdao", "gb50180-2018-site"),
    ]
    for pack in packs:
        assert all(origin.source and not origin.verified for origin in pack.origins.values())


def test_site_limits_of_the_table() -> None:
    pack = load_pack("gb50180-2018-site", SitePack)
    # Table 4.0.2 by corners and one in the middle.
    low, high = pack.limit("VII", 3), pack.limit("V", 26)
    assert (low.far, low.density, low.green, low.height) == ((1.0, 1.0), 35, 30, 18)
    assert (high.far, high.density, high.green, high.height) == ((2.9, 3.1), 22, 35, 80)
    middle = pack.limit("II", 6)
    assert (middle.category, middle.far, middle.density) == ("multi_1", (1.2, 1.5), 30)
    # Between six and seven storeys on average: seven.
    assert pack.limit("II", 6.2).category == "multi_2"
    with pytest.raises(UsageError, match="27"):
        pack.limit("II", 27)


# -- counting ------------------------------------------------------------------------------------


def test_shortest_period_by_hand() -> None:
    rule = load_pack("beijing", SunlightPack).rule("elderly")
    # 20 + 30 + 60 min, of which 20 is too short.
    counted = rule.count([(540, 560), (600, 630), (700, 760)])
    assert counted.total == 90
    assert counted.longest == 60
    assert counted.counted == (False, True, True)


def test_longest_periods_by_hand() -> None:
    rule = load_pack("hangzhou", SunlightPack).rule()
    # The two longest of 50, 40, 40 and 3 min; of equal ones the earlier.
    counted = rule.count([(540, 580), (600, 650), (660, 700), (710, 713)])
    assert counted.total == 90
    assert counted.counted == (True, True, False, False)
    # The same in hours.
    assert rule.count([(9, 9.5), (10, 10.75), (11, 11.5)], unit=1).total == pytest.approx(1.25)


def test_no_sun_counts_as_none() -> None:
    counted = load_pack("hangzhou", SunlightPack).rule().count([])
    assert (counted.total, counted.longest, counted.counted) == (0, 0, ())


def test_sweep_angle_from_wall_and_window() -> None:
    raw = national()
    raw["calculation"]["sweep_angle"]["value"] = {"rule": "wall", "wall_thickness": 0.3}
    rule = parse_pack(json.dumps(raw), SunlightPack).rule("elderly")
    assert rule.sweep_angle(1.5) == pytest.approx(math.degrees(math.atan(0.2)))
    raw["calculation"]["sweep_angle"]["value"]["round_to"] = 15
    rule = parse_pack(json.dumps(raw), SunlightPack).rule("elderly")
    # arctan(0.3 / 1.0) = 16.7°.
    assert rule.sweep_angle(1.0) == 15


# -- broken packs --------------------------------------------------------------------------------


def test_missing_and_unknown_values_are_named() -> None:
    raw = national()
    del raw["calculation"]["band"]
    del raw["thresholds"][3]["hours"]
    raw["calculation"]["clock"].pop("verified")
    raw["calculation"]["moon"] = 1
    assert set(refused(raw)) == {
        *("calculation.band", "calculation.clock.verified", "calculation.moon"),
        "thresholds[3].hours",
    }


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("least_altitude", 90.0, "calculation.least_altitude.value"),
        ("least_altitude", "15", "calculation.least_altitude.value"),
        ("clock", "lunar", "calculation.clock.value"),
        ("clock", "civil", "calculation.meridian"),
        (
            "band",
            {"great_cold": [16, 8], "winter_solstice": [9, 15]},
            "calculation.band.great_cold",
        ),
        ("band", {"great_cold": [8, 16]}, "calculation.band"),
        ("band", {"great_cold": [8, 10.5], "winter_solstice": [9, 15]}, "thresholds[1].hours"),
        ("shortest_period", {"great_cold": 5}, "calculation.shortest_period"),
        ("shortest_period", {"great_cold": 5, "winter_solstice": 90}, "thresholds[3].hours"),
        ("sweep_angle", {"rule": "fixed"}, "calculation.sweep_angle.angle"),
        ("sweep_angle", {"rule": "none", "angle": 15}, "calculation.sweep_angle.angle"),
        ("sweep_angle", {"rule": "wall", "angle": 15}, "calculation.sweep_angle.wall_thickness"),
        ("periods_counted", 0, "calculation.periods_counted.value.constrained-int"),
        ("window_rule", "centre", "calculation.favourable_width"),
    ],
)
def test_contradictions_are_named(path: str, value: Any, field: str) -> None:
    raw = national()
    raw["calculation"][path]["value"] = value
    assert field in refused(raw)


def test_two_thresholds_for_one_case_are_refused() -> None:
    raw = national()
    raw["thresholds"].append({**raw["thresholds"][0], "zones": ["VII"], "hours": 1.5})
    assert list(refused(raw)) == ["thresholds[10]"]


def test_files_that_are_no_packs(tmp_path: Path) -> None:
    for name, text in (
        *(("list", "[1]"), ("cut", '{"format": 1'), ("empty", ""), ("bytes", "\udcff")),
        ("deep", "[" * 100_000),
        ("kind", '{"kind": "site"}'),
    ):
        path = tmp_path / f"{name}.json"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(PackError, match=name):
            load_pack(path, SunlightPack)
    with pytest.raises(PackError, match="away"):
        load_pack(tmp_path / "away.json", SunlightPack)
    with pytest.raises(UsageError, match="gb50180-2018"):
        load_pack("no-such-pack", SunlightPack)


def test_packs_that_extend_each_other_end(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.json").write_text(json.dumps({"kind": "sunlight", "extends": other}))
    with pytest.raises(PackError, match="circle"):
        load_pack(tmp_path / "a.json", SunlightPack)


# -- the office's own ----------------------------------------------------------------------------


def test_an_office_verifies_a_copy(tmp_path: Path) -> None:
    pack = copied(load_pack("qingdao", SunlightPack), "ours", {"en": "Ours", "zh_CN": "本院"})
    text = json.dumps(pack.model_dump(mode="json")).replace('"verified": false', '"verified": true')
    write_pack(parse_pack(text, SunlightPack, "ours"), tmp_path / "ours.json")
    rules.set_rule_folders([tmp_path])
    ours = load_pack("ours", SunlightPack)
    assert ours.verified
    assert ours.rule().verified
    assert ours.sha256 != pack.sha256
    # It stands for itself: what it was copied from may change.
    assert ours.extends is None
    assert ours.rule().hours == load_pack("qingdao", SunlightPack).rule().hours
    translator.set_language("zh_CN")
    assert ours.rule().title == "本院"


def test_the_office_goes_first(tmp_path: Path) -> None:
    raw = national()
    raw["thresholds"] = [{**raw["thresholds"][5], "hours": 2.5}]
    (tmp_path / "gb50180-2018.json").write_text(json.dumps(raw))
    rules.set_rule_folders([tmp_path / "not there", tmp_path])
    assert load_pack("gb50180-2018", SunlightPack).rule("elderly").hours == 2.5


def test_one_unverified_value_marks_the_rule_that_rests_on_it() -> None:
    raw = json.loads(json.dumps(national()).replace('"verified": false', '"verified": true'))
    raw["thresholds"][0]["verified"] = False
    pack = parse_pack(json.dumps(raw), SunlightPack)
    rule = pack.rule("dwelling", "II", 900_000)
    assert not rule.verified
    assert rule.unverified == ("thresholds[0]",)
    assert pack.rule("elderly").verified
    assert not pack.verified
