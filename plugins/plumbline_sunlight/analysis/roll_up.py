"""Verdicts of windows gathered into verdicts of dwellings and buildings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plumbline_sunlight.analysis.judging import CLOSE, FAIL, PASS, UNKNOWN, WindowSun

_ORDER = (PASS, CLOSE, UNKNOWN, FAIL)


@dataclass(frozen=True)
class RollUp:
    """A dwelling, or a building.

    Attributes
    ----------
    layer, building, storey, flat : str
    counts : dict of str to int
        Windows by verdict; of a building that names its flats: dwellings by verdict.
    hours : float, optional
        Of the best window of a dwelling, of the worst one of a building.
    by : str
        What was counted: ``windows``, ``dwellings``, or ``both``.
    """

    layer: str
    building: str
    storey: str
    flat: str
    counts: dict[str, int]
    hours: float | None
    verdict: str
    by: str = "windows"


def dwellings(given: Sequence[WindowSun]) -> list[RollUp]:
    """Return the dwellings that windows name: one is as good as its best window."""
    groups: dict[tuple[str, str, str, str], list[WindowSun]] = {}
    for one in given:
        o = one.opening
        if o.flat:
            groups.setdefault((o.layer, o.building, o.storey, o.flat), []).append(one)
    found = []
    for key, windows in groups.items():
        counts = _counts(w.verdict for w in windows)
        best = next(v for v in _ORDER if counts[v])
        hours = [w.hours for w in windows if w.hours is not None]
        found.append(RollUp(*key, counts, max(hours, default=None), best))
    return found


def buildings(given: Sequence[WindowSun], share: float) -> list[RollUp]:
    """Return the buildings: enough of the rooms behind their windows must have their sun.

    Parameters
    ----------
    share : float
        Share of the rooms that must have it. A room is a dwelling where windows name flats, else
        a window.
    """
    groups: dict[tuple[str, str], list[WindowSun]] = {}
    for one in given:
        groups.setdefault((one.opening.layer, one.opening.building), []).append(one)
    found = []
    for (layer, building), windows in groups.items():
        named = dwellings(windows)
        loose = [w.verdict for w in windows if not w.opening.flat]
        counts = _counts([*(d.verdict for d in named), *loose])
        hours = [w.hours for w in windows if w.hours is not None]
        verdict = share_verdict(counts, share)
        by = "windows" if not named else "both" if loose else "dwellings"
        worst = min(hours, default=None)
        found.append(RollUp(layer, building, "", "", counts, worst, verdict, by))
    return found


def share_verdict(counts: dict[str, int], share: float) -> str:
    """Return the verdict on rooms of which a share must pass."""
    needed = share * sum(counts.values()) - 1e-9
    if counts[PASS] >= needed:
        return PASS
    if counts[PASS] + counts[CLOSE] + counts[UNKNOWN] < needed:
        return FAIL
    return CLOSE if counts[PASS] + counts[CLOSE] >= needed else UNKNOWN


def _counts(verdicts: Iterable[str]) -> dict[str, int]:
    counts = dict.fromkeys(_ORDER, 0)
    for verdict in verdicts:
        counts[verdict] += 1
    return counts
