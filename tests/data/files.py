"""Files of every format that is read, written independently of the readers."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
from backports import zstd

COMPRESSORS = {
    ".gz": partial(gzip.compress, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}

SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def write_table(path, columns, **how):
    """Write columns in the format that the end of the path's name tells; the path."""
    path = Path(path)
    compress = COMPRESSORS.get(path.suffix.lower(), bytes)
    kind = path.suffix if compress is bytes else Path(path.stem).suffix
    path.write_bytes(compress(as_bytes(kind.lower(), columns, **how)))
    return path


def as_bytes(kind, columns, *, separator=None, quoting="csv", header=True, encoding="utf-8", end="\n"):
    """The content of a file of this kind, uncompressed."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if kind in (".csv", ".tsv"):
        separator = separator or ("," if kind == ".csv" else "\t")
        lines = [list(columns)] * header + [["" if x is None else x for x in row.values()] for row in rows]
        if quoting == "none":
            return "".join(separator.join(map(str, line)) + end for line in lines).encode(encoding)
        stream = io.StringIO(newline="")
        csv.writer(stream, delimiter=separator, lineterminator=end).writerows(lines)
        return stream.getvalue().encode(encoding)
    if kind == ".parquet":
        stream = io.BytesIO()
        pl.DataFrame(columns).write_parquet(stream)
        return stream.getvalue()
    if kind == ".xlsx":
        return spreadsheet([list(columns)] * header + [list(row.values()) for row in rows])
    if kind == ".json":
        return json.dumps(rows, ensure_ascii=False).encode(encoding)
    if kind == ".txt":
        lines = [f"__label__{row['label']} {row['text']}{end}" for row in rows]
    else:
        lines = [json.dumps(row, ensure_ascii=False) + end for row in rows]
    return "".join(lines).encode(encoding)


def spreadsheet(*sheets):
    """An .xlsx file: of each sheet the rows, and of each row the cells: texts, numbers, booleans and None."""
    names = [f"sheet{number}" for number in range(1, len(sheets) + 1)]
    listed = "".join(f'<sheet name="{x}" sheetId="{i}" r:id="{x}"/>' for i, x in enumerate(names, start=1))
    related = "".join(
        f'<Relationship Id="{x}" Type="{RELATIONS}/worksheet" Target="worksheets/{x}.xml"/>' for x in names
    )
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="{kinds}.worksheet+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="book" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{SHEETS}" xmlns:r="{RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{related}</Relationships>',
    }
    for name, rows in zip(names, sheets, strict=True):
        lines = "".join(f'<row r="{i}">{_cells(i, row)}</row>' for i, row in enumerate(rows, start=1))
        files[f"xl/worksheets/{name}.xml"] = f'<worksheet xmlns="{SHEETS}"><sheetData>{lines}</sheetData></worksheet>'
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + content)
    return stream.getvalue()


def _cells(number, row):
    cells = []
    for column, value in zip("ABCDEFGH", row, strict=False):
        place = f'r="{column}{number}"'
        if isinstance(value, bool):
            cells.append(f'<c {place} t="b"><v>{int(value)}</v></c>')
        elif isinstance(value, int | float):
            cells.append(f"<c {place}><v>{value}</v></c>")
        elif value is not None:
            text = escape(value, {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"})
            cells.append(f'<c {place} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>')
    return "".join(cells)
