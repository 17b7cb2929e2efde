"""The tool for schemes: differences over the scene, indicators, checks, the matrix and its scores.

Differences stand in the scene in their colours: what is new, gone, taller, lower. The comparison
asks every scheme what is ticked; it leads on to its chart, to the scores and to the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from plumbline.api import (
    N_,
    Layer,
    LayerStyle,
    RasterData,
    Result,
    Scene,
    VectorData,
    registry,
    tr,
)
from plumbline.ui_kit import Chart, Series, button
from plumbline.ui_kit.analysis_panel import AnalysisPanel
from plumbline.ui_kit.context import ToolContext
from plumbline.ui_kit.editors import SuggestEditor
from plumbline.ui_kit.field_specs import Editor, FieldSpec
from plumbline.ui_kit.theme import current_theme
from plumbline_schemes.words import WORDS

COMPARE, DIFF, SCORE = "schemes.compare", "schemes.diff", "schemes.score"
INDICATORS, CHECK = "schemes.indicators", "schemes.check"
ANALYSES = (
    COMPARE, DIFF, INDICATORS, CHECK, SCORE, "schemes.conflicts", "schemes.earthwork",
)  # fmt: skip
#: Heights that differ by less are the same, metres.
SAME = 0.05
#: Differences are drawn this much larger than the buildings, metres.
SKIN = 0.3
#: Criteria of the chart, the ones that a committee asks for first.
CHARTED = ("far", "density", "green_ratio", "floor_area", "height_max", "dwellings")
#: Kinds of differences with the tokens of the theme and their names.
KINDS: Mapping[str, tuple[str, str]] = {
    "added": ("new", N_("New")),
    "removed": ("gone", N_("Gone")),
    "taller": ("changed", N_("Taller")),
    "lower": ("fill", N_("Lower")),
    "changed": ("lit", N_("Changed")),
}


def presets(scene: Scene) -> dict[str, dict[str, Any]]:
    """Return what every scheme can be asked, by name: as the report asks, and the plainest."""
    found = {_label(one): dict(one) for one in scene.report.requests}
    asked = {one["analysis"] for one in found.values()}
    simple: dict[str, dict[str, Any]] = {INDICATORS: {}, CHECK: {}}
    terrain = (
        layer.id
        for layer in scene
        if isinstance(layer.data, RasterData) and layer.data.role == "terrain"
    )
    for layer_id in terrain:
        simple["schemes.earthwork"] = {"terrain": layer_id}
        break
    for analysis, params in simple.items():
        if analysis not in asked:
            found[analysis] = {"analysis": analysis, "params": params}
    return found


def _label(request: Mapping[str, Any]) -> str:
    return str(request.get("name") or request["analysis"])


class SchemesPanel(AnalysisPanel):
    """Compares schemes."""

    words: ClassVar[Mapping[str, str]] = WORDS
    unfolded: ClassVar[tuple[str, ...]] = ("a", "b", "scheme", "schemes", "site", "zone")
    hidden: ClassVar[Mapping[str, tuple[str, ...]]] = {COMPARE: ("schemes", "requests")}

    def __init__(self, context: ToolContext) -> None:
        self._ticks: dict[str, QCheckBox] = {}
        self._asks: dict[str, QCheckBox] = {}
        super().__init__(context, ANALYSES, title=N_("Schemes"), icon="schemes")

    def build(self) -> None:
        """Add the ticks of the comparison and the ways on from it."""
        self._choices = QWidget()
        self._grid = QGridLayout(self._choices)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self.above.addWidget(self._choices)
        self.chart_button = button("", icon="chart", clicked=self._chart)
        self.score_button = button("", icon="check", clicked=self._score)
        for part in (self.chart_button, self.score_button):
            part.hide()
            self.below.addWidget(part)

    def retranslate(self) -> None:
        """Set every text again."""
        super().retranslate()
        self.chart_button.setText(tr("Chart of the indicators"))
        self.score_button.setText(tr("Score these schemes"))
        self._fill_choices()

    def chosen(self) -> None:
        """Show what belongs to the analysis."""
        self._fill_choices()

    # -- inputs ----------------------------------------------------------------------------

    def _schemes(self) -> list[tuple[str, str]]:
        return [(scheme.id, scheme.name) for scheme in self.context.scene.schemes]

    def _sides(self) -> list[tuple[str, str]]:
        layers = [
            (layer.id, tr("Layer “{name}”", name=layer.name))
            for layer in self.context.scene
            if layer.kind in ("mesh", "bim", "vector")
        ]
        return [("baseline", tr("Baseline")), *self._schemes(), *layers]

    def editors(self, analysis: str) -> Mapping[str, Callable[[FieldSpec], Editor]]:
        """Let schemes be chosen by name."""
        offers: dict[str, Callable[[], list[tuple[str, str]]]] = {
            "scheme": self._schemes,
            "reference": lambda: [("", tr("Baseline")), *self._schemes()],
        }
        if analysis == DIFF:
            offers |= {"a": self._sides, "b": self._sides}
        return {
            name: lambda spec, offer=offer: SuggestEditor(spec, offer)  # type: ignore[misc]
            for name, offer in offers.items()
        }

    def filled(self, analysis: str) -> dict[str, Any]:
        """Start with the scheme that is shown, and with the first two to be told apart."""
        ids = [key for key, _ in self._schemes()]
        shown = self.context.scene.active_scheme
        first = shown.id if shown is not None else (ids[0] if ids else "")
        found: dict[str, Any] = {"scheme": first} if first else {}
        if analysis == DIFF:
            found |= {"a": "baseline", "b": first or "baseline"}
        elif analysis == COMPARE:
            found |= self._comparison()
        elif analysis == "schemes.conflicts":
            found["schemes"] = ids
        return found

    def _fill_choices(self) -> None:
        """Offer schemes and requests to be ticked."""
        comparing = bool(self._ids) and self.analysis == COMPARE
        self._choices.setVisible(comparing)
        if not comparing:
            return
        off = {key for ticks in (self._ticks, self._asks) for key, t in ticks.items()
               if not t.isChecked()}  # fmt: skip
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._ticks = {key: QCheckBox(name) for key, name in self._schemes()}
        self._asks = {
            key: QCheckBox(registry.title(one["analysis"]))
            for key, one in presets(self.context.scene).items()
        }
        for column, ticks in enumerate((self._ticks, self._asks)):
            for row, (key, tick) in enumerate(ticks.items()):
                tick.setChecked(key not in off)
                tick.toggled.connect(lambda _on: self._ticked())
                self._grid.addWidget(tick, row, column)

    def _comparison(self) -> dict[str, Any]:
        known = presets(self.context.scene)
        ids = [key for key, _ in self._schemes()]
        schemes = [key for key in ids if key not in self._ticks or self._ticks[key].isChecked()]
        asked = [
            one
            for key, one in known.items()
            if key not in self._asks or self._asks[key].isChecked()
        ]
        return {"schemes": schemes, "requests": asked}

    def _ticked(self) -> None:
        self.form.set_values(self._comparison())
        self._inputs_changed()

    def _inputs_changed(self) -> None:
        # Schemes that came or went meanwhile are offered, and asked.
        comparing = bool(self._ids) and self.analysis == COMPARE and COMPARE in self._forms
        if comparing and [key for key, _ in self._schemes()] != list(self._ticks):
            self._fill_choices()
            self.form.set_values(self._comparison())
        super()._inputs_changed()

    # -- results ---------------------------------------------------------------------------

    def present(self, result: Result) -> None:
        """Draw a result; differences in the colours of what happened."""
        layers = {
            name: differences(layer) if result.analysis == DIFF and name == "changes" else layer
            for name, layer in result.layers.items()
        }
        super().present(replace(result, layers=layers))
        compared = result.analysis == COMPARE
        self.chart_button.setVisible(compared)
        self.score_button.setVisible(compared and "score.json" in result.documents)

    def clear_canvas(self) -> None:
        """Take everything out of the canvas."""
        super().clear_canvas()
        self.chart_button.hide()
        self.score_button.hide()

    def _chart(self) -> None:
        result = self.view.result
        if result is not None:
            title = tr("Indicators, as shares of the greatest")
            self.context.show_chart(title, indicator_chart(result, self.word))

    def _score(self) -> None:
        """Go on to the scores with the matrix of this comparison."""
        result = self.view.result
        if result is None:
            return
        values = json.loads(result.documents["score.json"])
        self.choose(SCORE)
        self.form.set_values({k: v for k, v in values.items() if k in self._fields()})
        self._inputs_changed()

    def _fields(self) -> set[str]:
        return {spec.name for spec in self.form.specs()}

    def _keep(self) -> None:
        """Keep a result; a comparison becomes what the report compares."""
        super()._keep()
        result = self.view.result
        if result is None or result.analysis != COMPARE:
            return
        scene, params = self.context.scene, result.params
        scene.set_report(
            replace(
                scene.report,
                schemes=tuple(params["schemes"]),
                requests=tuple(params["requests"]),
                reference=params.get("reference", ""),
                weights=dict(params.get("weights", {})),
                better=dict(params.get("better", {})),
                rates=dict(params.get("rates", {})),
            )
        )


def differences(layer: Layer) -> Layer:
    """Return the layer of `schemes.diff` without what is the same, taller told from lower."""
    assert isinstance(layer.data, VectorData)
    frame = layer.data.features
    rise = frame["height_difference"].to_numpy(dtype=float)
    kind = frame["change"].to_numpy(dtype=object)
    changed = kind == "changed"
    kind = np.where(changed & (rise > SAME), "taller", kind)
    kind = np.where(changed & (rise < -SAME), "lower", kind)
    names = {key: tr(title) for key, (_, title) in KINDS.items()}
    shown = kind != "unchanged"
    told = frame.assign(change=[names.get(str(one), str(one)) for one in kind])[shown]
    # A little larger than the buildings, whose faces would flicker through it.
    told = told.set_geometry(told.geometry.buffer(SKIN, join_style="mitre"))
    told["height"] = told["height"] + SKIN
    colors = current_theme().analysis
    style = LayerStyle(
        **{
            **layer.style.model_dump(),
            "class_colors": {names[key]: getattr(colors, tone) for key, (tone, _) in KINDS.items()},
            "legend": N_("Differences"),
        }
    )
    return replace(layer, data=VectorData(told, layer.data.has_z), style=style)


def indicator_chart(result: Result, word: Callable[[str], str]) -> Chart:
    """Return bars of the indicators of every scheme, each as a share of the greatest."""
    table = result.tables["matrix"]
    schemes = list(table.columns[3:])
    rows = {str(row[0]).rpartition(".")[2]: row for row in table.rows}
    shown, bars = [], []
    for name in CHARTED:
        numbers = [v if isinstance(v, int | float) else np.nan for v in rows.get(name, ())[3:]]
        known = [abs(v) for v in numbers if np.isfinite(v)]
        if known and max(known) > 0:
            shown.append(name)
            bars.append([v / max(known) for v in numbers])
    chart = Chart()
    chart.set_axes("", "", categories=[word(name) for name in shown])
    values = np.array(bars).reshape(len(shown), len(schemes))
    chart.set_series(
        [Series(s, np.arange(len(shown)), values[:, n], "bar") for n, s in enumerate(schemes)]
    )
    return chart
