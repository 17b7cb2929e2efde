"""Rule packs: the numbers of a code or of a local rule as data, each with where it comes from.

A pack is a JSON file. Plumbline's own lie in ``resources/rules``; an office puts its verified packs
into a folder of the settings, or names a file. A pack that ``extends`` another states only what
differs. Nothing is filled in: a missing or contradictory value is refused with its name, and a pack
with an unverified value marks every verdict that rests on it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer

from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import N_, tr, translator
from plumbline.core.resources import resource

T = TypeVar("T")

#: Building climate zones of China (GB 50178).
Zone: TypeAlias = Literal["I", "II", "III", "IV", "V", "VI", "VII"]

#: A pack is a page of numbers; anything larger is not one.
_MAX_BYTES = 1_000_000
_MAX_DEPTH = 8


#: pydantic error type -> words, as for parameters.
_BY_TYPE = {
    "missing": N_("This is required."),
    "extra_forbidden": N_("There is no such value."),
    "finite_number": N_("This must be a finite number."),
    "float_type": N_("This must be a number."),
    "int_type": N_("This must be a whole number."),
    "bool_type": N_("This must be true or false."),
    "string_type": N_("This must be a text."),
    "greater_than": N_("This must be greater than {gt}."),
    "greater_than_equal": N_("This must be at least {ge}."),
    "less_than": N_("This must be less than {lt}."),
    "less_than_equal": N_("This must be at most {le}."),
    "literal_error": N_("Choose one of: {expected}."),
}


class PackError(InputError):
    """A rule pack that cannot be used; `fields` says what is wrong with each."""

    def __init__(
        self,
        message: str,
        hint: str = "",
        details: str = "",
        fields: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, hint, details)
        self.fields = fields

    def __reduce__(self) -> Any:
        return (type(self), (self.message, self.hint, self.details, self.fields))


class PackModel(BaseModel):
    """Base of everything in a pack: frozen, unknown names refused, nothing converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Origin(PackModel):
    """Where a value comes from, and whether somebody compared it with the text of the code."""

    source: str = Field(min_length=1)
    clause: str
    verified: bool


class Stated(Origin, Generic[T]):
    """A value with its origin."""

    value: T


class Pack(PackModel):
    """What every rule pack has; `sha256` is the digest of what it says, inherited values too."""

    format: Literal[1]
    kind: str
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(min_length=1, max_length=40)
    title: dict[Literal["en", "zh_CN"], str] = Field(min_length=2)
    extends: str | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """Title in the language of the moment."""
        return self.title["zh_CN" if translator.language == "zh_CN" else "en"]

    @property
    def sha256(self) -> str:
        """Digest of the content; tells two packs of one name apart."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def origins(self) -> dict[str, Origin]:
        """Every value with an origin, by its path in the file, e.g. ``calculation.clock``."""
        return dict(_origins(self))

    @property
    def verified(self) -> bool:
        """Whether every value was compared with the text of the code."""
        return all(one.verified for one in self.origins.values())

    def contradictions(self) -> list[tuple[str, str]]:
        """Return the fields that contradict each other, with a sentence for each."""
        return []

    @field_serializer("extends")
    def _no_base(self, _: str | None) -> None:
        # What was inherited stands in the pack itself by now.
        return None


def _origins(node: Any, path: str = "") -> Iterable[tuple[str, Origin]]:
    if isinstance(node, Origin):
        yield path, node
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _origins(getattr(node, name), f"{path}.{name}" if path else name)
    elif isinstance(node, tuple):
        for number, one in enumerate(node):
            yield from _origins(one, f"{path}[{number}]")


# -- finding -------------------------------------------------------------------------------------

_folders: list[Path] = []
_kinds: dict[str, type[Pack]] = {}
K = TypeVar("K", bound=Pack)


def pack_kind(name: str) -> Callable[[type[K]], type[K]]:
    """Return a class decorator that makes a class the one for packs of a kind."""

    def register(cls: type[K]) -> type[K]:
        _kinds[name] = cls
        return cls

    return register


def set_rule_folders(folders: Iterable[Path | str]) -> None:
    """Set the folders in which an office keeps its packs; the first one wins, ours come after.

    The last one is where packs that are written here go.
    """
    _folders[:] = [Path(folder).expanduser() for folder in folders]


def own_pack_file(pack_id: str) -> Path:
    """Return the file in which an office's own pack of an id is kept, or would be.

    Raises
    ------
    UsageError
        If there is no folder for own packs.
    """
    found = rule_files().get(pack_id)
    if found is not None and found.parent in _folders:
        return found
    if not _folders:
        raise UsageError(
            tr("There is no folder for rule packs of your own."),
            tr("Name one in the settings, rule_folders."),
        )
    return _folders[-1] / f"{pack_id}.json"


def rule_files() -> dict[str, Path]:
    """Return the file of every pack that can be named by id; the office's go before ours."""
    found: dict[str, Path] = {}
    for folder in (*_folders, resource("rules")):
        for path in sorted(folder.glob("*.json")):
            found.setdefault(path.stem, path)
    return found


def load_pack(name: str | Path, cls: type[K]) -> K:
    """Return a rule pack by id or by the path of its file.

    Raises
    ------
    UsageError
        If no pack has that id.
    PackError
        If the file is no pack of this kind, or a value is missing or contradicts another.
    """
    path = _path_of(str(name))
    raw = _resolved(path, ())
    return _validated(raw, cls, path)


def parse_pack(text: str, cls: type[K], name: str = "pack") -> K:
    """Return the pack that a text holds, e.g. one that is being written; errors as `load_pack`."""
    path = Path(f"{name}.json")
    return _validated(_inherit(_parsed(text, path), path, ()), cls, path)


def known_packs(cls: type[K]) -> list[K]:
    """Return the packs of a kind that can be named by id; those that are broken are left out."""
    packs = []
    for name in sorted(rule_files()):
        try:
            packs.append(load_pack(name, cls))
        except (PackError, UsageError):
            continue
    return packs


def write_pack(pack: Pack, path: Path) -> None:
    """Write a pack with all its values, inherited ones too; a file is never half written.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    text = json.dumps(pack.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(
            tr("“{path}” cannot be written: {why}.", path=path, why=error.strerror or error),
            tr("Choose another folder, or make room on the disk."),
        ) from error


def copied(pack: K, pack_id: str, title: Mapping[str, str], version: str = "1") -> K:
    """Return a copy of a pack under another id, to be edited."""
    data = pack.model_dump(mode="json") | {"id": pack_id, "title": dict(title), "version": version}
    return parse_pack(json.dumps(data), type(pack), pack_id)


# -- reading -------------------------------------------------------------------------------------


def _path_of(name: str) -> Path:
    if name.endswith(".json"):
        return Path(name).expanduser()
    files = rule_files()
    if name not in files:
        raise UsageError(
            tr("There is no rule pack “{id}”.", id=name[:80]),
            tr("The packs are: {ids}; or give the path of a .json file.", ids=", ".join(files)),
        )
    return files[name]


def _resolved(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Return the content of a file on top of the pack that it extends."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _broken(path, tr("it is too large"))
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or tr("it is not UTF-8")
        raise _broken(path, str(why)) from error
    return _inherit(_parsed(text, path), path, seen)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _broken(path, tr("it is not JSON"), str(error)) from error
    if not isinstance(raw, dict):
        raise _broken(path, tr("it is not a JSON object"))
    return raw


def _inherit(raw: dict[str, Any], path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    base_id = raw.get("extends")
    if base_id is None:
        return raw
    if path in seen or len(seen) > _MAX_DEPTH or not isinstance(base_id, str):
        raise _broken(path, tr("“extends” leads in a circle"))
    base = _resolved(_base_path(base_id, path), (*seen, path))
    merged = {**base, **raw}
    for name, value in base.items():
        if isinstance(value, dict) and isinstance(raw.get(name), dict) and name != "title":
            merged[name] = {**value, **raw[name]}
    return merged


def _base_path(base_id: str, path: Path) -> Path:
    beside = path.with_name(f"{base_id}.json")
    if "/" not in base_id and "\\" not in base_id and beside.is_file() and beside != path:
        return beside
    return _path_of(base_id.removesuffix(".json"))


def _validated(raw: dict[str, Any], cls: type[K], path: Path) -> K:
    kind = raw.get("kind")
    wanted = next((name for name, one in _kinds.items() if one is cls), "")
    if kind != wanted:
        raise _broken(path, tr("its kind is “{kind}”, not “{wanted}”", kind=kind, wanted=wanted))
    try:
        pack = cls.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise _refused(path, _words(error)) from error
    problems = pack.contradictions()
    if problems:
        raise _refused(path, problems)
    return pack


def _words(error: ValidationError) -> list[tuple[str, str]]:
    """Return the fields that pydantic found wrong, with a sentence for each."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        field = ""
        for part in item["loc"]:
            field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else str(part)
        known = _BY_TYPE.get(item["type"])
        text = tr(known, **item.get("ctx", {})) if known else str(item["msg"])
        found.setdefault(field, text)
    return list(found.items())


def _broken(path: Path, why: str, details: str = "") -> PackError:
    return PackError(
        tr("“{name}” is no rule pack: {why}.", name=path.name, why=why),
        tr("Compare it with the packs that come with Plumbline."),
        details,
    )


def _refused(path: Path, problems: list[tuple[str, str]]) -> PackError:
    text = "; ".join(f"{field}: {why.rstrip('.。')}" for field, why in problems[:5])
    return PackError(
        tr("The rule pack “{name}” cannot be used: {problems}.", name=path.stem, problems=text),
        tr("Mend these values in the pack."),
        fields=tuple(problems),
    )
