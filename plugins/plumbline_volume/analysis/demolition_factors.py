"""Factors of demolition as data: material and debris by structure, and a budget that can be edited.

The file in the resources says where every value comes from, or that it is an assumption. The
parameter `factors` replaces values by name; what was replaced says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from plumbline.api import resource

#: Structures that nothing names.
OTHER = "other"
#: A sum of the items above it, as a quantity of a rate.
SUBTOTAL = "subtotal"


@dataclass(frozen=True)
class Factor:
    """A number by which something is multiplied."""

    name: str
    value: float
    unit: str
    source: str

    @property
    def assumed(self) -> bool:
        """Whether nothing but an assumption stands behind it."""
        return self.source.startswith(("assumption", "not in the file"))


@dataclass(frozen=True)
class Cost:
    """An item of the budget: `rate` times the quantity that `per` names."""

    id: str
    group: str
    title: str
    per: str
    rate: Factor


@dataclass(frozen=True)
class Factors:
    """All factors of a request, by name."""

    factors: dict[str, Factor]
    structures: dict[str, tuple[str, ...]]
    costs: tuple[Cost, ...]
    currency: str

    def structure_of(self, text: str) -> str:
        """Return the kind of structure that an attribute names, ``other`` where it names none."""
        wanted = text.strip().lower()
        for kind, names in self.structures.items():
            if wanted and wanted in names:
                return kind
        # “钢筋混凝土框架” holds both 钢 and 混凝土: the longest name that is in it decides.
        found = [
            (len(n), kind) for kind, names in self.structures.items() for n in names if n in wanted
        ]
        return max(found)[1] if wanted and found else OTHER

    def value(self, name: str) -> float:
        """Return a factor by name."""
        return self.factors[name].value


@cache
def _file() -> Factors:
    content = json.loads(resource("demolition", "factors.json").read_text(encoding="utf-8"))
    found = {}

    def take(name: str, row: Mapping[str, object]) -> None:
        value = row["value"]
        assert isinstance(value, int | float)
        found[name] = Factor(name, float(value), str(row["unit"]), str(row["source"]))

    for name in ("storey_height", "wall_density", "swell"):
        take(name, content[name])
    structures = {}
    for kind, row in content["structures"].items():
        structures[kind] = tuple(str(name).lower() for name in row["names"])
        take(f"debris.{kind}", row["debris"])
        take(f"material.{kind}", row["material"])
    costs = []
    for row in content["costs"]:
        name = f"cost.{row['id']}"
        take(name, {**row, "value": row["rate"]})
        costs.append(Cost(row["id"], row["group"], row["title"], row["per"], found[name]))
    return Factors(found, structures, tuple(costs), content["currency"])


def factor_names() -> list[str]:
    """Return the names of all factors."""
    return list(_file().factors)


def factors_with(changes: Mapping[str, float]) -> Factors:
    """Return the factors of the file with some of them replaced."""
    known = _file()
    own = {
        name: replace(known.factors[name], value=float(value), source="given with the request")
        for name, value in changes.items()
    }
    merged = {**known.factors, **own}
    costs = tuple(replace(cost, rate=merged[cost.rate.name]) for cost in known.costs)
    return replace(known, factors=merged, costs=costs)


@dataclass(frozen=True)
class Item:
    """An item of the budget with its quantity and amount."""

    cost: Cost
    quantity: float
    amount: float


def budget(costs: Sequence[Cost], quantities: Mapping[str, float]) -> list[Item]:
    """Return the items of a budget.

    An item by `subtotal` is a share of all items that are not; no share of a share is taken.
    """
    plain = {
        cost.id: quantities[cost.per] * cost.rate.value for cost in costs if cost.per != SUBTOTAL
    }
    subtotal = math.fsum(plain.values())
    found = []
    for cost in costs:
        quantity = subtotal if cost.per == SUBTOTAL else quantities[cost.per]
        found.append(Item(cost, quantity, quantity * cost.rate.value))
    return found
