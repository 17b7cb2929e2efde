"""Functions that the tests of child processes run in a child."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import numpy as np

from plumbline.core.errors import InputError, RefusedError
from plumbline.io.child import Child


def double(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Hand back an array and a document, with progress on the way."""
    child.feedback.step(1, 4, "a quarter")
    print("libraries print where they like")
    child.feedback.step(1, 2, "half")
    child.save("twice", np.array(args["numbers"], dtype=np.float64) * 2)
    return {"name": args["name"], "modules": sorted(sys.modules)}


def die(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Crash as native code crashes."""
    child.save("half", np.zeros(3))
    os.abort()


def leave(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """End without an answer."""
    os._exit(int(args["code"]))


def sleep(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Never end, and never look at the cancel flag."""
    child.save("half", np.zeros(3))
    (child.folder.parent / "pid").write_text(str(os.getpid()))
    child.feedback.step(0, 1, "asleep")
    time.sleep(600)
    return {}


def refuse(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Raise an error of a user."""
    kind = {"input": InputError, "refused": RefusedError}[args["kind"]]
    raise kind("坏文件 is bad.", "Mend it.", "byte 7")


def fail(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Raise what is a defect."""
    raise ZeroDivisionError("a defect")


def gorge(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Eat more memory than allowed."""
    return {"n": len(bytearray(int(args["bytes"])))}


def nan(args: dict[str, Any], child: Child) -> dict[str, Any]:
    """Answer with what JSON cannot say."""
    return {"n": float("nan")}
