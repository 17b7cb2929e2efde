"""The test tiers do what CONTRIBUTING says: each probe below is a small suite of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HIDE = """
import importlib.util
found = importlib.util.find_spec
hidden = {hidden!r}
importlib.util.find_spec = lambda name, *more: None if name in hidden else found(name, *more)
"""


class Suite:
    """A copy of conftest.py and of pytest's settings, with tests of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hidden: tuple[str, ...] = ()
        (root / "tests").mkdir()
        (root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
        self.conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")

    def add(self, name: str, code: str) -> None:
        file = self.root / "tests" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(code, encoding="utf-8")

    def run(self, *arguments: str) -> str:
        """Run pytest on it and return what it says."""
        head, _, tail = self.conftest.partition("import gc\n")
        hide = HIDE.format(hidden=self.hidden)
        self.add("conftest.py", f"{head}{hide}import gc\n{tail}")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=120)
        return done.stdout + done.stderr


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


PASS = "def test_it():\n    pass\n"


def test_folders_and_names_give_the_tier(suite: Suite) -> None:
    for name in ("core/test_a.py", "render/test_b.py", "ui/test_c.py", "plugins/test_d_panel.py"):
        suite.add(name, PASS)
    listed = suite.run("--collect-only", "-m", "headless")
    assert "core/test_a.py::test_it" in listed
    assert not [name for name in ("test_b", "test_c", "test_d") if name in listed]


def test_tiers_that_are_not_installed_are_not_imported(suite: Suite) -> None:
    suite.hidden = ("PySide6", "vtkmodules")
    suite.add("core/test_a.py", PASS)
    for name in ("render/test_b.py", "ui/conftest.py", "plugins/test_d_panel.py"):
        suite.add(name, "raise SystemExit('imported')\n")
    suite.add("ui/test_c.py", PASS)
    said = suite.run("-v")
    assert "1 passed" in said
    assert "tier left out: ui" in said
    assert "tier left out: render" in said


def test_long_tests_run_only_when_asked_for(suite: Suite) -> None:
    suite.add(
        "core/test_a.py",
        "import pytest\n\n@pytest.mark.nightly\ndef test_long():\n    pass\n\n\n" + PASS,
    )
    suite.add("benchmarks/test_b.py", PASS)
    assert "1 passed, 2 deselected" in suite.run()
    assert "1 passed, 2 deselected" in suite.run("-m", "nightly")
    assert "1 passed, 2 deselected" in suite.run("-m", "benchmark")


def test_settings_and_language_are_fresh(suite: Suite) -> None:
    suite.add(
        "core/test_a.py",
        "import os\nfrom pathlib import Path\nimport pytest\n"
        "from plumbline.core.i18n import system_language, translator\n\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_it(n):\n"
        "    home = Path(os.environ['PLUMBLINE_HOME'])\n"
        "    assert not list(home.iterdir())\n"
        "    (home / 'settings').touch()\n"
        "    assert translator.language == system_language() == 'en'\n"
        "    translator.set_language('zh_CN')\n",
    )
    assert "2 passed" in suite.run()


def test_warnings_are_errors(suite: Suite) -> None:
    suite.add("core/test_a.py", "import warnings\n\ndef test_it():\n    warnings.warn('x')\n")
    assert "1 failed" in suite.run()
