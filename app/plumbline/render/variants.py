"""Pictures of a layer under the schemes that were shown, kept so that going back costs nothing.

Under another scheme a layer loses entities, or ground; the parts that are left are made once and
then only shown and hidden. What is kept is bounded, and gone as soon as the layer itself changes.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, fields

from plumbline.render.parts import Drawn, Prepared, Request

#: Points that the kept pictures of one layer may have together.
MOST_POINTS = 12_000_000


@dataclass
class Variant:
    """A layer prepared for one request, with its actors."""

    request: Request
    prepared: Prepared
    drawn: list[Drawn]

    @property
    def weight(self) -> int:
        """Points that it holds."""
        return sum(len(part.points) for part in self.prepared.parts)


@dataclass
class Variants:
    """The pictures of one layer that are not shown now, the latest last."""

    kept: list[Variant] = field(default_factory=list)

    def put_away(self, old: Variant | None, new: Request) -> list[Variant]:
        """Keep what was drawn while the layer itself stays; return what nobody needs any more."""
        if old is None:
            return self.clear()
        layers = old.request.layer.data is new.layer.data
        if not layers or any(
            getattr(old.request, name) != getattr(new, name)
            for name in ("style", "theme", "origin")
        ):
            return [old, *self.clear()]
        return self.keep(old)

    def keep(self, variant: Variant) -> list[Variant]:
        """Hide a picture and keep it; return those that there is no room for any more."""
        for drawn in variant.drawn:
            drawn.show(False, 1.0)
        self.kept.append(variant)
        gone: list[Variant] = []
        while sum(one.weight for one in self.kept) > MOST_POINTS:
            gone.append(self.kept.pop(0))
        return gone

    def roomy(self, drawn: list[Drawn]) -> bool:
        """Tell whether there is room for another picture like one that is drawn."""
        likely = sum(len(one.part.points) for one in drawn)
        return sum(one.weight for one in self.kept) + likely <= MOST_POINTS

    def has(self, request: Request) -> bool:
        """Tell whether there is a picture that a request would give."""
        return any(same(one.request, request) for one in self.kept)

    def take(self, request: Request) -> Variant | None:
        """Return the picture that a request would give, which is no longer kept then."""
        found = next((one for one in self.kept if same(one.request, request)), None)
        if found is not None:
            self.kept.remove(found)
        return found

    def clear(self) -> list[Variant]:
        """Forget all pictures and return them."""
        gone, self.kept = self.kept, []
        return gone


def same(a: Request, b: Request) -> bool:
    """Tell whether two requests of one layer give the same picture."""
    if a.layer.data is not b.layer.data:
        return False
    special = ("layer", "ground", "models")
    plain = (one.name for one in fields(Request) if one.name not in special)
    if any(getattr(a, name) != getattr(b, name) for name in plain):
        return False
    ours, theirs = ((*(r.ground.grids if r.ground else ()), *r.models) for r in (a, b))
    return len(ours) == len(theirs) and all(map(operator.is_, ours, theirs))
