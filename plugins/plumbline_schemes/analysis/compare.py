"""`schemes.compare`: the same requests for every scheme, gathered in one matrix.

Every request runs under every scheme with the same parameters; what stands for the scheme in them
is put in. Results are kept by content, so that a second run computes only what a
changed scheme has changed. What an analysis refuses for a scheme is a gap with its reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from plumbline.api import (
    N_,
    Analysis,
    Feedback,
    Layer,
    Params,
    Prepared,
    Problem,
    Result,
    Scene,
    Scheme,
    Table,
    UserError,
    Value,
    begin,
    compute_once,
    needed_layers,
    registry,
    tr,
)
from plumbline_schemes.analysis.criteria import CHANGES, better_of

#: What stands for the scheme in the parameters of a request.
SCHEME, LAYERS, HIDDEN = "@scheme", "@layers", "@hidden"
#: Rows that all schemes together may have in a table.
MAX_ROWS = 200_000


class Asked(BaseModel):
    """A request that every scheme answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    analysis: str = Field(max_length=100)
    params: dict[str, Any] = {}
    name: str = Field("", max_length=60, pattern=r"^[\w-]*$")
    under: Literal["scheme", "baseline"] = "scheme"

    @property
    def label(self) -> str:
        """What its rows of the matrix begin with."""
        return self.name or self.analysis.rpartition(".")[2]


class CompareParams(Params):
    """What `schemes.compare` can be asked."""

    schemes: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            max_length=100,
            title=N_("Schemes"),
            description=N_("Ids of the schemes that are compared."),
        ),
    ]
    requests: Annotated[
        tuple[Asked, ...],
        Field(
            min_length=1,
            max_length=50,
            title=N_("Requests"),
            description=N_(
                "List of {analysis, params, name, under}. In params, @scheme is the scheme, "
                "@layers in a list the layers that it adds, @hidden or @hidden:LAYER what it "
                "removes; layers of other schemes are left out of lists. under: scheme, or "
                "baseline."
            ),
            json_schema_extra={"widget": "json"},
        ),
    ]
    reference: Annotated[
        str,
        Field(
            title=N_("Reference"),
            description=N_(
                "Scheme that newly failing windows, hours lost, broken corridors and the skyline "
                "are counted against; empty for the present state."
            ),
        ),
    ] = ""
    rates: Annotated[
        dict[str, float],
        Field(
            title=N_("Rates"),
            description=N_(
                "CNY for a unit of a criterion, by criterion; they add up to cost.total."
            ),
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    weights: Annotated[
        dict[str, Annotated[float, Field(ge=0)]],
        Field(
            title=N_("Weights"),
            description=N_("Weight of criteria in the request that is made for schemes.score."),
        ),
    ] = {}  # noqa: RUF012
    better: Annotated[
        dict[str, Literal["more", "less"]],
        Field(
            title=N_("Better"),
            description=N_("Criteria of which more or less is better, where that is not known."),
        ),
    ] = {}  # noqa: RUF012


@dataclass(frozen=True)
class Run:
    """A request under one scheme: ready to be computed, or why it cannot be."""

    scheme: str
    request: Asked
    prepared: Prepared | None
    why: str = ""


@dataclass(frozen=True)
class Given:
    """Snapshot: all requests under all schemes, and those under the reference."""

    runs: tuple[Run, ...]
    reference: tuple[Run, ...]
    layers: dict[str, Layer]


class Compare(Analysis[CompareParams]):
    """One matrix of criteria by schemes from the same requests with the same parameters.

    Criteria are called ``<name of the request>.<value>``. Every number that a request gives is one;
    windows, corridors and skylines are also held against the reference. Tables of the requests are
    joined, with the scheme in front.
    """

    id = "schemes.compare"
    version = "1"
    title = N_("Compare schemes")
    description = N_(
        "The same requests for every scheme in one matrix: indicators, checks, newly failing "
        "windows, hours lost, broken corridors, skyline, earthwork, demolition and cost; kept by "
        "content, and ready for schemes.score."
    )
    Params = CompareParams

    def layers(self, params: CompareParams) -> list[str]:
        found: list[str] = []
        for request in params.requests:
            try:
                found += needed_layers(request.analysis, _of_no_scheme(request))
            except UserError:
                continue  # `check` tells it
        return [one for one in dict.fromkeys(found) if not one.startswith("@")]

    def schemes(self, params: CompareParams) -> list[str]:
        return [*params.schemes, *([params.reference] if params.reference else [])]

    def check(self, scene: Scene, params: CompareParams) -> list[Problem]:
        problems = []
        known = [scheme.id for scheme in scene.schemes]
        for field, names in (("schemes", params.schemes), ("reference", self.schemes(params))):
            unknown = next((name for name in names if name not in known), None)
            if unknown is not None:
                text = tr(
                    "There is no scheme “{id}”; the schemes are: {ids}.",
                    id=unknown[:80],
                    ids=", ".join(known) or "–",
                )
                problems.append(Problem(field, text))
                break
        if len(set(params.schemes)) < len(params.schemes):
            problems.append(Problem("schemes", tr("A scheme is named twice.")))
        labels = [request.label for request in params.requests]
        if len(set(labels)) < len(labels):
            problems.append(
                Problem("requests", tr("Give requests of one analysis different names."))
            )
        for request in params.requests:
            if request.analysis == self.id:
                text = tr("A comparison cannot be asked within a comparison.")
                problems.append(Problem("requests", text))
                continue
            try:
                needed_layers(request.analysis, _of_no_scheme(request))
            except UserError as error:
                problems.append(Problem("requests", f"{request.label}: {error}"))
        return problems

    def prepare(self, scene: Scene, params: CompareParams) -> Given:
        schemes = {scheme.id: scheme for scheme in scene.schemes}
        runs = [
            _begun(scene, request, schemes[name])
            for name in params.schemes
            for request in params.requests
        ]
        against = [
            _begun(scene, request, schemes.get(params.reference))
            for request in params.requests
            if request.analysis in CHANGES
        ]
        read = {i for run in (*runs, *against) if run.prepared for i in run.prepared.sources}
        return Given(tuple(runs), tuple(against), {name: scene[name] for name in read})

    def compute(self, inputs: Given, params: CompareParams, feedback: Feedback) -> Result:
        log: list[dict[str, Any]] = []
        answers, gaps = _answers((*inputs.reference, *inputs.runs), inputs.layers, feedback, log)
        reference = answers[: len(inputs.reference)]
        of_schemes = answers[len(inputs.reference) :]
        before = {
            run.request.label: one for run, one in zip(inputs.reference, reference, strict=True)
        }
        matrix = _Matrix(params.schemes)
        result = Result(headline="criteria")
        for run, one in zip(inputs.runs, of_schemes, strict=True):
            if one is None:
                continue
            label = run.request.label
            matrix.add_result(run.scheme, label, run.request.analysis, one)
            change = CHANGES.get(run.request.analysis)
            was = before.get(label)
            if change is not None and was is not None:
                matrix.add_values(run.scheme, label, run.request.analysis, change(was, one))
            result.figures |= {
                f"{run.scheme}_{label}_{name}": png for name, png in one.figures.items() if png
            }
            result.warnings += [f"{run.scheme}, {label}: {text}" for text in one.warnings]
        matrix.add_costs(params.rates)
        result.tables = {
            "matrix": matrix.table(params.better),
            "gaps": Table(("scheme", "request", "analysis", "why"), tuple(gaps)),
            **_joined(inputs.runs, of_schemes),
        }
        result.values = {
            "schemes": Value(len(params.schemes)),
            "requests": Value(len(params.requests)),
            "criteria": Value(len(matrix.rows)),
            "gaps": Value(len(gaps)),
        }
        score, left_out = score_request(result.tables["matrix"], params.weights)
        if left_out and params.weights:
            names = ", ".join(left_out)
            result.warnings.append(
                tr("Not to be scored, for want of values: {names}.", names=names)
            )
        result.documents = {"score.json": _json(score)}
        result.provenance = {"runs": log}
        return result


# -- requests under schemes ------------------------------------------------------------------


def _begun(scene: Scene, request: Asked, scheme: Scheme | None) -> Run:
    """Return a request under a scheme, ready to be computed; under the present state for None."""
    name = "" if scheme is None else scheme.id
    others = {i for s in scene.schemes if s.id != name for i in s.layers}
    others -= set(() if scheme is None else scheme.layers)
    try:
        params = _for_scheme(request, scheme, others)
        under = name if request.under == "scheme" else ""
        return Run(name, request, begin(request.analysis, scene, params, under))
    except UserError as error:
        return Run(name, request, None, _sentence(error))


def _sentence(error: UserError) -> str:
    """Return why in one sentence; of parameters that do not fit, what is wrong with them."""
    problems = getattr(error, "problems", ())
    return " ".join(problem.message for problem in problems) or error.message


def _of_no_scheme(request: Asked) -> dict[str, Any]:
    """Return parameters as they are checked before any scheme is put in."""
    params = {k: _checked(v) for k, v in request.params.items()}
    return {**params, "scheme": SCHEME} if _takes_scheme(request) else params


def _takes_scheme(request: Asked) -> bool:
    """Tell whether the scheme is a parameter of the analysis that the request leaves open."""
    fields = registry.get(request.analysis).Params.model_fields
    return "scheme" in fields and not {"scheme", "buildings"} & set(request.params)


def _checked(value: Any) -> Any:
    """Return a parameter with a layer of that name where the removed entities would stand."""
    if isinstance(value, list | tuple):
        return [_checked(one) for one in value]
    if isinstance(value, Mapping):
        return {k: _checked(v) for k, v in value.items()}
    return HIDDEN if isinstance(value, str) and value.startswith(HIDDEN) else value


def _for_scheme(request: Asked, scheme: Scheme | None, others: set[str]) -> dict[str, Any]:
    """Return the parameters of a request with a scheme put in."""
    params = {k: _put_in(v, scheme, others) for k, v in request.params.items()}
    if scheme is not None and _takes_scheme(request):
        params["scheme"] = scheme.id
    return params


def _put_in(value: Any, scheme: Scheme | None, others: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {k: _put_in(v, scheme, others) for k, v in value.items()}
    if not isinstance(value, list | tuple):
        return ("" if scheme is None else scheme.id) if value == SCHEME else value
    found: list[Any] = []
    for one in value:
        if one == LAYERS:
            found += [] if scheme is None else scheme.layers
        elif isinstance(one, str) and one.partition(":")[0] == HIDDEN:
            found += _removed(scheme, one.partition(":")[2])
        elif not _names_one(one, others):
            found.append(_put_in(one, scheme, others))
    return found


def _names_one(value: Any, layers: set[str]) -> bool:
    """Tell whether an item of a list is one of some layers, or entities of one."""
    name = value.get("layer") if isinstance(value, Mapping) else value
    return isinstance(name, str) and name in layers


def _removed(scheme: Scheme | None, layer: str) -> list[dict[str, Any]]:
    """Return the entities that a scheme removes, by layer; of one layer where that is named."""
    found: dict[str, list[str]] = {}
    for ref in () if scheme is None else scheme.hidden:
        if layer in ("", ref.layer):
            found.setdefault(ref.layer, []).append(ref.entity)
    return [{"layer": name, "entities": entities} for name, entities in found.items()]


def _answers(
    runs: tuple[Run, ...],
    layers: Mapping[str, Layer],
    feedback: Feedback,
    log: list[dict[str, Any]],
) -> tuple[list[Result | None], list[tuple[str, str, str, str]]]:
    """Compute what is not kept; return the results and the gaps, in the order of the runs."""
    found: list[Result | None] = []
    gaps = []
    digests: dict[str, str] = {}
    for n, run in enumerate(runs):
        text = f"{run.scheme or tr('present state')}: {run.request.label}"
        feedback.step(n, len(runs), text)
        why, result, kept = run.why, None, False
        if run.prepared is not None:
            try:
                part = feedback.part(n / len(runs), (n + 1) / len(runs))
                result, kept = compute_once(run.prepared, layers, part, digests)
            except UserError as error:
                why = _sentence(error)
        if why:
            gaps.append((run.scheme, run.request.label, run.request.analysis, why))
        log.append(
            {
                "scheme": run.scheme,
                "request": run.request.label,
                "analysis": run.request.analysis,
                "version": "" if run.prepared is None else run.prepared.request.version,
                "kept": kept,
                "rule_pack": None if result is None else result.provenance.get("rule_pack"),
            }
        )
        found.append(result)
    return found, gaps


# -- the matrix ------------------------------------------------------------------------------


class _Matrix:
    """Numbers by criterion and scheme, in the order in which requests give them."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes
        self.rows: dict[str, dict[str, float | None]] = {}
        self.units: dict[str, str] = {}
        self.known: dict[str, str] = {}

    def add_result(self, scheme: str, label: str, analysis: str, result: Result) -> None:
        """Add every value of a result that is a number, or unknown."""
        numbers = {
            name: value
            for name, value in result.values.items()
            if value.value is None or isinstance(value.value, bool | int | float)
        }
        self.add_values(scheme, label, analysis, numbers)

    def add_values(
        self, scheme: str, label: str, analysis: str, values: Mapping[str, Value]
    ) -> None:
        """Add values of a scheme under ``<label>.<name>``."""
        for name, value in values.items():
            criterion = f"{label}.{name}"
            row = self.rows.setdefault(criterion, dict.fromkeys(self.schemes))
            assert not isinstance(value.value, str)
            row[scheme] = None if value.value is None else float(value.value)
            self.units[criterion] = value.unit
            self.known[criterion] = better_of(analysis, name)

    def add_costs(self, rates: Mapping[str, float]) -> None:
        """Add ``cost.total``: every criterion that has a rate times it; unknown where one is."""
        if not rates:
            return
        total: dict[str, float | None] = {}
        for scheme in self.schemes:
            amounts = [(self.rows.get(name, {}).get(scheme), rate) for name, rate in rates.items()]
            known = [amount * rate for amount, rate in amounts if amount is not None]
            total[scheme] = math.fsum(known) if len(known) == len(amounts) else None
        self.rows["cost.total"] = total
        self.units["cost.total"], self.known["cost.total"] = "CNY", "less"

    def table(self, better: Mapping[str, str]) -> Table:
        """Return the matrix; `better` overrules what is known of a criterion."""
        rows = tuple(
            (name, self.units[name], better.get(name, self.known[name]), *row.values())
            for name, row in self.rows.items()
        )
        return Table(("criterion", "unit", "better", *self.schemes), rows)


def _joined(runs: tuple[Run, ...], results: list[Result | None]) -> dict[str, Table]:
    """Return the tables of all schemes joined, the scheme in front; those too long are left out."""
    columns: dict[str, tuple[str, ...]] = {}
    rows: dict[str, list[tuple[Any, ...]]] = {}
    units: dict[str, dict[str, str]] = {}
    for run, result in zip(runs, results, strict=True):
        for name, table in (result.tables if result is not None else {}).items():
            key = f"{run.request.label}_{name}"
            # Where a table says the scheme itself, it needs no second column of that name.
            alone = "scheme" in table.columns
            heads = table.columns if alone else ("scheme", *table.columns)
            if columns.setdefault(key, heads) == heads:
                front = () if alone else (run.scheme,)
                rows.setdefault(key, []).extend((*front, *row) for row in table.rows)
                units[key] = table.units
    return {
        key: Table(columns[key], tuple(rows[key]), units[key])
        for key in columns
        if len(rows[key]) <= MAX_ROWS
    }


def score_request(
    matrix: Table, weights: Mapping[str, float]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parameters of `schemes.score` for a matrix, and the schemes that lack a value.

    Without weights, every criterion counts the same of which it is known what is better.
    """
    schemes = matrix.columns[3:]
    rows = {row[0]: row for row in matrix.rows}
    wanted = dict(weights) or {name: 1.0 for name, row in rows.items() if row[2]}
    known = {name: weight for name, weight in wanted.items() if name in rows}
    complete = [
        (n, scheme)
        for n, scheme in enumerate(schemes, 3)
        if len(known) == len(wanted) and all(rows[name][n] is not None for name in known)
    ]
    request = {
        "matrix": {scheme: {name: rows[name][n] for name in known} for n, scheme in complete},
        "weights": known,
        "better": {name: "less" for name in known if rows[name][2] == "less"},
    }
    return request, tuple(s for s in schemes if s not in [name for _, name in complete])


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
