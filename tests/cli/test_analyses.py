"""``analyses``, ``run``, ``replay``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

LINE = "points=[[534010,3993990],[534050,3993960]]"
START, END = ("-p", "start=534010,3993990,0"), ("-p", "end=534013,3993994,12")


def test_the_list_of_analyses(cli: Any) -> None:
    done = cli("analyses", "--json")
    assert done.code == 0
    rows = {row["id"]: row["title"] for row in done.json["analyses"]}
    assert rows["measure.distance"] == "Distance"
    assert "measure.polyline" in cli("analyses").out


def test_the_schema_of_one(cli: Any) -> None:
    schema = cli("analyses", "measure.polyline", "--json").json
    assert schema["type"] == "object"
    assert schema["required"] == ["points"]
    assert set(schema["properties"]) == {"points", "surface", "picked"}
    assert schema["additionalProperties"] is False
    assert "surface" in cli("analyses", "measure.polyline").out


def test_an_unknown_analysis_names_similar_ones(cli: Any, tmp_path: Path) -> None:
    for arguments in (
        ("analyses", "measure.distanse"),
        ("run", "measure.distanse", "--out", tmp_path / "o"),
    ):
        done = cli(*arguments)
        assert done.code == 2
        assert "measure.distance" in done.err


def test_run_on_a_file(cli: Any, terrain: Path, tmp_path: Path) -> None:
    out = tmp_path / "结果 out"
    done = cli(
        "run", "measure.distance", "--layer", f"dem={terrain}", *START, *END, "--out", out, "--json"
    )
    assert done.code == 0
    assert done.json["values"]["distance"] == {"value": 13.0, "unit": "m", "uncertainty": None}
    assert done.json["provenance"]["crs"] == "EPSG:4549"
    stored = json.loads((out / "result.json").read_text("utf-8"))
    assert stored["values"] == done.json["values"]


def test_run_with_a_surface(cli: Any, terrain: Path, tmp_path: Path) -> None:
    done = cli(
        "run", "measure.polyline", "--layer", f"dem={terrain}", "-p", LINE, "-p", "surface=dem",
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert done.code == 0
    values = {name: row["value"] for name, row in done.json["values"].items()}
    assert values["horizontal_length"] == pytest.approx(50.0)
    assert values["surface_length"] == pytest.approx(math.hypot(50, 10), abs=1e-4)
    (row,) = done.json["provenance"]["inputs"]
    assert row["id"] == "dem"
    assert row["path"] == str(terrain)
    assert len(row["sha256"]) == 64
    assert row["lod"] is None


def test_without_layers_and_crs_a_plane_is_enough(cli: Any, tmp_path: Path) -> None:
    done = cli("run", "measure.distance", *START, *END, "--out", tmp_path / "o", "--json")
    assert done.code == 0
    assert done.json["values"]["distance"]["value"] == 13.0
    assert done.json["values"]["azimuth_true"]["value"] is None
    assert "tied to the earth" in done.json["warnings"][0]
    stated = cli(
        "run", "measure.distance", "--crs", "EPSG:4549", *START, *END,
        "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert stated.json["values"]["azimuth_true"]["value"] is not None


def test_the_project_crs_is_that_of_the_first_layer_that_has_one(
    cli: Any, terrain: Path, box: Path, tmp_path: Path
) -> None:
    layers = ("--layer", f"box={box}", "--layer", f"dem={terrain}")
    missing = cli("run", "measure.distance", *layers, *START, *END, "--out", tmp_path / "o")
    assert missing.code == 3
    assert "--crs" in missing.err
    both = cli(
        "run", "measure.distance", *layers, "--crs", "EPSG:4549", *START, *END,
        "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert both.code == 0
    alone = cli(
        "run", "measure.distance", "--layer", f"box={box}", *START, *END,
        "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert alone.code == 0
    assert alone.json["provenance"]["crs"] is None


def test_parameters_from_a_file_and_from_the_line(cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "参数.json"
    file.write_text('\ufeff{"start": [0, 0, 0], "end": [1, 0, 0]}', encoding="utf-8")
    done = cli(
        "run", "measure.distance", "--params", file, "-p", "end=0,5,0",
        "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert done.json["params"] == {"start": [0, 0, 0], "end": [0, 5, 0], "picked": []}


def test_a_layer_whose_id_looks_like_a_number_keeps_its_name(
    cli: Any, terrain: Path, tmp_path: Path
) -> None:
    done = cli(
        "run", "measure.polyline", "--layer", f"2024.10={terrain}", "-p", LINE,
        "-p", "surface=2024.10", "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert done.code == 0
    assert done.json["params"]["surface"] == "2024.10"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "required"),
        (("-p", "start=1,2", *END), 2, "start"),
        (("-p", "start=NaN,0,0", *END), 2, "finite"),
        (("-p", "start=[1e999,0,0]", *END), 2, "finite"),
        ((*START, *END, "-p", "colour=red"), 2, "colour"),
        ((*START, *END, "-p", "end"), 2, "NAME=VALUE"),
        ((*START, *END, "--layer", "dem"), 2, "--layer ID=FILE"),
        ((*START, *END, "--layer", "dem=gone.tif"), 3, "gone.tif"),
        ((*START, *END, "--crs", "EPSG:0"), 2, "EPSG:0"),
        ((*START, *END, "--project", "gone"), 3, "gone"),
        ((*START, *END, "--project", "p", "--crs", "EPSG:4549"), 2, "exclude"),
        ((*START, *END, "--params", "gone.json"), 3, "gone.json"),
        ((*START, *END, "--scheme", "B"), 2, "scheme"),
        (("-p", "start=1.7e308,0,0", "-p", "end=-1.7e308,0,0"), 4, "out of range"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_exit_code(
    cli: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("run", "measure.distance", *arguments, "--out", tmp_path / "o")
    assert done.code == code, done.err
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("text", ["", "[1, 2]", "{", "nonsense", "[" * 100_000])
def test_a_parameter_file_that_is_no_json_object(cli: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    done = cli("run", "measure.distance", "--params", tmp_path / "p.json", "--out", tmp_path / "o")
    assert done.code == 2


def test_an_error_with_json_is_one_object_too(cli: Any, tmp_path: Path) -> None:
    done = cli("run", "measure.distance", "-p", "start=1,2", "--out", tmp_path / "o", "--json")
    assert done.code == 2
    error = done.json["error"]
    assert error["exit_code"] == 2
    assert {p["field"] for p in error["problems"]} == {"start", "end"}


def test_a_refusal_is_exit_code_4(cli: Any, terrain: Path, tmp_path: Path) -> None:
    done = cli(
        "run", "measure.polyline", "--layer", f"dem={terrain}", "-p", "surface=dem",
        "-p", "points=[[0,0],[1,1]]", "--out", tmp_path / "o",
    )  # fmt: skip
    assert done.code == 4
    assert "no height" in done.err


def test_an_output_that_cannot_be_is_said_before_anything_runs(
    cli: Any, terrain: Path, tmp_path: Path
) -> None:
    (tmp_path / "o").write_text("mine")
    done = cli("run", "measure.distance", *START, *END, "--out", tmp_path / "o")
    assert done.code == 2
    assert (tmp_path / "o").read_text() == "mine"


def test_run_on_a_project_reads_only_what_it_needs(
    cli: Any, terrain: Path, box: Path, tmp_path: Path
) -> None:
    cli("new", tmp_path / "p", "--crs", "EPSG:4549")
    cli("add", tmp_path / "p", terrain, "--id", "dem")
    cli("add", tmp_path / "p", box, "--id", "box", "--crs", "EPSG:4549")
    box.unlink()  # nobody asks for it
    done = cli(
        "run", "measure.polyline", "--project", tmp_path / "p", "-p", LINE, "-p", "surface=dem",
        "--out", tmp_path / "o", "--json",
    )  # fmt: skip
    assert done.code == 0
    assert done.err == ""


@pytest.fixture
def measured(cli: Any, terrain: Path, tmp_path: Path) -> Path:
    done = cli(
        "run", "measure.polyline", "--layer", f"dem={terrain}", "-p", LINE, "-p", "surface=dem",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0
    return tmp_path / "out" / "result.json"


def test_replay_gives_the_same_numbers(cli: Any, measured: Path) -> None:
    done = cli("replay", measured, "--json")
    assert (done.code, done.json["same"], done.json["differences"]) == (0, True, [])
    assert "The same" in cli("replay", measured.parent).out


def test_replay_says_what_is_not_the_same(cli: Any, measured: Path) -> None:
    data = json.loads(measured.read_text("utf-8"))
    data["values"]["ascent"]["value"] += 0.001
    measured.write_text(json.dumps(data), "utf-8")
    done = cli("replay", measured, "--json")
    assert done.code == 4
    assert done.json["same"] is False
    assert [d["what"] for d in done.json["differences"]] == ["ascent"]


def test_replay_of_what_is_no_result(cli: Any, tmp_path: Path) -> None:
    assert cli("replay", tmp_path / "gone.json").code == 3
    (tmp_path / "result.json").write_text("{}")
    assert cli("replay", tmp_path).code == 3


def test_the_manual_lists_what_there_is(cli: Any) -> None:
    """Where this fails: plumbline --lang en analyses --markdown > docs/analyses.md"""
    page = Path(__file__).resolve().parents[2] / "docs" / "analyses.md"
    assert cli("analyses", "--markdown").out == page.read_text("utf-8")
