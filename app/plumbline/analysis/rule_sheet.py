"""A rule pack while it is written: its values as rows, each changed alone, checked as a whole.

What stands in the rows need not be a valid pack; `RuleSheet.problems` says what is missing. Texts
are read strictly: nothing is guessed, and what is no number stays a text, which the check refuses
where a number belongs.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from plumbline.analysis.rules import Pack, PackError, parse_pack
from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

K = TypeVar("K", bound=Pack)
Key = str | int
Path = tuple[Key, ...]

#: Stands for a value that is not stated.
NONE = "–"
#: What says where a value comes from.
ORIGIN = ("source", "clause", "verified")
#: What names the pack, and is no rule.
HEAD = ("format", "kind", "id", "version", "title", "extends", "note")

_LIST = re.compile(r"[,，;；]")
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_NUMBER = re.compile(r"[+-]?(\d{1,15}(\.\d*)?|\.\d+)")


@dataclass(frozen=True)
class Row:
    """One line of a sheet.

    Attributes
    ----------
    path : tuple of str and int
        Where it stands in the pack.
    value : Any
        What it says; None for a heading.
    heading : bool
        Whether it only gathers the rows below it.
    origin : tuple of str and int, optional
        Where its source, clause and mark of verification stand; None for a part of another row.
    """

    path: Path
    value: Any = None
    heading: bool = False
    origin: Path | None = None


class RuleSheet(Generic[K]):
    """The values of a rule pack, to be changed one by one.

    Parameters
    ----------
    pack : Pack
        Where to start.
    """

    def __init__(self, pack: K) -> None:
        self._kind = type(pack)
        self._data: dict[str, Any] = pack.model_dump(mode="json")
        if "place" in self._data and self._data["place"] is None:
            self._data["place"] = {"zone": None, "population": None}
        for name, part in self._data.items():
            if name not in HEAD and isinstance(part, dict):
                self._data[name] = {key: _opened(value) for key, value in part.items()}

    # -- reading ---------------------------------------------------------------------------

    def rows(self) -> Iterator[Row]:
        """Yield the rows from top to bottom; one below another has its path as its beginning."""
        for name, part in self._data.items():
            if name not in HEAD:
                yield from _rows((name,), part)

    def get(self, path: Path) -> Any:
        """Return what stands at a path."""
        return self._at(path)

    @property
    def unverified(self) -> list[Path]:
        """Rows that nobody has compared with the text of the code."""
        stated = (row.origin for row in self.rows() if row.origin is not None)
        return [path for path in stated if not self._at(path)["verified"] and self._says(path)]

    # -- changing --------------------------------------------------------------------------

    def set(self, path: Path, value: Any) -> None:
        """Put a value at a path that is there."""
        self._at(path[:-1])[path[-1]] = value

    def add(self, path: Path) -> Path:
        """Repeat an entry of a list after itself, as a start for another; return its path."""
        entries, number = self._entries(path)
        entries.insert(number + 1, {**copy.deepcopy(entries[number]), "verified": False})
        return (*path[:-1], number + 1)

    def remove(self, path: Path) -> None:
        """Take an entry of a list away.

        Raises
        ------
        UsageError
            If it is the last one: a pack asks for something.
        """
        entries, number = self._entries(path)
        if len(entries) == 1:
            raise UsageError(
                tr("The last requirement cannot be removed."),
                tr("A rule pack asks for something; change the requirement instead."),
            )
        del entries[number]

    # -- checking --------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The pack as it would be written, valid or not."""
        data = {key: value if key in HEAD else _closed(value) for key, value in self._data.items()}
        if isinstance(data.get("place"), dict) and not any(data["place"].values()):
            data["place"] = None
        return json.dumps(data, ensure_ascii=False)

    def pack(self) -> K:
        """Return the pack; raises `PackError` where it is none yet."""
        return parse_pack(self.text, self._kind, str(self._data["id"]))

    def problems(self) -> list[tuple[str, str]]:
        """Return the fields that are missing, wrong or contradict each other, and why."""
        try:
            self.pack()
        except PackError as error:
            return list(error.fields) or [("", str(error))]
        return []

    # -- parts -----------------------------------------------------------------------------

    def _at(self, path: Path) -> Any:
        node: Any = self._data
        for key in path:
            node = node[key]
        return node

    def _says(self, path: Path) -> bool:
        node = self._at(path)
        return "value" not in node or node["value"] is not None

    def _entries(self, path: Path) -> tuple[list[Any], int]:
        entries, number = self._at(path[:-1]), path[-1]
        assert isinstance(entries, list)
        assert isinstance(number, int)
        return entries, number


def text_of(value: Any) -> str:
    """Return a value as it is typed: numbers, or several with commas."""
    if value is None:
        return NONE
    if isinstance(value, list):
        return ", ".join(text_of(one) for one in value)
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def value_of(text: str, before: Any) -> Any:
    """Return what was typed: a list where a list was, else a number, a text or None."""
    if isinstance(before, list):
        return [_read(part) for part in _LIST.split(text)] if text.strip() else []
    return _read(text)


def row_of(field: str, rows: Iterable[Row]) -> Row | None:
    """Return the row that a problem's field is in, e.g. ``thresholds[0].hours``."""
    found = None
    field = _plain(field)
    for row in rows:
        name = _plain("".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in row.path))
        if field == name or field.startswith((f"{name}.", f"{name}[")):
            found = row
    return found


def _plain(field: str) -> str:
    return f".{field}".replace("..", ".").replace(".value", "")


def _read(text: str) -> Any:
    text = text.strip()
    if text in ("", NONE, "-"):
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _opened(value: Any) -> Any:
    """Give a value that may be stated but is not a place to state it."""
    return (
        {"value": None, "source": "", "clause": "", "verified": False} if value is None else value
    )


def _closed(value: Any) -> Any:
    """Return a part of a pack without values that are not stated."""
    if isinstance(value, Mapping):
        if "value" in value and value["value"] is None:
            return None
        return {key: one if key in ORIGIN else _closed(one) for key, one in value.items()}
    return [_closed(one) for one in value] if isinstance(value, list) else value


def _rows(path: Path, node: Any) -> Iterator[Row]:
    if not isinstance(node, dict):
        if isinstance(node, list) and any(isinstance(one, dict) for one in node):
            yield Row(path, heading=True)
            for number, one in enumerate(node):
                yield from _rows((*path, number), one)
        else:
            yield Row(path, node)
        return
    stated = set(ORIGIN) <= set(node)
    inner = node.get("value")
    if stated and "value" in node and not isinstance(inner, dict):
        yield Row((*path, "value"), inner, origin=path)
        return
    yield Row(path, heading=True, origin=path if stated else None)
    below, at = (inner, (*path, "value")) if stated and "value" in node else (node, path)
    for key, one in (below or {}).items():
        if not (stated and key in ORIGIN):
            yield from _rows((*at, key), one)
