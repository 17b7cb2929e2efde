"""The sections of a report: each makes blocks of the evidence, and none where it has nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from plumbline.analysis.result import Value
from plumbline.core.crs import crs_label
from plumbline.core.i18n import tr
from plumbline.services.documents import (
    Block,
    Column,
    Contents,
    Facts,
    Gallery,
    Heading,
    Note,
    Picture,
    Sheet,
    Text,
)
from plumbline.services.documents.content import UNKNOWN
from plumbline.services.report import charts
from plumbline.services.report.evidence import rows_of
from plumbline.services.report.tables import DIGITS, PERCENT, Maker
from plumbline.services.report.template import Section, spoken

INDICATORS, CHECK = "schemes.indicators", "schemes.check"
#: What the sections below show; the rest stands under further results.
SHOWN = (INDICATORS, CHECK, "sunlight.", "sightline.", "schemes.earthwork", "volume.",
         "schemes.conflicts")  # fmt: skip
#: Columns of tables of rows, by table: what a committee reads.
WINDOWS = ("scheme", "building", "name", "storey", "hours", "margin", "verdict", "blockers")
BREAKERS = ("scheme", "name", "entity", "layer", "exceedance", "limit", "distance")
LEVELS = ("scheme", "kind", "id", "area", "level", "cut", "fill")
CONFLICTS = ("scheme", "layer", "id", "with_layer", "with_id", "kind", "area", "length", "short")


def summary(made: Maker, section: Section) -> list[Block]:
    """Say what is recommended, what fails and what is open, and the numbers that matter."""
    evidence = made.evidence
    if not evidence.schemes:
        return [Note(tr("The project has no schemes: nothing is compared."))]
    notes: list[Block] = [_recommended(made)]
    for scheme in evidence.schemes:
        notes += _failing(made, scheme.id, scheme.name)
    if evidence.gaps:
        text = tr("{n} things are missing; they are listed at the end.", n=len(evidence.gaps))
        notes.append(Note(text, "open"))
    labels = [label for label, _ in evidence.requests]
    return [*notes, *made.criteria(spoken(section.title), labels, section.values)]


def _recommended(made: Maker) -> Note:
    evidence = made.evidence
    if evidence.score is None:
        if evidence.plan.weights:
            return Note(tr("Nothing is recommended, since the schemes could not be scored."))
        return Note(tr("Nothing is recommended, since the criteria have no weights."))
    values = evidence.score.values
    names = {scheme.id: scheme.name for scheme in evidence.schemes}
    winner = str(values["winner"].value)
    text = tr(
        "Recommended: {name}. Its weighted score is {score:.2f}, {lead:.2f} ahead of the next.",
        name=names.get(winner, winner), score=values["score"].value, lead=values["lead"].value,
    )  # fmt: skip
    tied = [one for one in evidence.score.warnings if one]
    return Note(" ".join([text, *tied]), "good")


def _failing(made: Maker, scheme: str, name: str) -> list[Note]:
    rules = [
        row
        for label in made.evidence.labels(CHECK)
        for row in made.evidence.rows(f"{label}_rules")
        if row["scheme"] == scheme
    ]
    failed = [made.word(row["rule"]) for row in rules if row["verdict"] == "fail"]
    unknown = [made.word(row["rule"]) for row in rules if row["verdict"] == "unknown"]
    found = []
    if failed:
        text = tr("{name} breaks: {rules}.", name=name, rules=", ".join(failed))
        found.append(Note(text, "bad"))
    if unknown:
        text = tr("{name}: not known whether kept: {rules}.", name=name, rules=", ".join(unknown))
        found.append(Note(text, "open"))
    return found


def site(made: Maker, section: Section) -> list[Block]:
    """Show where the site lies and what every scheme does to it."""
    evidence = made.evidence
    picture = charts.site_plan(evidence.scene, evidence.schemes) if evidence.schemes else None
    crs = crs_label(evidence.scene.georeference.crs)
    facts = Facts(((tr("Coordinate system"), crs), (tr("Project"), evidence.source or UNKNOWN)))
    if picture is None:
        return [facts, Note(tr("The schemes say no site and add nothing: there is no plan of it."))]
    caption = tr("Plan of the site, north up: {file}.", file=evidence.source or tr("the project"))
    return [facts, Picture(picture, caption)]


def schemes(made: Maker, section: Section) -> list[Block]:
    """List the schemes: what they add and remove, and what their authors noted."""
    columns = (
        Column(tr("Scheme"), None, 1.6), Column(tr("Adds"), None, 1.8),
        Column(tr("Removes"), None, 1.2), Column(tr("Phases"), None, 1.4),
        Column(tr("Note"), None, 3.0),
    )  # fmt: skip
    scene = made.evidence.scene
    rows = []
    for scheme in made.evidence.schemes:
        adds = [scene[name].name if name in scene else name for name in scheme.layers]
        removed: dict[str, int] = {}
        for ref in scheme.hidden:
            removed[ref.layer] = removed.get(ref.layer, 0) + 1
        gone = [
            f"{scene[name].name if name in scene else name}: {n}" for name, n in removed.items()
        ]
        phases = [f"{phase.begins} {phase.name}".strip() for phase in scheme.phases]
        rows.append((scheme.name, *(", ".join(part) or None for part in (adds, gone, phases)),
                     scheme.note or None))  # fmt: skip
    return [Sheet(spoken(section.title), columns, tuple(rows))] if rows else []


def views(made: Maker, section: Section) -> list[Block]:
    """Show the present state and every scheme from the same viewpoints."""
    evidence = made.evidence
    if not evidence.pictures:
        return [Note(tr("There are no pictures: nothing can be drawn here."))]
    states = [("", tr("present state")), *((s.id, s.name) for s in evidence.schemes)]
    blocks: list[Block] = []
    for viewpoint in evidence.viewpoints:
        pictures = [
            Picture(evidence.pictures[state, viewpoint.name], name)
            for state, name in states
            if (state, viewpoint.name) in evidence.pictures
        ]
        if pictures:
            blocks += [Heading(viewpoint.name, 2), Gallery(tuple(pictures), 2)]
    return blocks


def indicators(made: Maker, section: Section) -> list[Block]:
    """Table of indicators with limits, and bars of some of them."""
    evidence = made.evidence
    labels = evidence.labels(CHECK, INDICATORS)
    blocks: list[Block] = [*made.criteria(spoken(section.title), labels, section.values)]
    rows = []
    for value in section.chart:
        for label in labels[:1]:
            criterion = f"{label}.{value}"
            if criterion not in evidence.matrix:
                continue
            unit, numbers = evidence.matrix[criterion]
            factor = 100.0 if value in PERCENT else 1.0
            whole = all(n is None or float(n).is_integer() for n in numbers.values())
            scaled = {k: None if n is None else n * factor for k, n in numbers.items()}
            unit = "%" if value in PERCENT else unit
            digits = DIGITS.get(unit, 2)
            rows.append((made.word(value), unit, 0 if whole else digits, scaled))
    picture = charts.bars(rows, {scheme.id: scheme.name for scheme in evidence.schemes})
    if picture:
        blocks.append(Picture(picture, made.source(labels[:1])))
    return blocks


def verdicts(made: Maker, section: Section) -> list[Block]:
    """List every limit with its clause and the state of its verification."""
    return [*made.verdicts(spoken(section.title))]


def sunlight(made: Maker, section: Section) -> list[Block]:
    """Windows that pass and fail, what takes their sun, and the figures."""
    labels = made.evidence.labels("sunlight.")
    blocks = _criteria_and_figures(made, section, labels)
    for label in labels:
        table = made.evidence.table(f"{label}_windows")
        if table is None or "verdict" not in table.columns:
            continue
        place = table.columns.index("verdict")
        failing = [row for row in table.rows if row[place] == "fail"]
        hours = table.columns.index("hours")
        failing.sort(key=lambda row: (row[0], row[hours] is None, row[hours] or 0.0))
        if failing:
            name = tr("Windows that fail")
            some = type(table)(table.columns, tuple(failing), table.units)
            blocks += [
                Heading(name, 2),
                made.rows(name, some, WINDOWS, made.source([label]), section.rows),
            ]
    return blocks


def sightlines(made: Maker, section: Section) -> list[Block]:
    """Corridors, skylines and other sights, with their figures."""
    labels = made.evidence.labels("sightline.")
    blocks = _criteria_and_figures(made, section, labels)
    for label in labels:
        name = tr("What stands in the corridor")
        blocks += _table(made, section, f"{label}_breakers", BREAKERS, name)
    return blocks


def earthwork(made: Maker, section: Section) -> list[Block]:
    """Ground that is moved, buildings that are pulled down, and what both cost."""
    labels = made.evidence.labels("schemes.earthwork", "volume.")
    blocks = _criteria_and_figures(made, section, labels)
    for label in labels:
        for part, columns in (("levels", LEVELS), ("totals", ())):
            name = f"{made.heading(label)} ({tr('in parts')})"
            blocks += _table(made, section, f"{label}_{part}", columns, name)
    if "cost.total" in made.evidence.matrix:
        rows = _costs(made)
        blocks += [Heading(made.word("cost.total"), 2), rows]
    return blocks


def _costs(made: Maker) -> Sheet:
    """Return amounts times rates for every scheme, and their sums."""
    evidence = made.evidence
    columns = [Column(tr("Item"), None, 2.4), Column(tr("Rate, CNY"), 2, 1.0)]
    columns += [Column(f"{scheme.name}, CNY", 0, 1.3) for scheme in evidence.schemes]
    rows: list[tuple[Any, ...]] = []
    for criterion, rate in evidence.plan.rates.items():
        _, numbers = evidence.matrix.get(criterion, ("", {}))
        amounts = [numbers.get(scheme.id) for scheme in evidence.schemes]
        parts = [None if amount is None else amount * rate for amount in amounts]
        rows.append((made.title(criterion), rate, *parts))
    totals = [evidence.number("cost", "total", scheme.id) for scheme in evidence.schemes]
    labels = [criterion.rpartition(".")[0] for criterion in evidence.plan.rates]
    known = [label for label in labels if label in dict(evidence.requests)]
    name = made.word("cost.total")
    caption = made.source(known)
    return Sheet(name, tuple(columns), tuple(rows), (tr("Total"), "\u00a0", *totals), caption)


def conflicts(made: Maker, section: Section) -> list[Block]:
    """What gets into each other's way, and how much of it."""
    labels = made.evidence.labels("schemes.conflicts")
    blocks = _criteria_and_figures(made, section, labels)
    for label in labels:
        name = tr("Conflict by conflict")
        blocks += _table(made, section, f"{label}_conflicts", CONFLICTS, name)
    return blocks


def _table(
    made: Maker, section: Section, key: str, columns: Sequence[str], name: str
) -> list[Block]:
    """Return a table of a request under a heading; nothing where the request has none."""
    table = made.evidence.table(key)
    if table is None:
        return []
    source = made.source([key.rpartition("_")[0]])
    return [Heading(name, 2), made.rows(name, table, columns, source, section.rows)]


def _criteria_and_figures(made: Maker, section: Section, labels: Sequence[str]) -> list[Block]:
    """Return the numbers of each request under its title, then its figures scheme by scheme."""
    blocks: list[Block] = []
    for label in labels:
        name = made.heading(label)
        sheets = made.criteria(name, [label], section.values)
        if not sheets:
            sheets = made.criteria(name, [label], ())
        pictures = _figures(made, label)
        if sheets or pictures:
            blocks += [Heading(name, 2), *sheets, *pictures]
    return blocks


def _figures(made: Maker, label: str) -> list[Block]:
    """Return the figures of a request, those of the schemes one after the other."""
    comparison = made.evidence.comparison
    found: dict[str, dict[bytes, list[str]]] = {}
    for scheme in made.evidence.schemes:
        front = f"{scheme.id}_{label}_"
        for key, png in ({} if comparison is None else comparison.figures).items():
            if key.startswith(front):
                same = found.setdefault(key.removeprefix(front), {})
                same.setdefault(png, []).append(scheme.name)
    # One figure for schemes of which it is the same.
    return [
        Picture(png, f"{', '.join(names)}. {made.source([label])}", 0.9)
        for figures in found.values()
        for png, names in figures.items()
    ]


def recommendation(made: Maker, section: Section) -> list[Block]:
    """Scores and weights, and for which weights another scheme would win."""
    evidence, score = made.evidence, made.evidence.score
    blocks: list[Block] = [_recommended(made)]
    if score is None:
        return blocks
    names = {scheme.id: scheme.name for scheme in evidence.schemes}
    columns = (
        Column(tr("Rank"), 0, 0.6), Column(tr("Scheme"), None, 2.0),
        Column(tr("Weighted score"), 3, 1.2), Column(tr("Beaten in everything"), None, 1.4),
    )  # fmt: skip
    rows = tuple(
        (row["rank"], names.get(row["scheme"], row["scheme"]), row["score"],
         tr("no") if row["pareto"] else tr("yes"))
        for row in rows_of(score.tables["scores"])
    )  # fmt: skip
    blocks.append(Sheet(tr("Scores"), columns, rows))
    blocks += [Heading(tr("When another scheme would win"), 2), _turns(made, names)]
    titles = {row["criterion"]: made.title(row["criterion"]) for row in _sensitivity(made)}
    caption = tr("Weights are brought to a sum of 1; the others keep their proportions.")
    blocks.append(Picture(charts.weight_ranges(score.tables["sensitivity"], titles), caption))
    return blocks


def _sensitivity(made: Maker) -> list[dict[str, Any]]:
    assert made.evidence.score is not None
    return rows_of(made.evidence.score.tables["sensitivity"])


def _turns(made: Maker, names: dict[str, str]) -> Sheet:
    columns = (
        Column(tr("Criterion"), None, 2.2), Column(tr("Better"), None, 0.7),
        Column(tr("Weight"), 3, 0.7), Column(tr("Below"), 3, 0.7), Column(tr("then"), None, 1.2),
        Column(tr("Above"), 3, 0.7), Column(tr("then"), None, 1.2),
    )  # fmt: skip
    assert made.evidence.score is not None
    better = made.evidence.score.params.get("better", {})
    rows = tuple(
        (made.title(row["criterion"]),
         tr("less") if better.get(row["criterion"]) == "less" else tr("more"),
         row["weight"], row["lower"], names.get(row["winner_below"], row["winner_below"]) or None,
         row["upper"], names.get(row["winner_above"], row["winner_above"]) or None)
        for row in _sensitivity(made)
    )  # fmt: skip
    labels = [str(row["criterion"]).rpartition(".")[0] for row in _sensitivity(made)]
    known = [label for label in labels if label in dict(made.evidence.requests)]
    return Sheet(tr("Sensitivity"), columns, rows, caption=made.source(known))


def results(made: Maker, section: Section) -> list[Block]:
    """Show requests that no section shows, kept results, and further results."""
    evidence = made.evidence
    rest = [label for label, _ in evidence.requests if label not in evidence.labels(*SHOWN)]
    blocks = _criteria_and_figures(made, section, rest)
    for record in evidence.records:
        analysis = str(record.request.get("analysis", ""))
        facts = [(tr("Analysis"), analysis), (tr("Made"), record.created or UNKNOWN)]
        values = {
            name: Value(v.get("value"), str(v.get("unit", "")), v.get("uncertainty"))
            for name, v in record.values.items()
        }
        sheet = made.values(record.name, values)
        blocks += [Heading(record.name, 2), Facts(tuple(facts)), sheet]
    for heading, result in evidence.results.items():
        blocks += _one_result(made, section, heading, result)
    return blocks


def _one_result(made: Maker, section: Section, heading: str, result: Any) -> list[Block]:
    from plumbline.analysis.registry import registry

    known = result.analysis in registry.ids()
    title = registry.title(result.analysis) if known else heading
    own = title if heading == result.analysis else heading
    blocks: list[Block] = [Heading(f"{own} · {result.analysis} {result.version}", 2)]
    if known:
        blocks.append(Text(tr(registry.get(result.analysis).description), small=True))
    if result.values:
        blocks.append(made.values(own, result.values))
    pictures = tuple(Picture(png, name) for name, png in result.figures.items() if png)
    if pictures:
        blocks.append(Gallery(pictures, min(2, len(pictures))))
    for name, table in result.tables.items():
        if table.rows:
            sheet = made.rows(f"{own} {name}", table, (), made.word(name), section.rows)
            blocks.append(sheet)
    blocks += [Text(f"• {text}", small=True) for text in result.warnings]
    return blocks


def gaps(made: Maker, section: Section) -> list[Block]:
    """List what could not be computed, and what results say is to be considered."""
    evidence = made.evidence
    blocks: list[Block] = [Note(text, "open") for text in evidence.gaps]
    warnings = [] if evidence.comparison is None else evidence.comparison.warnings
    # "scheme, request: text" in the words of the report.
    words = {
        f"{scheme.id}, {label}: ": f"{scheme.name}, {made.heading(label)}: "
        for scheme in evidence.schemes
        for label, _ in evidence.requests
    }
    for text in dict.fromkeys(warnings):
        front = next((known for known in words if text.startswith(known)), "")
        shown = words.get(front, "") + text.removeprefix(front)
        blocks.append(Text(f"• {shown}", small=True))
    return blocks


def annex(made: Maker, section: Section) -> list[Block]:
    """List requests, inputs with their digests, and programs with their versions."""
    evidence = made.evidence
    blocks: list[Block] = []
    runs = made.runs(tr("Requests"))
    if runs is not None:
        blocks += [Heading(tr("Requests"), 2), runs]
    blocks += [Heading(tr("Inputs"), 2), made.inputs(tr("Inputs"))]
    from plumbline.analysis.runner import engine_versions

    engine = ", ".join(f"{name} {version}" for name, version in engine_versions().items())
    facts = [(tr("Programs"), engine)]
    comparison = evidence.comparison
    if comparison is not None:
        facts.insert(0, (tr("Time of the run"), str(comparison.provenance.get("started", ""))))
    return [*blocks, Facts(tuple(facts))]


def contents(made: Maker, section: Section) -> list[Block]:
    """Return the list of headings."""
    return [Contents(spoken(section.title))]


def text(made: Maker, section: Section) -> list[Block]:
    """Return nothing but what the template says."""
    return []


#: What makes the blocks of a kind of section.
KINDS: dict[str, Callable[[Maker, Section], list[Block]]] = {
    "contents": contents,
    "summary": summary,
    "site": site,
    "schemes": schemes,
    "views": views,
    "indicators": indicators,
    "verdicts": verdicts,
    "sunlight": sunlight,
    "sightlines": sightlines,
    "earthwork": earthwork,
    "conflicts": conflicts,
    "recommendation": recommendation,
    "results": results,
    "gaps": gaps,
    "annex": annex,
    "text": text,
}


def section_blocks(made: Maker, section: Section) -> list[Block]:
    """Return the blocks of a section under its heading; none where it has nothing to say."""
    own = KINDS[section.kind](made, section)
    words = spoken(section.text)
    if section.kind == "contents":
        return own
    if not own and section.kind != "text":
        if not section.always:
            return []
        own = [Note(tr("Nothing is known of this."))]
    title = spoken(section.title)
    heading = [Heading(title)] if title else []
    return [*heading, *([Text(words)] if words else []), *own]
