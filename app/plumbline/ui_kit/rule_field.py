"""The field of a rule pack: one that is there or the path of a file, and the way to the editor."""

from __future__ import annotations

from plumbline.analysis.rules import Pack, known_packs
from plumbline.api import tr
from plumbline.ui_kit.buttons import tool_button
from plumbline.ui_kit.editors import SuggestEditor
from plumbline.ui_kit.field_specs import FieldSpec
from plumbline.ui_kit.rule_editor import RuleEditor


class RuleField(SuggestEditor):
    """Offers the packs of a kind; packs that are not verified say so in their name."""

    def __init__(self, spec: FieldSpec, kind: type[Pack]) -> None:
        self._kind = kind
        self._open = tool_button("edit", clicked=self.edit_packs)
        super().__init__(spec, lambda: offered(kind))
        self._row.addWidget(self._open)

    def edit_packs(self) -> RuleEditor:
        """Open the editor on the pack that stands there; what is kept is chosen."""
        editor = RuleEditor(self._kind, str(self.get() or ""), self.window())
        editor.kept.connect(self._kept)
        editor.open()
        return editor

    def _kept(self, pack_id: str) -> None:
        self.retranslate()
        self.put(pack_id)
        self.edited.emit()

    def retranslate(self) -> None:
        """Take up the language of the window, and the packs that are there now."""
        super().retranslate()
        self._open.setToolTip(tr("Read, copy and change rule packs"))
        self._open.setAccessibleName(tr("Read, copy and change rule packs"))


def offered(kind: type[Pack]) -> list[tuple[str, str]]:
    """Return ids and names of the packs that are there."""
    mark = tr("values not verified")
    return [
        (pack.id, pack.name if pack.verified else f"{pack.name}  ·  {mark}")
        for pack in known_packs(kind)
    ]
