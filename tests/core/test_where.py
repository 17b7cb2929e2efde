"""Expressions on attribute tables: what they choose, and what they cannot do."""

from __future__ import annotations

import pytest

from plumbline.core.errors import UsageError
from plumbline.core.where import rows_where

COLUMNS = ["用途", "层数", "built in", "note"]
ROWS = [
    ("住宅", 6, 1985, None),
    ("商业", 3, 2005, 2.5),
    ("住宅", 2, None, float("nan")),
    ("O'Neill's", 11, 2020, "x"),
]


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("用途 = '住宅' AND 层数 >= 6", [0]),
        ("用途 LIKE '住%'", [0, 2]),
        ('层数 IN (2, 3) OR "built in" > 2010', [1, 2, 3]),
        ('"built in" IS NULL', [2]),
        ("note IS NULL", [0, 2]),
        ("用途 = 'O''Neill''s'", [3]),
        ("层数 * 3 BETWEEN 9 AND 18 -- storeys of 3 m", [0, 1]),
        ("", [0, 1, 2, 3]),
        ("1 = 0", []),
    ],
)
def test_chosen_rows(expression: str, rows: list[int]) -> None:
    assert rows_where(COLUMNS, ROWS, expression).tolist() == rows


@pytest.mark.parametrize(
    "expression",
    [
        "用途 =",
        "高度 > 3",
        '"高度" = 3',
        "1); DROP TABLE t; --",
        "(SELECT count(*) FROM sqlite_master) > 0 UNION SELECT 1",
        "load_extension('x')",
        "length(randomblob(1000000000)) > 0",
        "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT max(x) FROM c) > 0",
        "ATTACH 'x' AS y",
        "'" * 5,
        "x" * 10_000,
        "层数 > 1\0",
    ],
)
def test_anything_else_is_refused_in_one_sentence(expression: str) -> None:
    with pytest.raises(UsageError):
        rows_where(COLUMNS, ROWS, expression)


def test_an_endless_expression_is_stopped() -> None:
    crossed = "(SELECT count(*) FROM t a, t b, t c, t d, t e) > 0"
    with pytest.raises(UsageError):
        rows_where(["n"], [(n,) for n in range(2000)], crossed)


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    assert rows_where(["A", "a"], [(1, 2)], "A_2 = 2 OR a_2 = 2").tolist() == [0]
