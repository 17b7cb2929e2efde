"""Choosing rows of an attribute table by an expression such as ``用途 = '住宅' AND 层数 >= 6``.

The expression is the condition of an SQL ``WHERE``, evaluated by SQLite on a table in memory: a
language that GIS users know, from a library that every Python has. It can read that table and
call SQLite's own functions, nothing else: an authorizer refuses the rest, and steps are counted.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline.core.entities import entity_ids, table_columns, table_rows
from plumbline.core.errors import UsageError
from plumbline.core.feedback import Feedback
from plumbline.core.i18n import tr
from plumbline.core.layer import Layer

#: Longest expression that a person or a script writes.
MAX_LENGTH = 4000
#: SQLite steps for each row before an expression is stopped.
_STEPS = 20_000
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


def where(layer: Layer, expression: str, feedback: Feedback | None = None) -> NDArray[np.intp]:
    """Return the rows of a layer's attribute table for which an expression holds.

    Parameters
    ----------
    layer : Layer
        Vector features, or elements of a mesh or a building model.
    expression : str
        SQL condition; columns by name, in double quotes where the name is no plain word. ``id`` is
        the entity's id unless a column has that name. Empty chooses every row.

    Returns
    -------
    (K,) intp
        In the order of `entity_ids`.

    Raises
    ------
    UsageError
        If the layer has no table, or the expression is none.
    """
    ids = entity_ids(layer)
    if ids and not expression.strip():
        return np.arange(len(ids))
    columns = table_columns(layer)
    if not columns:
        raise UsageError(
            tr("“{name}” has no attributes to choose by.", name=layer.name),
            tr("Choose a vector layer, or a model with elements."),
        )
    rows: list[tuple[Any, ...]] = table_rows(layer)
    if "id" not in {column.lower() for column in columns}:
        columns, rows = ["id", *columns], [(i, *r) for i, r in zip(ids, rows, strict=True)]
    return rows_where(columns, rows, expression, feedback)


def rows_where(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    expression: str,
    feedback: Feedback | None = None,
) -> NDArray[np.intp]:
    """Return the numbers of the rows of a table for which an expression holds; see `where`."""
    if not expression.strip():
        return np.arange(len(rows))
    if len(expression) > MAX_LENGTH:
        raise UsageError(
            tr("The expression is longer than {n} characters.", n=MAX_LENGTH),
            tr("Write a shorter one."),
        )
    _check_quoted(expression, columns)
    feedback = feedback or Feedback()
    names = ", ".join(f'"{name}"' for name in _unique(columns))
    marks = ", ".join("?" * (len(columns) + 1))
    database = sqlite3.connect(":memory:")
    try:
        database.execute(f"CREATE TABLE t (rowid_ INTEGER PRIMARY KEY, {names})")
        database.executemany(
            f"INSERT INTO t VALUES ({marks})",
            _cells(rows, feedback.part(0.0, 0.9)),
        )
        return _select(database, expression, len(rows), columns, feedback)
    finally:
        database.close()


def _cells(rows: Sequence[Sequence[Any]], feedback: Feedback) -> Iterator[tuple[Any, ...]]:
    for n, row in enumerate(rows):
        if n % 1000 == 0:
            feedback.step(n, len(rows))
        yield (n, *map(_plain, row))


def _select(
    database: sqlite3.Connection,
    expression: str,
    count: int,
    columns: Sequence[str],
    feedback: Feedback,
) -> NDArray[np.intp]:
    left = _STEPS * (count + 50) // 1000

    def tick() -> bool:
        nonlocal left
        left -= 1
        return left < 0 or feedback.cancelled

    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000_000)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    database.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
    )
    database.set_progress_handler(tick, 1000)
    try:
        # The newline ends a comment at the end of the expression.
        found = database.execute(
            f"SELECT rowid_ FROM t WHERE ({expression}\n) ORDER BY rowid_"
        ).fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        feedback.check()
        raise UsageError(
            tr("The expression “{text}” cannot be used: {why}.", text=expression[:200], why=error),
            tr(
                "Write it like: {example}. The columns are: {names}.",
                example="用途 = '住宅' AND 层数 >= 6",
                names=", ".join(columns)[:500],
            ),
        ) from error
    return np.array([row[0] for row in found], dtype=np.intp)


def _check_quoted(expression: str, columns: Sequence[str]) -> None:
    """Refuse a quoted name that is no column: SQLite would take it for a text, equal to nothing."""
    quoted = re.findall(r"""'(?:[^']|'')*'|"((?:[^"]|"")*)\"""", expression)
    known = {column.lower() for column in columns} | {""}
    for name in quoted:
        if name.replace('""', '"').lower() not in known:
            raise UsageError(
                tr("There is no column “{name}”.", name=name[:80]),
                tr(
                    "The columns are: {names}. Texts stand in single quotes.",
                    names=", ".join(columns)[:500],
                ),
            )


def _unique(columns: Sequence[str]) -> list[str]:
    """Return names that SQLite can tell apart; it takes ``A`` and ``a`` for one."""
    taken = {"rowid_"}
    names = []
    for column in columns:
        name, number = column.replace('"', "'").replace("\0", ""), 1
        while name.lower() in taken:
            number += 1
            name = f"{column}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def _plain(value: Any) -> Any:
    """Return a cell as SQLite knows it: numbers, texts, nothing."""
    if value is None or isinstance(value, str):
        return value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool | int):
        return int(value) if abs(int(value)) < 2**63 else str(value)
    if isinstance(value, float):
        return None if value != value else value  # NaN is no number
    return None if value.__class__.__name__ in ("NAType", "NaTType") else str(value)
