"""What a project puts into its report: kept in the project, edited by panels, read by `report`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ReportPlan:
    """What goes into the report of a project, as plain data.

    Attributes
    ----------
    title, subtitle, author : str
        Of the cover; a title of its own where empty.
    template : str
        Id of a template, or the path of a .toml file; the committee's where empty.
    schemes : tuple of str
        Ids of the schemes that are compared, in order; all where empty.
    requests : tuple of dict
        What every scheme is asked, as in `schemes.compare`; indicators alone where empty.
    reference : str
        Scheme that others are held against, empty for the present state.
    weights, better, rates : dict
        As in `schemes.compare`; without weights nothing is recommended.
    viewpoints : tuple of str
        Names of the viewpoints from which every scheme is drawn; the first four where empty.
    records : tuple of str
        Ids of kept results ("Add to report").
    results : tuple of dict
        Further requests (``analysis``, ``params``, ``scheme``) whose results are shown.
    """

    title: str = ""
    subtitle: str = ""
    author: str = ""
    template: str = ""
    schemes: tuple[str, ...] = ()
    requests: tuple[dict[str, Any], ...] = ()
    reference: str = ""
    weights: dict[str, float] = field(default_factory=dict)
    better: dict[str, str] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    viewpoints: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    results: tuple[dict[str, Any], ...] = ()
