"""``self-test``: does this installation work on this computer."""

from __future__ import annotations

import argparse

from plumbline.cli.common import add_json
from plumbline.cli.main import Command
from plumbline.cli.output import table
from plumbline.core.errors import EXIT_DEFECT
from plumbline.core.i18n import tr


def add_self_test(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``self-test``."""
    add_json(parser)
    parser.set_defaults(function=self_test)


def self_test(command: Command) -> None:
    """Run the self-test; exit code 1 when something failed."""
    from plumbline.services.selftest import passed, run_self_test

    checks = run_self_test(command.feedback)
    good = passed(checks)
    if not good:
        command.exit_code = EXIT_DEFECT
    marks = {
        "passed": tr("ok"),
        "warning": tr("warning"),
        "failed": tr("FAILED"),
        "skipped": tr("skipped"),
    }
    lines = [table([(marks[c.status], c.name, c.detail) for c in checks])]
    lines += [f"{c.name}: {c.hint}" for c in checks if c.hint]
    lines.append(tr("Plumbline works here.") if good else tr("Plumbline does not work here yet."))
    command.answer({"passed": good, "checks": [c.as_dict() for c in checks]}, "\n".join(lines))
