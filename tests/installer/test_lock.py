"""The lock files satisfy pyproject.toml, agree with one another and pin everything by hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = {
    "headless": (),
    "headless-dev": ("test",),
    "workstation": ("gui",),
    "workstation-dev": ("gui", "test", "dev"),
}


def lock_text(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def locked(name: str) -> dict[str, set[Version]]:
    """Return package -> its versions (several where they differ by platform or Python)."""
    pins: dict[str, set[Version]] = {}
    for package, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock_text(name), re.M):
        pins.setdefault(canonicalize_name(package), set()).add(Version(version))
    return pins


def direct(extras: tuple[str, ...]) -> list[Requirement]:
    """Return what pyproject.toml asks for, the build backend included."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = data["project"]
    lines = data["build-system"]["requires"] + project["dependencies"]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", EXTRAS)
def test_lock_satisfies_pyproject(name: str) -> None:
    pins = locked(name)
    unmet = [
        f"{requirement} (locked: {sorted(map(str, pins.get(package, ())))})"
        for requirement in direct(EXTRAS[name])
        if (package := canonicalize_name(requirement.name)) not in pins
        or not all(requirement.specifier.contains(v, prereleases=True) for v in pins[package])
    ]
    assert not unmet, "run installer/lock.py: " + ", ".join(unmet)


@pytest.mark.parametrize("name", EXTRAS)
def test_every_package_has_hashes_and_no_address(name: str) -> None:
    text = lock_text(name)
    blocks = re.split(r"\n(?=\w)", text.strip())
    assert len(blocks) > 30
    assert not [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block]
    assert "://" not in text
    assert "--index" not in text


def test_the_smaller_sets_are_cut_from_the_largest() -> None:
    largest = locked("workstation-dev")
    for name in EXTRAS:
        assert locked(name).items() <= largest.items(), name


@pytest.mark.parametrize("name", ["headless", "headless-dev"])
def test_headless_has_neither_qt_nor_vtk(name: str) -> None:
    gui = {canonicalize_name(r.name) for r in direct(("gui",))} - {
        canonicalize_name(r.name) for r in direct(())
    }
    assert {"pyside6-essentials", "vtk"} <= gui
    assert not gui & locked(name).keys()


def test_what_people_install_has_no_developers_tools() -> None:
    tools = {canonicalize_name(r.name) for r in direct(("test", "dev"))}
    tools -= {canonicalize_name(r.name) for r in direct(("gui",))}
    assert not tools & locked("workstation").keys()


def test_every_package_that_people_install_is_in_the_licence_list() -> None:
    text = (ROOT / "THIRD_PARTY_LICENSES.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([\w.-]+) \| (\d[^|]*) \| [^|]*\w[^|]* \|$", text, re.M))
    listed = {canonicalize_name(n): set(map(Version, v.split(", "))) for n, v in rows.items()}
    assert listed == locked("workstation"), "run installer/third_party.py"
