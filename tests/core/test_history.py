"""Steps made of several edits."""

from __future__ import annotations

import pytest

from plumbline.core.history import History


class Tape:
    """A list that is written by edits."""

    def __init__(self) -> None:
        self.history = History()
        self.cells: list[str] = []

    def write(self, text: str) -> None:
        self.history.do(f"write {text}", lambda: self.cells.append(text), lambda: self._rub(text))

    def _rub(self, text: str) -> None:
        assert self.cells.pop() == text


def test_edits_of_a_step_are_undone_and_redone_together() -> None:
    tape = Tape()
    tape.write("a")
    with tape.history.step("both"):
        tape.write("b")
        tape.write("c")
    assert tape.history.undo_label == "both"
    tape.history.undo()
    assert tape.cells == ["a"]
    tape.history.redo()
    assert tape.cells == ["a", "b", "c"]
    tape.history.undo()
    tape.history.undo()
    assert tape.cells == []


def test_a_step_that_fails_leaves_nothing() -> None:
    tape = Tape()

    def write_and_fail() -> None:
        with tape.history.step("both"):
            tape.write("b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert tape.cells == []
    assert tape.history.undo_label is None
    tape.write("a")
    assert tape.history.undo_label == "write a"


def test_steps_within_a_step_belong_to_it_and_an_empty_step_is_none() -> None:
    tape = Tape()
    with tape.history.step("nothing"):
        pass
    assert tape.history.undo_label is None
    with tape.history.step("outer"):
        tape.write("a")
        with tape.history.step("inner"):
            tape.write("b")
    tape.history.undo()
    assert tape.cells == []
