"""Tables of reports: criteria by schemes, rows of results, where numbers come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from plumbline.analysis.result import Table, Value
from plumbline.core.i18n import tr
from plumbline.core.scene import Scheme
from plumbline.services.documents import Cell, Column, Mark, Number, Sheet
from plumbline.services.report.evidence import Evidence, digest, file_name
from plumbline.services.report.template import Template, word

#: Shares that people read in percent.
PERCENT = frozenset({"density", "green_ratio", "frontage_ratio"})
#: Decimals in tables, by unit.
DIGITS = {"m²": 1, "m³": 0, "CNY": 0, "t": 0, "%": 1}
#: Width of columns relative to that of a number.
WEIGHTS = {"blockers": 4.5, "scheme": 1.4, "verdict": 1.0, "storey": 0.8, "id": 1.6, "name": 1.6}
#: Schemes beside each other in a table of A4.
ACROSS = 4
#: Columns of one row's table on paper.
COLUMNS = 9
_TONES = {"pass": "good", "fail": "bad", "unknown": "open"}
_LIMITS = {"max": "≤", "min": "≥"}


@dataclass(frozen=True)
class Maker:
    """Makes tables in the words of a template; what it says of a number comes from the evidence."""

    evidence: Evidence
    template: Template

    def word(self, name: str) -> str:
        """Return what a value or a column is called."""
        return word(self.template, name)

    def title(self, criterion: str, labels: Sequence[str] = ()) -> str:
        """Return what a criterion is called.

        With its request where two requests have the same value: any of the comparison, or of
        `labels`.
        """
        label, _, value = criterion.rpartition(".")
        known = self.word(criterion)
        if known != criterion.replace("_", " "):
            return known
        among = labels or [one for one, _ in self.evidence.requests]
        same = [one for one in among if f"{one}.{value}" in self.evidence.matrix]
        shown = self.word(value)
        return shown if len(same) < 2 else f"{shown} ({self.heading(label)})"

    def heading(self, label: str) -> str:
        """Return what a request is called: its own name, else the title of its analysis."""
        from plumbline.analysis.registry import registry

        analysis = dict(self.evidence.requests).get(label, "")
        if label != analysis.rpartition(".")[2] or analysis not in registry.ids():
            return self.word(label)
        return registry.title(analysis)

    def source(self, labels: Iterable[str]) -> str:
        """Return the references of requests as they stand in the annex."""
        order = [label for label, _ in self.evidence.requests]
        marks = [f"[{order.index(label) + 1}]" for label in dict.fromkeys(labels)]
        return tr("Source: {marks}", marks=" ".join(marks)) if marks else ""

    # -- criteria by schemes -------------------------------------------------------------------

    def criteria(self, name: str, labels: Sequence[str], values: Sequence[str]) -> list[Sheet]:
        """Return the numbers of requests by scheme, a table for every few schemes.

        Parameters
        ----------
        values : sequence of str
            Names of values in order; all where empty.
        """
        wanted = self._criteria(labels, values)
        schemes = self.evidence.schemes
        present, limits = self._present(labels), self._limits(labels)
        sheets = []
        for first in range(0, len(schemes), ACROSS):
            some = schemes[first : first + ACROSS]
            rows = tuple(
                self._row(criterion, labels, some, (present, limits)) for criterion in wanted
            )
            columns = [Column(tr("Indicator"), None, 2.4), Column(tr("Unit"), None, 0.7)]
            if present:
                columns.append(Column(tr("Present state"), 2, 1.2))
            for scheme in some:
                columns.append(Column(scheme.name, 2, 1.3))
                if limits:
                    columns.append(Column(tr("Limit value"), None, 1.0))
            part = f" {first // ACROSS + 1}" if len(schemes) > ACROSS else ""
            if rows:
                caption = self.source(labels)
                sheets.append(Sheet(f"{name}{part}", tuple(columns), rows, caption=caption))
        return sheets

    def _criteria(self, labels: Sequence[str], values: Sequence[str]) -> list[str]:
        """Return criteria in the order of `values`, or in that of the requests."""
        known = self.evidence.matrix
        if not values:
            return [name for name in known if name.rpartition(".")[0] in labels]
        wanted = [f"{label}.{value}" for value in values for label in labels]
        return [name for name in wanted if name in known]

    def _row(
        self,
        criterion: str,
        labels: Sequence[str],
        schemes: Sequence[Scheme],
        beside: tuple[Mapping[str, float], Mapping[tuple[str, str], Cell]],
    ) -> tuple[Cell, ...]:
        present, limits = beside
        unit, numbers = self.evidence.matrix[criterion]
        value = criterion.rpartition(".")[2]
        factor = 100.0 if value in PERCENT else 1.0
        unit = "%" if value in PERCENT else unit
        cells: list[Cell] = [self.title(criterion, labels), unit or "\u00a0"]
        if present:
            before = present.get(value)
            cells.append(None if before is None else tidy(before * factor, unit))
        for scheme in schemes:
            number = numbers.get(scheme.id)
            cells.append(None if number is None else tidy(number * factor, unit))
            if limits:
                cells.append(limits.get((scheme.id, value), "\u00a0"))
        return tuple(cells)

    def _limits(self, labels: Sequence[str]) -> dict[tuple[str, str], Cell]:
        """Return the limit of an indicator by scheme, coloured by whether it is kept."""
        found: dict[tuple[str, str], Cell] = {}
        for label in labels:
            for row in self.evidence.rows(f"{label}_rules"):
                sign = _LIMITS.get(row["side"], "")
                text = f"{sign} {float(row['limit']):g}"
                found[row["scheme"], row["indicator"]] = Mark(text, _TONES[row["verdict"]])  # type: ignore[arg-type]
        return found

    def _present(self, labels: Sequence[str]) -> dict[str, float]:
        """Return the present state by indicator, where the requests tell it."""
        found: dict[str, float] = {}
        for label in labels:
            for row in self.evidence.rows(f"{label}_before_after"):
                if row["before"] is not None:
                    found.setdefault(row["indicator"], float(row["before"]))
        return found

    # -- verdicts ------------------------------------------------------------------------------

    def verdicts(self, name: str) -> list[Sheet]:
        """Return every limit with its clause, verdict, margin and state of verification."""
        columns = (
            Column(tr("Scheme"), None, 1.5), Column(tr("Rule"), None, 2.0),
            Column(tr("Value"), 2, 0.9), Column(tr("Limit value"), None, 0.8),
            Column(tr("Verdict"), None, 0.9), Column(tr("Margin"), 2, 0.9),
            Column(tr("Clause"), None, 0.8), Column(tr("Where it comes from"), None, 2.6),
            Column(tr("Verification"), None, 1.3),
        )  # fmt: skip
        names = {scheme.id: scheme.name for scheme in self.evidence.schemes}
        labels = self.evidence.labels("schemes.check")
        rows = []
        for label in labels:
            for row in self.evidence.rows(f"{label}_rules"):
                verdict = Mark(self.word(f"verdict_{row['verdict']}"), _TONES[row["verdict"]])  # type: ignore[arg-type]
                checked = tr("compared") if row["verified"] else tr("not compared")
                rows.append(
                    (
                        names.get(row["scheme"], row["scheme"]), self.word(row["rule"]),
                        row["value"], f"{_LIMITS.get(row['side'], '')} {float(row['limit']):g}",
                        verdict, row["margin"], row["clause"] or "\u00a0", row["source"],
                        Mark(checked, "plain" if row["verified"] else "open"),
                    )
                )  # fmt: skip
        return [Sheet(name, columns, tuple(rows), caption=self.source(labels))] if rows else []

    # -- results -------------------------------------------------------------------------------

    def rows(
        self, name: str, table: Table, columns: Sequence[str] = (), caption: str = "", most: int = 0
    ) -> Sheet:
        """Return a table of a result, or some of its columns."""
        chosen = [c for c in columns if c in table.columns] or table.columns[:COLUMNS]
        names = {scheme.id: scheme.name for scheme in self.evidence.schemes}
        heads, digits = [], []
        for column in chosen:
            unit = table.units.get(column, "")
            cells = [row[table.columns.index(column)] for row in table.rows]
            number = any(isinstance(c, int | float) and not isinstance(c, bool) for c in cells)
            whole = all(float(c).is_integer() for c in cells if isinstance(c, int | float))
            places = 0 if whole and not unit else DIGITS.get(unit, 2)
            digits.append(places if number else None)
            heads.append(f"{self.word(column)}, {unit}" if unit else self.word(column))
        rows = tuple(
            tuple(self._cell(row, table, column, names) for column in chosen) for row in table.rows
        )
        weights = [
            WEIGHTS.get(column, 1.0 if places is not None else 1.3)
            for column, places in zip(chosen, digits, strict=True)
        ]
        heading = tuple(Column(*parts) for parts in zip(heads, digits, weights, strict=True))
        return Sheet(name, heading, rows, caption=caption, most=most)

    def _cell(
        self, row: Sequence[Any], table: Table, column: str, names: Mapping[str, str]
    ) -> Cell:
        cell = row[table.columns.index(column)]
        if column == "id" and "scheme" in table.columns:
            scheme = str(row[table.columns.index("scheme")])
            return self._buildings.get((scheme, str(cell)), str(cell))
        if column == "scheme":
            return names.get(str(cell), str(cell)) or tr("present state")
        if column == "verdict" and cell in _TONES:
            return Mark(self.word(f"verdict_{cell}"), _TONES[cell])  # type: ignore[arg-type]
        if column in ("kind", "by"):
            return self.word(str(cell))
        if cell is None or isinstance(cell, bool) or not isinstance(cell, int | float):
            return None if cell is None else str(cell)
        return float(cell)

    @cached_property
    def _buildings(self) -> dict[tuple[str, str], str]:
        """Names of the buildings of schemes, since ids of models say nothing to people."""
        found = {}
        for label in self.evidence.labels("schemes."):
            for row in self.evidence.rows(f"{label}_buildings"):
                if row.get("name"):
                    found[row["scheme"], row["id"]] = str(row["name"])
        return found

    def values(self, name: str, values: Mapping[str, Value]) -> Sheet:
        """Return the values of one result with their uncertainty."""
        columns = (
            Column(tr("Value"), None, 2.2), Column(tr("Number"), 3, 1.2),
            Column(tr("Unit"), None, 0.6), Column(tr("Uncertainty"), 3, 1.0),
        )  # fmt: skip
        rows = []
        for key, value in values.items():
            number: Cell
            if isinstance(value.value, bool | str):
                number = str(value.value)
            else:
                number = None if value.value is None else tidy(float(value.value), value.unit)
            spread = tr("unknown") if value.uncertainty is None else value.uncertainty
            rows.append((key, number, value.unit or "\u00a0", spread))
        return Sheet(name, columns, tuple(rows))

    # -- provenance ----------------------------------------------------------------------------

    def runs(self, name: str) -> Sheet | None:
        """Return the requests of the comparison: what was asked, by what, with what digest."""
        comparison = self.evidence.comparison
        if comparison is None:
            return None
        asked = {
            str(one.get("name") or one["analysis"].rpartition(".")[2]): one
            for one in comparison.params["requests"]
        }
        rows = []
        for n, (label, analysis) in enumerate(self.evidence.requests, 1):
            own = [run for run in comparison.provenance["runs"] if run["request"] == label]
            version = next((run["version"] for run in own if run["version"]), "")
            pack = next((run["rule_pack"] for run in own if run["rule_pack"]), None)
            params = json.dumps(asked[label].get("params", {}), ensure_ascii=False, sort_keys=True)
            pack_text = f"{pack['id']} {pack['version']}" if pack else "\u00a0"
            rows.append(
                (f"[{n}]", f"{analysis} {version}", _short(params), pack_text,
                 digest(self.evidence, label)[:16])
            )  # fmt: skip
        columns = (
            Column(tr("No."), None, 0.5), Column(tr("Analysis"), None, 1.7),
            Column(tr("Parameters"), None, 4.2), Column(tr("Rule pack"), None, 1.5),
            Column(tr("Digest of the numbers"), None, 1.5),
        )  # fmt: skip
        return Sheet(name, columns, tuple(rows))

    def inputs(self, name: str) -> Sheet:
        """Return the files that numbers were computed from, with their digests."""
        found: dict[tuple[str, str], tuple[Cell, ...]] = {}
        results = [self.evidence.comparison, *self.evidence.results.values()]
        origins = [result.provenance for result in results if result is not None]
        origins += [record.provenance for record in self.evidence.records]
        for provenance in origins:
            for row in provenance.get("inputs", ()):
                sha = str(row.get("sha256") or row.get("fingerprint") or "")
                layer = str(row.get("sublayer") or row.get("id") or "")
                found[layer, sha] = (str(row["id"]), file_name(row.get("path")), sha or None)
        columns = (
            Column(tr("Layer"), None, 1.2), Column(tr("File"), None, 1.8),
            Column("SHA-256", None, 4.8),
        )  # fmt: skip
        return Sheet(name, columns, tuple(sorted(found.values(), key=lambda row: str(row[0]))))


def tidy(number: float, unit: str) -> Number:
    """Return a number with the decimals that a committee reads of its unit; counts have none."""
    if not unit and float(number).is_integer():
        return Number(number, 0)
    return Number(number, DIGITS.get(unit, 2))


def _short(text: str, most: int = 420) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
