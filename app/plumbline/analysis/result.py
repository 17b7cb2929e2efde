"""What an analysis gives: values with unit and uncertainty, tables, layers, figures, warnings.

Never a widget. Everything here is plain data that is stored, replayed and sent elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from plumbline.core.layer import Layer


@dataclass(frozen=True)
class Value:
    """A number with its unit; an unknown uncertainty is None, not 0."""

    value: float | int | str | bool | None
    unit: str = ""
    uncertainty: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return ``{"value", "unit", "uncertainty"}``."""
        return {"value": self.value, "unit": self.unit, "uncertainty": self.uncertainty}


@dataclass(frozen=True)
class Table:
    """Rows under named columns; a column's unit stands in `units`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    units: dict[str, str] = field(default_factory=dict)


@dataclass
class Result:
    """The outcome of one request.

    Attributes
    ----------
    values, tables, layers, figures
        By name; figures are PNG bytes.
    documents : dict of str to bytes
        Files for other programs and for paper (DXF, PDF, DOCX, XLSX), by file name with suffix.
    points : tuple of (x, y, z)
        What the canvas draws for the result, project CRS.
    headline : str
        Name of the value that matters most; shown large and written in the canvas.
    provenance : dict
        Filled by the runner.
    """

    values: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    figures: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    points: tuple[tuple[float, float, float], ...] = ()
    headline: str = ""
    analysis: str = ""
    version: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
