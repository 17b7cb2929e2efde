"""What people call the values of rule packs, and the values that only some of exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumbline.analysis.rule_sheet import Path
from plumbline.analysis.sunlight_rules import CLOCKS, DAYS, USES
from plumbline.api import N_, tr

WORDS: Mapping[str, str] = {
    "angle": N_("Fixed angle (°)"),
    "band": N_("Hours of the day that count (from, to)"),
    "base_year": N_("Year of the standard day"),
    "buildings": N_("On buildings (m)"),
    "calculation": N_("Calculation"),
    "category": N_("Storeys"),
    "clock": N_("Clock"),
    "day": N_("Day"),
    "density": N_("Largest building density (%)"),
    "far": N_("Plot ratio (from, to)"),
    "favourable": N_("Favourable width holds"),
    "favourable_width": N_("Of wider windows counts (m)"),
    "green": N_("Least green ratio (%)"),
    "height": N_("Greatest height (m)"),
    "hours": N_("Hours asked for"),
    "least_altitude": N_("Least altitude of the sun (°)"),
    "limits": N_("Limits"),
    "meridian": N_("Meridian of the civil clock (°)"),
    "periods_counted": N_("Periods that add (all, or how many)"),
    "place": N_("Place"),
    "population": N_("People in the city (from, to)"),
    "round_to": N_("Rounded to (°)"),
    "rule": N_("Rule"),
    "share": N_("Share of the rooms"),
    "shortest_period": N_("Shortest period that counts (min)"),
    "sill_height": N_("Sill above the floor (m)"),
    "sites": N_("On sites (m)"),
    "spacing": N_("Distance of sample points (from, to)"),
    "step": N_("Largest time step (min)"),
    "storeys": N_("Storeys (from, to)"),
    "sweep_angle": N_("Sweep angle"),
    "thresholds": N_("Requirements"),
    "tolerance": N_("Tolerance (min)"),
    "use": N_("Use"),
    "wall_thickness": N_("Thickness of the wall (m)"),
    "window_rule": N_("Sun at the window"),
    "windows": N_("On windows (m)"),
    "zone": N_("Climate zone"),
    "zones": N_("Climate zones"),
}
WINDOW_RULES = {"full": N_("At both ends of the sill at once"), "centre": N_("In the middle")}
SWEEPS = {"none": N_("None"), "fixed": N_("Fixed"), "wall": N_("By wall and window")}
YES_NO = {True: N_("Yes"), False: N_("No")}
CHOICES: Mapping[str, Mapping[Any, str]] = {
    "clock": CLOCKS,
    "day": DAYS,
    "favourable": YES_NO,
    "rule": SWEEPS,
    "use": USES,
    "window_rule": WINDOW_RULES,
}


def choices_of(path: Path) -> dict[Any, str]:
    """Return the values that can stand at a path, with translated names; empty for any."""
    key = _key(path)
    found = {value: tr(name) for value, name in CHOICES.get(key, {}).items()}
    if key == "window_rule" and path[0] == "thresholds":
        found[None] = tr("As in the calculation")
    return found


def name_of(path: Path, entry: Any = None) -> str:
    """Return what a row is called; `entry` is what a heading gathers."""
    if isinstance(path[-1], int):
        return _entry_name(entry) or str(path[-1] + 1)
    key = _key(path)
    return tr(WORDS[key]) if key in WORDS else tr(DAYS[key]) if key in DAYS else key


def _entry_name(entry: Any) -> str:
    """Return what a requirement asks, in short."""
    if not isinstance(entry, dict) or "use" not in entry:
        return ""
    use = tr(USES[entry["use"]]) if entry["use"] in USES else str(entry["use"])
    zones = entry["zones"] if isinstance(entry["zones"], list) else [entry["zones"]]
    return f"{use} · {', '.join(str(zone) for zone in zones)}"


def _key(path: Path) -> str:
    """Return the name of a value; that of a stated one stands before it."""
    last = path[-2] if path[-1] == "value" and len(path) > 1 else path[-1]
    return str(last)
