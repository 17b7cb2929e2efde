"""A double click on a document of the dossier hands it to the system, or says why not."""

from __future__ import annotations

from pathlib import Path

from city_scene import city
from PySide6.QtCore import QUrl
from PySide6.QtTest import QTest

from plumbline.api import EntityRef
from plumbline.core.city import CityEntity

from .hand import LEFT, NONE, Hand, live


def double_click(hand: Hand, text: str) -> None:
    """Double-click the row of the dossier that shows a text."""
    tree = hand.window.attributes._tree
    groups = [tree.topLevelItem(n) for n in range(tree.topLevelItemCount())]
    rows = [group.child(n) for group in groups for n in range(group.childCount())]
    item = next(row for row in rows if row.text(1) == text)
    tree.scrollToItem(item)
    where = tree.visualItemRect(item).center()
    hand.click(tree.viewport(), where)
    QTest.mouseDClick(tree.viewport(), LEFT, NONE, where)
    live(50)


def test_documents_of_the_dossier_are_opened(hand: Hand, tmp_path: Path) -> None:
    window, scene = hand.window, hand.window.scene
    opened: list[QUrl] = []
    window.documents.launch = lambda url: opened.append(url) is None
    source = city("footprints")
    scene.set_georeference(source.georeference)
    for layer in source:
        scene.add(layer)
    ref = EntityRef("footprints", "0")
    scene.set_entities([CityEntity("A1", parts=(ref,), documents=("a.pdf", "run.exe"))])
    scene.select([ref])
    hand.rest()
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "run.exe").write_bytes(b"MZ")
    double_click(hand, "a.pdf")
    assert opened == [], "the project has no folder yet"
    window.session.path = tmp_path / "city.plumb.gpkg"
    double_click(hand, "run.exe")
    double_click(hand, "A1")
    assert opened == []
    told = [one.message for one in window.session.notifier.notifications[-2:]]
    assert "before the project is saved" in told[0]
    assert "may be programs" in told[1]
    double_click(hand, "a.pdf")
    assert opened == [QUrl.fromLocalFile(str((tmp_path / "a.pdf").resolve()))]
    window.session.path = None
