"""What a report rests on: the comparison of the schemes, the score, further results, pictures.

Everything is computed here and nothing in the sections, so that each number of a report belongs to
a request that can be run again. What cannot be computed is a gap with its reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline.analysis import runner
from plumbline.analysis.result import Result, Table
from plumbline.analysis.store import plain, table_csv
from plumbline.core.errors import CancelledError, UsageError, UserError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.report_plan import ReportPlan
from plumbline.core.scene import Record, Scene, Scheme, Viewpoint

COMPARE, SCORE, INDICATORS = "schemes.compare", "schemes.score", "schemes.indicators"
#: Viewpoints that are drawn where the plan names none.
VIEWPOINTS = 4

#: Draws (scheme, viewpoint) one after the other; an empty scheme is the present state.
Draw = Callable[[Sequence[tuple[str, Viewpoint]]], Iterator[bytes]]


@dataclass
class Evidence:
    """What a report is made of.

    Attributes
    ----------
    pictures : dict
        PNG or JPEG by (id of the scheme, name of the viewpoint).
    gaps : list of str
        What is missing and why, in sentences.
    results : dict
        Further results by their heading.
    """

    scene: Scene
    plan: ReportPlan
    schemes: tuple[Scheme, ...]
    viewpoints: tuple[Viewpoint, ...] = ()
    comparison: Result | None = None
    score: Result | None = None
    pictures: dict[tuple[str, str], bytes] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    gaps: list[str] = field(default_factory=list)
    source: str = ""

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Name and analysis of every request of the comparison, in order."""
        asked = [] if self.comparison is None else self.comparison.params["requests"]
        return [
            (str(one.get("name") or one["analysis"].rpartition(".")[2]), str(one["analysis"]))
            for one in asked
        ]

    def labels(self, *analyses: str) -> list[str]:
        """Return the names of the requests to analyses; ``x.`` stands for all that begin so."""
        return [
            label
            for label, analysis in self.requests
            if any(a == analysis or (a[-1:] == "." and analysis.startswith(a)) for a in analyses)
        ]

    def number(self, label: str, value: str, scheme: str) -> float | None:
        """Return a number of the matrix; None where it is unknown or was not asked."""
        row = self.matrix.get(f"{label}.{value}" if label else value)
        return None if row is None else row[1].get(scheme)

    @property
    def matrix(self) -> dict[str, tuple[str, dict[str, float | None]]]:
        """Criterion -> its unit and its numbers by scheme."""
        if self.comparison is None:
            return {}
        table = self.comparison.tables["matrix"]
        names = table.columns[3:]
        return {
            str(row[0]): (str(row[1]), dict(zip(names, row[3:], strict=True))) for row in table.rows
        }

    def table(self, name: str) -> Table | None:
        """Return a table of the comparison, None where there is none or it has no rows."""
        found = None if self.comparison is None else self.comparison.tables.get(name)
        return found if found is not None and found.rows else None

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table of the comparison."""
        table = self.table(name)
        return [] if table is None else rows_of(table)


def rows_of(table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts by column."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def chosen_schemes(scene: Scene, plan: ReportPlan) -> tuple[Scheme, ...]:
    """Return the schemes that are compared: those of the plan in its order, else all.

    Raises
    ------
    UsageError
        If the plan names one that is not there.
    """
    known = {scheme.id: scheme for scheme in scene.schemes}
    unknown = next((name for name in plan.schemes if name not in known), None)
    if unknown is not None:
        raise UsageError(
            tr("There is no scheme “{id}”; the schemes are: {ids}.",
               id=unknown[:80], ids=", ".join(known) or "–"),
        )  # fmt: skip
    return tuple(known[name] for name in plan.schemes) if plan.schemes else scene.schemes


def comparison_request(schemes: Sequence[Scheme], plan: ReportPlan) -> dict[str, Any]:
    """Return the parameters of the comparison that a plan asks for."""
    return {
        "schemes": [scheme.id for scheme in schemes],
        "requests": [dict(request) for request in plan.requests] or [{"analysis": INDICATORS}],
        "reference": plan.reference,
        "rates": dict(plan.rates),
        "weights": dict(plan.weights),
        "better": dict(plan.better),
    }


def needed(scene: Scene, plan: ReportPlan) -> set[str]:
    """Return the layers that a plan reads, of a project whose data need not be loaded yet."""
    schemes = chosen_schemes(scene, plan)
    found = {layer for scheme in schemes for layer in scheme.layers}
    found |= {ref.layer for scheme in schemes for ref in scheme.hidden}
    asked = [(one["analysis"], one.get("params", {})) for one in plan.results if "analysis" in one]
    if schemes:
        asked.append((COMPARE, comparison_request(schemes, plan)))
    for analysis, params in asked:
        try:
            found |= set(runner.needed_layers(analysis, params, scene))
        except UserError:
            continue  # told as a gap when it runs
    return found


def gather(
    scene: Scene,
    plan: ReportPlan,
    feedback: Feedback | None = None,
    *,
    draw: Draw | None = None,
    results: Mapping[str, Result] | None = None,
    gaps: Sequence[str] = (),
    source: str = "",
) -> Evidence:
    """Run what a plan asks for and return all that its report is made of.

    Parameters
    ----------
    draw : callable, optional
        Draws viewpoints; without one the report has no pictures, and says so.
    results : mapping of str to Result, optional
        Results that are there already and are shown too, by their heading.
    gaps : sequence of str
        What is missing of them, in sentences.
    source : str
        Name of the project file.

    Raises
    ------
    UsageError
        If the plan names schemes or viewpoints that are not there.
    CancelledError
        If someone cancelled.
    """
    feedback = feedback or Feedback()
    evidence = Evidence(
        scene,
        plan,
        chosen_schemes(scene, plan),
        _viewpoints(scene, plan),
        records=tuple(record for record in scene.records if record.id in plan.records),
        results=dict(results or {}),
        gaps=list(gaps),
        source=source,
    )
    lost = set(plan.records) - {record.id for record in evidence.records}
    evidence.gaps += [
        tr("The result “{id}” is no longer in the project.", id=i) for i in sorted(lost)
    ]
    _compare(evidence, feedback.part(0, 0.6))
    _further(evidence, feedback.part(0.6, 0.8))
    _draw(evidence, draw, feedback.part(0.8, 1))
    return evidence


def _compare(evidence: Evidence, feedback: Feedback) -> None:
    plan, schemes = evidence.plan, evidence.schemes
    if not schemes:
        evidence.gaps.append(tr("The project has no schemes: nothing is compared."))
        return
    try:
        prepared = runner.begin(COMPARE, evidence.scene, comparison_request(schemes, plan))
        evidence.comparison = prepared.compute(feedback)
    except CancelledError:
        raise
    except UserError as error:
        evidence.gaps.append(f"{tr('The schemes are not compared.')} {sentence(error)}")
        return
    evidence.gaps += [
        f"{row['scheme'] or tr('present state')}, {row['request']}: {row['why']}"
        for row in evidence.rows("gaps")
    ]
    if not plan.weights:
        return
    try:
        request = json.loads(evidence.comparison.documents["score.json"])
        missing = sorted(set(plan.weights) - set(request["weights"]))
        if missing:
            names = ", ".join(missing)
            evidence.gaps.append(
                tr("Weighted, but not known of the schemes: {names}.", names=names)
            )
            return
        evidence.score = runner.run(SCORE, evidence.scene, request, feedback)
    except UserError as error:
        evidence.gaps.append(f"{tr('The schemes are not scored.')} {sentence(error)}")


def _further(evidence: Evidence, feedback: Feedback) -> None:
    """Run the further requests of the plan; one that is refused is a gap."""
    for n, request in enumerate(evidence.plan.results, 1):
        name = str(request.get("analysis", ""))
        heading = str(request.get("title") or name)
        while heading in evidence.results:
            heading = f"{heading} ({n})"
        try:
            evidence.results[heading] = runner.run(
                name, evidence.scene, request.get("params", {}), feedback,
                scheme=str(request.get("scheme", "")),
            )  # fmt: skip
        except CancelledError:
            raise
        except UserError as error:
            evidence.gaps.append(f"{heading}: {sentence(error)}")


def sentence(error: UserError) -> str:
    """Return why in one sentence; of parameters that do not fit, what is wrong with them."""
    problems = getattr(error, "problems", ())
    return " ".join(problem.message for problem in problems) or error.message


def _viewpoints(scene: Scene, plan: ReportPlan) -> tuple[Viewpoint, ...]:
    known = {viewpoint.name: viewpoint for viewpoint in scene.viewpoints}
    unknown = next((name for name in plan.viewpoints if name not in known), None)
    if unknown is not None:
        raise UsageError(
            tr("There is no view “{name}”.", name=unknown[:80]),
            tr("The views are: {names}.", names=", ".join(known) or "–"),
        )
    if plan.viewpoints:
        return tuple(known[name] for name in plan.viewpoints)
    return tuple(scene.viewpoints[:VIEWPOINTS])


def _draw(evidence: Evidence, draw: Draw | None, feedback: Feedback) -> None:
    """Draw every viewpoint for the present state and for every scheme."""
    states = ["", *(scheme.id for scheme in evidence.schemes)]
    shots = [(state, viewpoint) for state in states for viewpoint in evidence.viewpoints]
    if draw is None or not shots:
        return
    try:
        for n, ((state, viewpoint), picture) in enumerate(zip(shots, draw(shots), strict=True)):
            evidence.pictures[state, viewpoint.name] = picture
            feedback.step(n, len(shots), tr("Drawing “{name}”", name=viewpoint.name))
    except CancelledError:
        raise
    except UserError as error:
        evidence.gaps.append(f"{tr('There are no pictures.')} {error}")


def digest(evidence: Evidence, label: str) -> str:
    """Return the SHA-256 of the numbers of a request of all schemes: its criteria and tables."""
    assert evidence.comparison is not None
    own = f"{label}."
    criteria = {name: row for name, row in evidence.matrix.items() if name.startswith(own)}
    sha = hashlib.sha256(json.dumps(plain(criteria), sort_keys=True, ensure_ascii=False).encode())
    for name, table in sorted(evidence.comparison.tables.items()):
        if name.startswith(f"{label}_"):
            sha.update(name.encode() + table_csv(table).encode())
    return sha.hexdigest()


def file_name(path: str | None) -> str:
    """Return the name of a file without its folder: a report tells no machine's paths."""
    return Path(path).name if path else ""
