"""The table of analyses."""

from typing import Any

import pytest

from plumbline.analysis.base import Analysis
from plumbline.analysis.registry import Registry
from plumbline.core.errors import UsageError


class First(Analysis[Any]):
    id = "first.one"
    title = "First"


def test_a_class_is_imported_when_first_used() -> None:
    registry = Registry()
    registry.add("far.away", "no_such_module:Class", "Far away")
    assert registry.title("far.away") == "Far away"
    assert registry.ids() == ["far.away"]
    with pytest.raises(ModuleNotFoundError):
        registry.get("far.away")


def test_an_unknown_id_names_similar_ones() -> None:
    registry = Registry()
    registry.add("first.one", First)
    with pytest.raises(UsageError, match=r"Did you mean first\.one"):
        registry.get("frist.one")
    with pytest.raises(UsageError, match=r"The analyses are: first\.one"):
        registry.get("sunlight")


def test_two_plugins_cannot_offer_one_id() -> None:
    registry = Registry()
    registry.add("first.one", First)
    registry.add("first.one", First)
    with pytest.raises(UsageError, match="Two plugins"):
        registry.add("first.one", "other:Class")


def test_a_removed_analysis_is_gone() -> None:
    registry = Registry()
    registry.add("first.one", First)
    registry.remove("first.one")
    registry.remove("never.there")
    assert registry.ids() == []


def test_a_bare_interpreter_finds_what_installed_plugins_offer() -> None:
    assert {"measure.distance", "measure.polyline"} <= set(Registry().ids())
