"""The demolition statement: what a stored `volume.demolition` found, as a document to be signed.

Everything in it stands in the result folder; nothing is computed anew, so that the statement and
the result cannot differ. What is not known is a dash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline.analysis.result import Result, Table, Value
from plumbline.analysis.store import read_result, result_path
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import N_, tr
from plumbline.core.units import default_digits, format_value
from plumbline.services.documents.content import (
    UNKNOWN,
    Block,
    Cell,
    Column,
    Document,
    Facts,
    Heading,
    Picture,
    Sheet,
    Text,
)
from plumbline.services.documents.result_sheet import engine_text, inputs_sheet

ANALYSIS = "volume.demolition"
#: A picture of a view is no larger.
MAX_PICTURE = 64 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"

#: Columns of the sheet of buildings: name in the result, title, decimals, width.
_BUILDINGS: tuple[tuple[str, str, int | None, float], ...] = (
    ("number", N_("No."), None, 1.15),
    ("use", N_("Use"), None, 1.0),
    ("structure", N_("Structure"), None, 1.0),
    ("footprint_area", N_("Footprint, m²"), 1, 1.1),
    ("eaves_height", N_("Eaves, m"), 2, 0.9),
    ("ridge_height", N_("Ridge, m"), 2, 0.9),
    ("storeys", N_("Storeys"), 0, 0.8),
    ("floor_area", N_("Floor area, m²"), 1, 1.1),
    ("volume_2_5d", N_("Surface over ground, m³"), 1, 1.15),
    ("volume_extruded", N_("Extruded footprint, m³"), 1, 1.15),
    ("volume_solid", N_("Model or voxels, m³"), 1, 1.15),
    ("volume", N_("Volume that counts, m³"), 1, 1.15),
    ("spread_percent", N_("Spread, %"), 1, 0.85),
    ("coverage", N_("Covered, %"), 0, 0.9),
    ("debris", N_("Debris, t"), 1, 1.0),
)
_TOTALS: tuple[tuple[str, str, int | None, float], ...] = (
    ("class", N_("Class"), None, 1.6),
    ("buildings", N_("Buildings"), 0, 1.0),
    ("footprint_area", N_("Footprint, m²"), 1, 1.2),
    ("floor_area", N_("Floor area, m²"), 1, 1.2),
    ("volume", N_("Volume, m³"), 1, 1.2),
    ("material_volume", N_("Material, m³"), 1, 1.2),
    ("debris", N_("Debris, t"), 1, 1.2),
)
_BUDGET: tuple[tuple[str, str, int | None, float], ...] = (
    ("group", N_("Group of costs"), None, 1.0),
    ("title", N_("Item"), None, 2.4),
    ("quantity", N_("Quantity"), 2, 1.3),
    ("rate", N_("Rate"), 2, 0.8),
    ("rate_unit", N_("Unit of the rate"), None, 1.0),
    ("amount", N_("Amount, CNY"), 2, 1.4),
    ("source", N_("Where it comes from"), None, 2.4),
)
_FACTORS: tuple[tuple[str, str, int | None, float], ...] = (
    ("name", N_("Factor"), None, 1.6),
    ("value", N_("Factor value"), 2, 0.7),
    ("unit", N_("Unit"), None, 0.9),
    ("source", N_("Where it comes from"), None, 5.0),
)
_OBJECTS: tuple[tuple[str, str, int | None, float], ...] = (
    ("id", N_("No."), None, 0.6),
    ("kind", N_("Kind"), None, 1.0),
    ("x", N_("Easting"), 1, 1.5),
    ("y", N_("Northing"), 1, 1.5),
    ("length", N_("Length, m"), 1, 1.0),
    ("width", N_("Width, m"), 2, 1.0),
    ("height", N_("Height above ground, m"), 1, 1.0),
    ("volume", N_("Volume, m³"), 1, 1.0),
)
#: Values of the head of the statement.
_VALUES: tuple[tuple[str, str], ...] = (
    ("buildings", N_("Buildings")),
    ("volume", N_("Volume of the buildings")),
    ("volume_2_5d", N_("Volume, surface over ground")),
    ("volume_extruded", N_("Volume, extruded footprints")),
    ("volume_solid", N_("Volume, models or voxels")),
    ("footprint_area", N_("Footprint area")),
    ("floor_area", N_("Gross floor area")),
    ("uncovered_area", N_("Footprints without surface")),
    ("overhang_volume", N_("Air under overhangs")),
    ("sheds", N_("Sheds on no map")),
    ("walls", N_("Walls on no map")),
    ("wall_length", N_("Length of the walls")),
    ("trees", N_("Trees")),
    ("shrubs", N_("Shrubs")),
    ("canopy_volume", N_("Canopy volume")),
    ("material_volume", N_("Volume of material")),
    ("debris", N_("Debris")),
    ("debris_loose_volume", N_("Debris, loose")),
    ("cost", N_("Budget")),
)
#: Words for what stands in the tables of a result, which know no language.
_WORDS = {
    "other": N_("Other"),
    "preparation": N_("Preparation"),
    "demolition": N_("Demolition"),
    "rebuilding": N_("Rebuilding"),
    "assumption": N_("assumption"),
    "given with the request": N_("given with the request"),
    "municipal rules for declaring demolition waste; not checked against the printed rule": N_(
        "municipal rules for declaring demolition waste; not checked against the printed rule"
    ),
    "not in the file: the notice of expropriation of the place decides": N_(
        "not in the file: the notice of expropriation of the place decides"
    ),
    "not in the file: the budget of the scheme decides": N_(
        "not in the file: the budget of the scheme decides"
    ),
    "Survey, appraisal and permits": N_("Survey, appraisal and permits"),
    "Management and supervision": N_("Management and supervision"),
    "Compensation of owners": N_("Compensation of owners"),
    "Taking buildings down": N_("Taking buildings down"),
    "Taking walls and sheds down": N_("Taking walls and sheds down"),
    "Moving trees": N_("Moving trees"),
    "Loading, hauling and tipping debris": N_("Loading, hauling and tipping debris"),
    "Building anew": N_("Building anew"),
    "Levelling and reinstating the ground": N_("Levelling and reinstating the ground"),
    "Contingency": N_("Contingency"),
    "shed": N_("shed"),
    "wall": N_("wall"),
}
_GROUNDS = {
    "layer": N_("terrain layer"),
    "class2": N_("ground points (class 2)"),
    "ring_plane": N_("plane through a ring around each building"),
    "ring_tin": N_("TIN through a ring around each building"),
    "ring_idw": N_("inverse distance from a ring around each building"),
}


def demolition_statement(
    path: Path | str, *, picture: Path | None = None, operator: str = "", title: str = ""
) -> Document:
    """Return the statement of a stored result.

    Parameters
    ----------
    path : Path or str
        ``result.json`` or its folder.
    picture : Path, optional
        PNG of a view of the area.
    operator : str
        Who answers for it.

    Raises
    ------
    InputError
        If the result or the picture cannot be read.
    UsageError
        If the result is none of `volume.demolition`.
    """
    place = result_path(path)
    result = read_result(place)
    if result.analysis != ANALYSIS:
        raise UsageError(
            tr("This is a result of {name}, not of {wanted}.", name=result.analysis,
               wanted=ANALYSIS),
            tr("Run {wanted} and name its result folder.", wanted=ANALYSIS),
        )  # fmt: skip
    provenance = result.provenance
    blocks: list[Block] = [
        Facts(_head(result, operator)),
        Heading(tr("Findings")),
        Facts(tuple((tr(label), _value(result.values[name])) for name, label in _VALUES
                    if name in result.values)),
        *_pictures(place, provenance, picture),
        *_tables(result),
        Heading(tr("How it was measured")),
        *(Text(text) for text in _methods(result)),
        *_notes(result),
        Heading(tr("Signatures")),
        Facts(tuple((tr(name), "") for name in _SIGNATURES)),
        Heading(tr("Inputs")),
        inputs_sheet(provenance),
        Facts(((tr("Programs"), engine_text(provenance)),)),
    ]  # fmt: skip
    started = str(provenance.get("started") or "")
    footer = tr("Plumbline, {analysis} {version}, {time}", analysis=result.analysis,
                version=result.version, time=started)  # fmt: skip
    return Document(
        title or tr("Demolition statement"),
        tr("Measured from {surface}", surface=str(result.params.get("surface", UNKNOWN))),
        tuple(blocks),
        footer,
        operator,
        landscape=True,
    )


_SIGNATURES = (N_("Measured by"), N_("Checked by"), N_("Date"))


def _head(result: Result, operator: str) -> tuple[tuple[str, str], ...]:
    provenance = result.provenance
    ground = str(result.values["ground_method"].value) if "ground_method" in result.values else ""
    return (
        (tr("Operator"), operator or UNKNOWN),
        (tr("Time of the run"), str(provenance.get("started") or UNKNOWN)),
        (tr("Coordinate system"), str(provenance.get("crs") or UNKNOWN)),
        (tr("Area"), _value(result.values["area"]) if "area" in result.values else UNKNOWN),
        (tr("Ground under the buildings"), tr(_GROUNDS[ground]) if ground in _GROUNDS else ground),
    )


def _value(value: Value) -> str:
    if value.value is None:
        return UNKNOWN
    if isinstance(value.value, str | bool):
        return str(value.value)
    whole = isinstance(value.value, int)
    digits = 0 if whole or value.unit in ("m³", "CNY") else min(default_digits(value.unit), 2)
    return format_value(float(value.value), value.unit, value.uncertainty, digits)


def _pictures(place: Path, provenance: Mapping[str, Any], picture: Path | None) -> list[Block]:
    """Return the map of the result and the view that was given."""
    blocks: list[Block] = [Heading(tr("Map"))]
    name = provenance["files"]["figures"].get("map")
    if name and Path(name).name == name:
        blocks.append(Picture(_png(place.parent / name), tr("Buildings coloured by volume.")))
    if picture is not None:
        blocks += [Heading(tr("View"), 2), Picture(_png(picture), picture.stem)]
    return blocks


def _png(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_PICTURE:
            raise UsageError(
                tr("The picture “{name}” is too large.", name=path.name),
                tr("Give one of at most {n} MB.", n=MAX_PICTURE // 2**20),
            )
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be read: {why}.", path=path, why=error.strerror or error),
            tr("Check the path and the disk."),
        ) from error
    if not content.startswith(PNG):
        raise InputError(
            tr("“{name}” is no PNG.", name=path.name), tr("Give a picture in PNG format.")
        )
    return content


# -- tables ----------------------------------------------------------------------------------------


def _tables(result: Result) -> list[Block]:
    tables = result.tables
    sums: dict[str, Any] = {
        name: result.values[name].value
        for name in ("footprint_area", "floor_area", "volume_2_5d", "volume_extruded",
                     "volume_solid", "volume")
        if name in result.values
    }  # fmt: skip
    name = tr("Building by building")
    buildings = _sheet(name, tables["buildings"], _BUILDINGS, sums)
    blocks: list[Block] = [
        Heading(tr("Building by building")),
        buildings,
        Text(tr("Spread: greatest less smallest volume of the methods, as a share of the volume "
                "that counts."), small=True),
        Heading(tr("Totals by class"), 2),
        _sheet(tr("Totals"), tables["totals"], _TOTALS),
    ]  # fmt: skip
    if tables["objects"].rows:
        blocks += [
            Heading(tr("On no map: sheds and walls"), 2),
            _sheet(tr("Sheds and walls"), tables["objects"], _OBJECTS),
        ]
    cost = {"amount": result.values["cost"].value}
    blocks += [
        Heading(tr("Budget")),
        _sheet(tr("Budget"), tables["budget"], _BUDGET, cost),
        Text(tr("A share of the subtotal is taken of all items that are no shares."), small=True),
        Heading(tr("Factors"), 2),
        _sheet(tr("Factors"), tables["factors"], _FACTORS),
    ]
    return blocks


def _sheet(
    name: str,
    table: Table,
    columns: Sequence[tuple[str, str, int | None, float]],
    sums: Mapping[str, Any] | None = None,
) -> Sheet:
    """Return some columns of a stored table, whose cells are texts; `sums` make a last row."""
    place = {column: n for n, column in enumerate(table.columns)}
    kept = [column for column in columns if column[0] in place]
    rows = tuple(
        tuple(_cell(row[place[key]], digits) for key, _, digits, _ in kept) for row in table.rows
    )
    titles = tuple(Column(tr(title), digits, weight) for _, title, digits, weight in kept)
    if sums is None:
        return Sheet(name, titles, rows)
    last = [sums.get(key) for key, *_ in kept]
    # A blank, since nothing would be shown as a gap.
    totals = tuple("\u00a0" if cell is None else cell for cell in last[1:])
    return Sheet(name, titles, rows, (tr("Total"), *totals))


def _cell(text: Any, digits: int | None) -> Cell:
    if text is None or text == "":
        return None
    if digits is None:
        return tr(_WORDS[text]) if text in _WORDS else str(text)
    try:
        return float(text)
    except ValueError:
        return str(text)


# -- how and from what -----------------------------------------------------------------------------


def _methods(result: Result) -> list[str]:
    return [
        tr(
            "Surface over ground: the space between the roof as surveyed (TIN of its samples) and "
            "the ground, over the footprint."
        ),
        tr("Extruded footprint: footprint times the height half-way from eaves to ridge."),
        tr(
            "Model or voxels: the closed model of the building above the ground where there is "
            "one, else columns of voxels under the samples."
        ),
        tr(
            "The volume that counts is the first that there is; where the survey covers less than "
            "60 % of a footprint, the model goes first. The uncertainty of the total is half of "
            "the range of the totals by method."
        ),
    ]


def _notes(result: Result) -> list[Block]:
    if not result.warnings:
        return []
    return [Heading(tr("To be considered"), 2), *(Text(f"• {w}") for w in result.warnings)]
