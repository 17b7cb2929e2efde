"""Which encoding the texts of a Shapefile are in: stated, written beside it, or found.

A .cpg file is trusted only when the texts can be read with it. Without one, UTF-8 is tried first
(Chinese in GBK is practically never valid UTF-8), then the language byte of the table, then what
the bytes look like.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from plumbline.core.errors import UsageError
from plumbline.core.i18n import tr

#: Language byte of a DBF table, where it is telling (ESRI and dBASE).
LANGUAGE_BYTES = {
    0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "big5", 0x78: "big5", 0x13: "cp932", 0x7B: "cp932",
    0x4E: "cp949", 0x79: "cp949", 0x26: "cp866", 0x65: "cp866", 0xC8: "cp1250", 0xC9: "cp1251",
}  # fmt: skip
#: Names that .cpg files use and Python does not know.
ALIASES = {"936": "gb18030", "950": "big5", "932": "cp932", "949": "cp949", "65001": "utf-8"}
SAMPLE_BYTES = 2_000_000
CANDIDATES = ["gb18030", "big5", "cp932", "cp949", "cp1251", "cp1252"]


@dataclass(frozen=True)
class Encoding:
    """An encoding, why it was taken, and some texts read with it."""

    name: str
    source: str
    sample: tuple[str, ...] = ()
    warning: str = ""


def python_encoding(name: str) -> str | None:
    """Return Python's name of an encoding (GBK and GB2312 widen to GB18030), None if unknown."""
    text = name.strip().lower().removeprefix("ansi ").removeprefix("oem ")
    text = ALIASES.get(text, text)
    if text.startswith("8859"):
        text = f"iso-8859-{text[4:].lstrip('_-')}"
    try:
        known = codecs.lookup(text if not text.isdigit() else f"cp{text}")
    except (LookupError, ValueError):
        return None
    if not known._is_text_encoding:
        return None
    return "gb18030" if known.name in ("gbk", "gb2312", "cp936") else known.name


def stated_encoding(name: str) -> str:
    """Return Python's name of an encoding that the user states.

    Raises
    ------
    UsageError
        If there is no such encoding.
    """
    known = python_encoding(name)
    if known is None:
        raise UsageError(
            tr("“{value}” is no value for the option {name}.", value=name, name="encoding"),
            tr("Give an encoding such as UTF-8 or GBK."),
        )
    return known


def dbf_encoding(shp: Path, option: str = "auto") -> Encoding:
    """Return the encoding of the table beside a Shapefile."""
    texts, language = _dbf_texts(_beside(shp, ".dbf"))
    if option != "auto":
        name = stated_encoding(option)
        return Encoding(name, "option", _sample(texts, name))
    warning = ""
    stated = _beside(shp, ".cpg")
    if stated is not None:
        label = stated.read_bytes()[:64].decode("ascii", "replace").strip()
        named = python_encoding(label)
        if named is not None and _readable(texts, named):
            return Encoding(named, "cpg", _sample(texts, named))
        warning = tr(
            "{file} says “{label}”, but the texts cannot be read with it.",
            file=stated.name,
            label=label[:20],
        )
    name, source = _found(texts, language)
    return Encoding(name, source, _sample(texts, name), warning)


def _found(texts: list[bytes], language: int) -> tuple[str, str]:
    foreign = [text for text in texts if not text.isascii()]
    if not foreign:
        return "utf-8", "ascii"
    if _readable(foreign, "utf-8"):
        return "utf-8", "detected"
    by_language = LANGUAGE_BYTES.get(language)
    if by_language and _readable(foreign, by_language):
        return by_language, "dbf"
    if _reads_as_chinese(foreign):
        return "gb18030", "detected"
    from charset_normalizer import from_bytes

    best = from_bytes(b"\n".join(foreign)[:200_000], cp_isolation=CANDIDATES).best()
    return (best.encoding if best is not None else "cp1252"), "detected"


def _reads_as_chinese(texts: list[bytes]) -> bool:
    """Tell whether nearly every foreign character is one of the common ones of GB 2312."""
    common = total = 0
    for text in texts:
        try:
            decoded = _decode(text, "gb18030")
        except UnicodeDecodeError:
            return False
        for character in decoded:
            if not character.isascii():
                total += 1
                try:
                    common += bool(character.encode("gb2312"))
                except UnicodeEncodeError:
                    continue
    return total > 0 and common >= 0.95 * total


def _decode(raw: bytes, encoding: str) -> str:
    """Decode a field; a character that the fixed width of the field cut in two is dropped."""
    return codecs.getincrementaldecoder(encoding)("strict").decode(raw, final=False)


def _readable(texts: list[bytes], encoding: str) -> bool:
    try:
        for text in texts:
            _decode(text, encoding)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _sample(texts: list[bytes], encoding: str) -> tuple[str, ...]:
    """Return up to five different texts that show whether the encoding is right."""
    foreign = dict.fromkeys(text for text in texts[:2000] if not text.isascii())
    return tuple(text.decode(encoding, "replace")[:40] for text in list(foreign)[:5])


def _beside(shp: Path, suffix: str) -> Path | None:
    for name in (suffix, suffix.upper()):
        file = shp.with_suffix(name)
        if file.is_file():
            return file
    return None


def _dbf_texts(dbf: Path | None) -> tuple[list[bytes], int]:
    """Return raw field names and text values of a DBF table, and its language byte."""
    if dbf is None:
        return [], 0
    with dbf.open("rb") as stream:
        raw = stream.read(SAMPLE_BYTES)
    if len(raw) < 33:
        return [], 0
    start, width = int.from_bytes(raw[8:10], "little"), int.from_bytes(raw[10:12], "little")
    names, fields, at = [], [], 1
    for offset in range(32, min(start, len(raw)) - 31, 32):
        if raw[offset] == 0x0D:
            break
        names.append(raw[offset : offset + 11].split(b"\0")[0])
        length = raw[offset + 16]
        if raw[offset + 11] == ord("C"):
            fields.append((at, at + length))
        at += length
    texts = list(names)
    for row in range(start, len(raw) - width + 1, width) if width else ():
        texts += [raw[row + a : row + b].rstrip(b" \0") for a, b in fields]
    return [text for text in texts if text], raw[29]
