"""Every text that a user reads exists in English and in Chinese, and no catalogue has leftovers.

The English text is the key. It stands as a literal in `tr("...")` or `N_("...")`, or as a string in
a plugin's manifest.
"""

from __future__ import annotations

import ast
import json
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("tr", "N_")


def sources() -> list[Path]:
    return sorted(p for folder in ("app", "plugins") for p in (ROOT / folder).rglob("*.py"))


def marked_calls(file: Path) -> Iterator[ast.Call]:
    """Yield the calls of `tr` and `N_` in a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Name)):
            continue
        if node.func.id in MARKS:
            yield node


def literal(call: ast.Call) -> str | None:
    """Return the text of a call, or None where it is computed."""
    text = call.args[0]
    return text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else None


def called_texts() -> dict[str, str]:
    """Return text -> where it is translated."""
    return {
        text: f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in sources()
        for call in marked_calls(file)
        if (text := literal(call)) is not None
    }


def manifest_texts() -> set[str]:
    """Return every string in the plugins' manifests."""
    files = (ROOT / "plugins").glob("*/plugin.toml")
    return {text for file in files for text in strings(tomllib.loads(file.read_text("utf-8")))}


def strings(value: object) -> Iterator[str]:
    """Yield the strings in nested dicts and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def catalogues() -> dict[Path, dict[str, str]]:
    files = [*(ROOT / "resources/translations/zh_CN").glob("*.json")]
    files += (ROOT / "plugins").glob("*/translations/zh_CN.json")
    return {file: json.loads(file.read_text(encoding="utf-8")) for file in sorted(files)}


def translations() -> dict[str, str]:
    return {key: text for catalogue in catalogues().values() for key, text in catalogue.items()}


def fields(text: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def has_words(text: str) -> bool:
    """Tell whether there is anything to translate: `{value} m²` is the same in every language."""
    bare = "".join(part for part, _, _, _ in string.Formatter().parse(text))
    return any(character.isalpha() for character in bare)


def test_every_text_is_translated() -> None:
    known = translations()
    missing = [f"{where}: {text!r}" for text, where in called_texts().items() if text not in known]
    assert not missing, "no Chinese for:\n" + "\n".join(missing)


def test_texts_are_literals_not_formatted_before_translation() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for file in sources()
        for call in marked_calls(file)
        if isinstance(call.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert not wrong, "an f-string or a sum cannot be looked up: " + ", ".join(wrong)


def test_no_catalogue_has_a_text_that_nobody_uses() -> None:
    used = called_texts().keys() | manifest_texts()
    idle = [
        f"{file.relative_to(ROOT)}: {key!r}"
        for file, catalogue in catalogues().items()
        for key in catalogue
        if key not in used
    ]
    assert not idle, "used nowhere:\n" + "\n".join(idle)


def test_fields_are_the_same_in_both_languages() -> None:
    wrong = [
        f"{file.name}: {key!r} -> {text!r}"
        for file, catalogue in catalogues().items()
        for key, text in catalogue.items()
        if fields(key) != fields(text)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_text_has_one_translation_in_all_catalogues() -> None:
    seen: dict[str, tuple[str, str]] = {}
    wrong = []
    for file, catalogue in catalogues().items():
        for key, text in catalogue.items():
            name, other = seen.setdefault(key, (str(file.relative_to(ROOT)), text))
            if other != text:
                wrong.append(f"{key!r}: {other!r} in {name}, {text!r} in {file.name}")
    assert not wrong, "\n".join(wrong)


def test_translations_are_chinese() -> None:
    wrong = [
        f"{key!r} -> {text!r}"
        for key, text in translations().items()
        if not text.strip() or (has_words(key) and len(key) > 12 and text == key)
    ]
    assert not wrong, "left in English:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('tr("A {n}", n=1)', "A {n}"),
        ('N_("B" " C")', "B C"),
        ("tr(name)", None),
    ],
)
def test_the_reader_of_calls(tmp_path: Path, code: str, expected: str | None) -> None:
    file = tmp_path / "module.py"
    file.write_text(code, encoding="utf-8")
    assert [literal(call) for call in marked_calls(file)] == [expected]
