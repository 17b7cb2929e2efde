"""Templates of reports: TOML files that say what stands in a report, in what words and what look.

The files of an office lie where it likes; ours are in ``resources/reports``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import tr, translator
from plumbline.core.resources import resource
from plumbline.services.documents import Look

#: A template, a logo or a Word file is no larger.
LARGEST = 16 * 2**20

Kind = Literal[
    "contents", "summary", "site", "schemes", "views", "indicators", "verdicts", "sunlight",
    "sightlines", "earthwork", "conflicts", "recommendation", "results", "gaps", "annex", "text",
]  # fmt: skip
Words = dict[Literal["en", "zh_CN"], Annotated[str, Field(max_length=5000)]]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(_Model):
    """A part of a report; see ``resources/reports/committee.toml`` for what fields mean."""

    kind: Kind
    title: Words = {}
    text: Words = {}
    values: tuple[str, ...] = ()
    chart: tuple[str, ...] = ()
    rows: int = Field(20, ge=1, le=10_000)
    page: bool = False
    always: bool = False


class _Look(_Model):
    accent: str = Field("#1f5f8b", pattern="^#[0-9a-fA-F]{6}$")
    logo: str = ""
    docx: str = ""


class Template(_Model):
    """What a template file says."""

    id: str = Field(max_length=60)
    name: Words = {}
    title: Words = {}
    subtitle: Words = {}
    landscape: bool = False
    look: _Look = _Look()
    words: dict[str, Words] = {}
    sections: tuple[Section, ...] = Field(min_length=1, max_length=100)


def spoken(words: Mapping[Any, str]) -> str:
    """Return a text in the language of the run, else in the one there is."""
    for language in (translator.language, "en", "zh_CN"):
        if words.get(language):
            return words[language]
    return ""


def built_in() -> dict[str, Path]:
    """Return the templates that come with Plumbline, by id."""
    files = sorted(resource("reports").glob("*.toml"))
    return {path.stem: path for path in files if path.stem != "words"}


def template_file(name: str) -> Path:
    """Return the file of a template: of ours by its id, else a path; the committee's for none.

    Raises
    ------
    UsageError
        If there is none.
    """
    own = built_in()
    path = own.get(name or "committee", Path(name).expanduser())
    if not path.is_file():
        raise UsageError(
            tr("There is no template “{name}”.", name=name[:200]),
            tr("Give a .toml file, or one of: {ids}.", ids=", ".join(own)),
        )
    return path


def load_template(name: str) -> tuple[Template, Look]:
    """Return a template and its look with the files that it names.

    Raises
    ------
    UsageError
        If there is no such template.
    InputError
        If it is no template, or a file that it names cannot be read.
    """
    path = template_file(name)
    try:
        template = Template.model_validate(tomllib.loads(_read(path).decode("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _no_template(path, f"{where}: {first['msg']}") from error
    except ValueError as error:  # broken TOML and bytes that are no text
        raise _no_template(path, str(error)) from error
    look = template.look
    return template, Look(look.accent, _beside(path, look.logo), _beside(path, look.docx))


def _no_template(path: Path, why: str) -> InputError:
    return InputError(
        tr("“{name}” is no template of reports: {why}.", name=path.name, why=why[:300]),
        tr("Begin with a copy: plumbline report --copy-template office.toml"),
    )


def _beside(path: Path, name: str) -> bytes:
    """Return a file that a template names; only plain names beside it."""
    if not name:
        return b""
    if Path(name).name != name:
        raise _no_template(path, name)
    return _read(path.with_name(name))


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise _no_template(path, tr("it is too large"))
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            tr("“{path}” cannot be read: {why}.", path=path, why=error.strerror or error),
            tr("Check the path and the disk."),
        ) from error


@cache
def _own_words() -> dict[str, Words]:
    return tomllib.loads(resource("reports", "words.toml").read_text(encoding="utf-8"))


def word(template: Template, name: str) -> str:
    """Return what a value, a column or a word in a table is called; the name where nobody says."""
    known = template.words.get(name) or _own_words().get(name)
    return spoken(known) if known else name.replace("_", " ")
