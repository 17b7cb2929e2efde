"""Documents and the demolition statement, read back by other libraries."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import docx
import openpyxl
import pytest
from PIL import Image

from plumbline.analysis.result import Result, Table, Value
from plumbline.analysis.store import write_result
from plumbline.core.errors import InputError, UsageError
from plumbline.core.i18n import translator
from plumbline.services.documents import (
    Column,
    Document,
    Facts,
    Heading,
    Picture,
    Sheet,
    Text,
    demolition_statement,
    write_document,
)


def png(width: int = 40, height: int = 20) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), "#c06030").save(stream, "PNG")
    return stream.getvalue()


def sample() -> Document:
    columns = (Column("Name"), Column("Volume, m³", 1))
    rows = (("里院 A", 1234.5678), ("=1+1", None), ("B & <b>", -0.25))
    return Document(
        "Statement 测算书",
        "Old quarter",
        (
            Heading("Findings"),
            Facts((("Operator", "林岳"),)),
            Text("A note."),
            Picture(png(), "Map"),
            Sheet("Buildings", columns, rows, ("Total", 1234.3)),
        ),
        "Footer",
        "林岳",
    )


def pdf_text(path: Path) -> str:
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext is not installed")
    found = subprocess.run([program, "-layout", str(path), "-"], capture_output=True, check=True)
    return found.stdout.decode("utf-8")


def test_a_pdf_holds_the_texts_and_embeds_its_fonts(tmp_path: Path) -> None:
    path = write_document(sample(), tmp_path / "a.pdf")
    text = pdf_text(path)
    for expected in (
        "Statement 测算书",
        "Findings",
        "林岳",
        "里院 A",
        "1 234.6",
        "B & <b>",
        "=1+1",
    ):
        assert expected in text.replace("\u202f", " ").replace("\u2009", " "), expected
    assert "Page 1" in text
    assert b"/FontFile2" in path.read_bytes()


def test_a_word_file_holds_the_same_and_repeats_the_head(tmp_path: Path) -> None:
    path = write_document(sample(), tmp_path / "a.docx")
    file = docx.Document(str(path))
    assert file.paragraphs[0].text == "Statement 测算书"
    table = file.tables[1]
    assert [cell.text for cell in table.rows[0].cells] == ["Name", "Volume, m³"]
    assert table.cell(1, 0).text == "里院 A"
    assert table.cell(4, 0).text == "Total"
    assert "w:tblHeader" in table.rows[0]._tr.xml
    assert len(file.inline_shapes) == 1
    assert file.sections[0].footer.paragraphs[0].text == "Footer"


def test_a_workbook_keeps_numbers_and_takes_no_text_for_a_formula(tmp_path: Path) -> None:
    path = write_document(sample(), tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Statement 测算书", "Buildings"]
    sheet = book["Buildings"]
    assert sheet["B2"].value == 1234.5678
    assert sheet["B2"].number_format == "#,##0.0"
    assert sheet["A3"].value == "=1+1"
    assert sheet["A3"].data_type == "s"
    assert sheet["B3"].value is None
    assert sheet.freeze_panes == "B2"
    assert len(book["Statement 测算书"]._images) == 1


@pytest.mark.parametrize("name", ["a.pdf", "a.docx"])
def test_the_same_document_gives_the_same_parts(tmp_path: Path, name: str) -> None:
    one, two = (write_document(sample(), tmp_path / f"{n}{name}") for n in "12")
    if name.endswith("pdf"):
        assert one.read_bytes() == two.read_bytes()
        return
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(two) as second:
        assert first.namelist() == second.namelist()
        assert all(first.read(part) == second.read(part) for part in first.namelist())


def test_a_name_without_a_format_is_refused_and_a_lost_folder_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format"):
        write_document(sample(), tmp_path / "a.odt")
    with pytest.raises(InputError, match="cannot be written"):
        write_document(sample(), tmp_path / "nowhere" / "a.pdf")


# -- the statement ---------------------------------------------------------------------------------


def stored(folder: Path, analysis: str = "volume.demolition") -> Path:
    buildings = Table(
        ("id", "number", "use", "volume", "volume_2_5d", "spread_percent"),
        (("1", "B0001", "住宅", 480.5, 480.5, 1.25), ("2", "B0002", "", None, None, None)),
    )
    result = Result(
        values={
            "volume": Value(480.5, "m³", 6.0),
            "buildings": Value(2),
            "area": Value(1000.0, "m²"),
            "ground_method": Value("class2"),
            "cost": Value(1234.0, "CNY"),
        },
        tables={
            "buildings": buildings,
            "totals": Table(("class", "volume"), (("住宅", 480.5),)),
            "objects": Table(("id", "kind", "volume"), ((1, "shed", 22.0),)),
            "budget": Table(
                ("group", "title", "amount", "source"),
                (("demolition", "Moving trees", 1234.0, "assumption"),),
            ),
            "factors": Table(("name", "value", "source"), (("swell", 1.6, "assumption"),)),
        },
        figures={"map": png(400, 260)},
        warnings=["2 buildings have an unknown structure."],
        analysis=analysis,
        version="1",
        params={"surface": "cloud"},
        provenance={
            "inputs": [{"id": "cloud", "path": "/data/cloud.laz", "sha256": "ab" * 32}],
            "crs": "EPSG:4549",
            "engine": {"plumbline": "0.1.0"},
            "started": "2026-11-20T10:00:00+08:00",
        },
    )
    return write_result(result, folder)


def test_every_number_of_the_statement_stands_in_the_result(tmp_path: Path) -> None:
    place = stored(tmp_path / "result")
    picture = tmp_path / "view.png"
    picture.write_bytes(png())
    document = demolition_statement(place, picture=picture, operator="林岳")
    sheets = {block.name: block for block in document.blocks if isinstance(block, Sheet)}
    rows = sheets["Building by building"].rows
    titles = [column.title for column in sheets["Building by building"].columns]
    assert dict(zip(titles, rows[0], strict=True)) == {
        "No.": "B0001", "Use": "住宅", "Surface over ground, m³": 480.5,
        "Volume that counts, m³": 480.5, "Spread, %": 1.25,
    }  # fmt: skip
    # A gap stays a gap.
    assert rows[1][1:] == (None, None, None, None)
    assert sheets["Inputs"].rows == (("cloud", "cloud.laz", "ab" * 32),)
    assert sheets["Budget"].rows[0][:2] == ("Demolition", "Moving trees")
    assert sheets["Sheds and walls"].rows[0][1] == "shed"
    assert sum(isinstance(block, Picture) for block in document.blocks) == 2
    facts = [row for block in document.blocks if isinstance(block, Facts) for row in block.rows]
    assert ("Operator", "林岳") in facts
    assert ("Ground under the buildings", "ground points (class 2)") in facts
    assert ("Volume of the buildings", "480.5 ± 6.0 m³") in [
        (a, b.replace("\u202f", " ")) for a, b in facts
    ] or ("Volume of the buildings", "480 ± 6 m³") in facts
    texts = [block.text for block in document.blocks if isinstance(block, Text)]
    assert any("unknown structure" in text for text in texts)


def test_a_chinese_statement_of_the_same_result(tmp_path: Path) -> None:
    place = stored(tmp_path / "result")
    translator.set_language("zh_CN")
    document = demolition_statement(place)
    assert document.title == "拆迁测算书"
    sheets = {block.name: block for block in document.blocks if isinstance(block, Sheet)}
    assert sheets["预算"].rows[0][:2] == ("拆迁", "树木迁移")
    assert "拆迁测算书" in pdf_text(write_document(document, tmp_path / "a.pdf"))


def test_another_result_or_a_broken_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not of volume\.demolition"):
        demolition_statement(stored(tmp_path / "other", "volume.storage"))
    place = stored(tmp_path / "result")
    text = tmp_path / "view.png"
    text.write_text("no picture")
    with pytest.raises(InputError, match="no PNG"):
        demolition_statement(place, picture=text)
    with pytest.raises(InputError, match="cannot be read"):
        demolition_statement(place, picture=tmp_path / "missing.png")


def test_a_map_outside_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    place = stored(tmp_path / "result")
    content = json.loads(place.read_text(encoding="utf-8"))
    content["figures"]["map"] = "../secret.png"
    place.write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "secret.png").write_bytes(png())
    document = demolition_statement(place)
    assert not any(isinstance(block, Picture) for block in document.blocks)


def test_the_command_writes_all_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from plumbline.cli.main import main

    place = stored(tmp_path / "result")
    names = [f"a.{ending}" for ending in ("pdf", "docx", "xlsx")]
    outs = [argument for name in names for argument in ("--out", str(tmp_path / name))]
    assert main(["statement", str(place), *outs, "--operator", "Lin Yue"]) == 0
    assert all((tmp_path / name).stat().st_size > 5000 for name in names)
    assert main(["statement", str(place), "--out", str(tmp_path / "a.odt")]) == 2
    assert "no format" in capsys.readouterr().err
