"""The index of bug tests: ID<TAB>title<TAB>detector<TAB>note."""

import re
from dataclasses import dataclass

from . import files
from .paths import BUGS

INDEX = BUGS / "index.txt"
ID = re.compile(r"[A-Z][0-9]{2,}")
ID_EXPECTED = "expected a capital letter and at least two digits, such as L07"
UNWRITTEN = "file: gc/FILE.c"  # in the ablation of ci/new-bug, until somebody writes it


@dataclass
class Row:
    id: str
    title: str
    detector: str
    note: str


def load(path=INDEX):
    rows = []
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            rows.append(Row(*(line.split("\t") + ["", "", ""])[:4]))
    return rows


def sort_key(id):
    return id[0], int("".join(c for c in id if c.isdigit()) or 0)


def insert(row, path=INDEX):
    """Puts a row where its id sorts."""
    lines = path.read_text().splitlines()
    head = [line for line in lines if not line or line.startswith("#")]
    rows = [line for line in lines if line and not line.startswith("#")]
    rows.append("\t".join((row.id, row.title, row.detector, row.note)))
    rows.sort(key=lambda line: sort_key(line.split("\t")[0]))
    files.replace(path, "\n".join(head + rows) + "\n")
