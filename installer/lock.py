"""Write the lock files in `requirements/`: every package, its version and its hashes.

One universal resolution (all platforms, Python 3.11 and later) is made for the largest set; the
smaller sets are cut from it, so that a package has the same version in all of them. The files name
no registry: pip's own configuration decides where the packages come from.

    .venv/bin/python installer/lock.py              after a change of dependencies in pyproject.toml
    .venv/bin/python installer/lock.py --upgrade    to move to the newest versions
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
# The largest first: the others are constrained by it.
SETS: dict[str, tuple[str, ...]] = {
    "workstation-dev": ("gui", "test", "dev"),
    "workstation": ("gui",),
    "headless-dev": ("test",),
    "headless": (),
}
LARGEST = next(iter(SETS))


def main(arguments: list[str]) -> int:
    """Write the four lock files; return the exit code."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        print("uv is needed to write the lock files: pip install uv", file=sys.stderr)
        return 2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    backend = "\n".join(project["build-system"]["requires"])
    for name, extras in SETS.items():
        result = subprocess.run(
            command(uv, name, extras, arguments),
            cwd=ROOT,
            input=backend,
            text=True,
            stdout=subprocess.DEVNULL,
            # The comments in the files must not depend on who wrote them.
            env={**os.environ, "UV_CUSTOM_COMPILE_COMMAND": "installer/lock.py"},
        )
        if result.returncode:
            return result.returncode
        print(f"requirements/{name}.txt")
    return 0


def command(uv: str, name: str, extras: tuple[str, ...], arguments: list[str]) -> list[str]:
    """Return the uv command that resolves one set; the build backend comes on standard input."""
    line = [uv, "pip", "compile", "pyproject.toml", "-", "--universal", "--generate-hashes"]
    line += ["--python-version", "3.11", "--no-emit-index-url", "--no-header", "--no-annotate"]
    line += ["--quiet", "--output-file", f"requirements/{name}.txt"]
    for extra in extras:
        line += ["--extra", extra]
    if name == LARGEST:
        return line + arguments
    return [*line, "--constraint", f"requirements/{LARGEST}.txt"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
