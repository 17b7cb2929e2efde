"""Write THIRD_PARTY_LICENSES.md from the lock file and the metadata of the installed packages.

    .venv/bin/python installer/third_party.py

Run it in the development environment after `installer/lock.py` and a new set-up.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "THIRD_PARTY_LICENSES.md"
LOCK = ROOT / "requirements" / "workstation.txt"

HEAD = """\
# Third-party licences

Plumbline itself is under the Apache License 2.0 (see LICENSE). Set-up installs the packages below,
unchanged, each under its own licence; the full texts come with the packages, in the
`*.dist-info` folders of the environment. Written by `installer/third_party.py`.

**LGPL.** Qt for Python (PySide6, shiboken6) with Qt itself is used under the LGPL version 3, and
ifcopenshell under the LGPL version 3 or later. Both are installed as separate packages and loaded
dynamically, so that a user can replace them with versions of their own.

| Package | Version | Licence |
|---|---|---|
"""
FOOT = """
The font Droid Sans Fallback (Debian package `fonts-droid-fallback`), which set-up installs where no
Chinese font is found, is under the Apache License 2.0.
"""

# Packages of other systems cannot be asked here, and a few say too much or nothing in metadata.
STATED = {
    "assimp-py": "MIT (Open Asset Import Library inside: BSD-3-Clause)",
    "colorama": "BSD-3-Clause",
    "embreex": "BSD-2-Clause (Embree inside: Apache-2.0)",
    "pyobjc-core": "MIT",
    "pyobjc-framework-cocoa": "MIT",
    "pyside6-essentials": "LGPL-3.0-only (of the licences offered; Qt inside: LGPL-3.0-only)",
    "shiboken6": "LGPL-3.0-only (of the licences offered)",
}
CLASSIFIER = "License :: OSI Approved :: "


def main() -> int:
    """Write the list; name the packages whose licence is unknown and fail on them."""
    rows = [(name, version, licence(name)) for name, version in locked()]
    unknown = [name for name, _, text in rows if not text]
    if unknown:
        print("No licence known, add to STATED: " + ", ".join(unknown), file=sys.stderr)
        return 1
    table = "".join(f"| {name} | {version} | {text} |\n" for name, version, text in rows)
    TARGET.write_text(HEAD + table + FOOT, encoding="utf-8")
    return 0


def locked() -> list[tuple[str, str]]:
    """Return the packages of the lock; several versions of one (for several Pythons) in one row."""
    versions: dict[str, list[str]] = {}
    text = LOCK.read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.M):
        versions.setdefault(name, []).append(version)
    return [(name, ", ".join(found)) for name, found in versions.items()]


def licence(name: str) -> str:
    """Return the licence that a package states: expression, classifiers, or a short free text."""
    if name in STATED:
        return STATED[name]
    try:
        fields = metadata(name)
    except PackageNotFoundError:
        return ""
    if expression := fields.get("License-Expression"):
        return str(expression)
    classifiers = [c for c in fields.get_all("Classifier", []) if c.startswith(CLASSIFIER)]
    free = (fields.get("License") or "").strip()
    if free and "\n" not in free and len(free) < 60:
        return free
    return ", ".join(c.removeprefix(CLASSIFIER) for c in classifiers)


if __name__ == "__main__":
    sys.exit(main())
