#!/usr/bin/env python3
"""Writes big pages for w3m: nested tables, lists, forms, long paragraphs. Arguments: the size, a folder to write to."""

import random
import sys
from pathlib import Path

WORDS = ("heap mark sweep root page span stack cache block object pointer thread cycle pause barrier table column "
         "weight link anchor border entity Straße naïve café 記憶 領域").split()
PAGES = 4


def words(draw, count):
    return " ".join(draw.choice(WORDS) for _ in range(count))


def table(draw, rows, columns, depth):
    yield f'<table border="{draw.randrange(2)}" cellpadding="1" width="{draw.choice(["100%", "80%", "60%"])}">\n'
    yield f"<caption>{words(draw, 3)}</caption>\n"
    yield "<tr>" + "".join(f"<th>{words(draw, 1)}</th>" for _ in range(columns)) + "</tr>\n"
    for row in range(rows):
        yield "<tr>"
        column = 0
        while column < columns:
            span = draw.randint(1, min(2, columns - column))
            yield f'<td colspan="{span}" align="{draw.choice(["left", "center", "right"])}">'
            if depth and draw.random() < 0.2:
                yield from table(draw, 2, 2, depth - 1)
            else:
                yield (f'<a href="p{row}.html#{column}">{words(draw, draw.randint(1, 4))}</a> '
                       f"<b>{draw.randrange(10000)}</b>&nbsp;&lt;{words(draw, 1)}&gt;")
            yield "</td>"
            column += span
        yield "</tr>\n"
    yield "</table>\n"


def form(draw, number):
    yield f'<form action="do{number}" method="post"><select name="s">'
    yield from (f'<option value="{n}">{words(draw, 2)}</option>' for n in range(8))
    yield f'</select><input type="text" size="20" value="{words(draw, 2)}"><textarea rows="3" cols="30">'
    yield f'{words(draw, 12)}</textarea><input type="checkbox" checked><input type="submit"></form>\n'


def page(draw, size):
    yield f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{words(draw, 3)}</title></head><body>\n'
    for section in range(size):
        yield f'<h2><a name="s{section}">{words(draw, 4)}</a></h2>\n<p>{words(draw, 120)}</p>\n'
        yield from table(draw, 25, 6, 3)
        yield "<ul>" + "".join(f"<li>{words(draw, 6)}<ol><li>{words(draw, 3)}</ol>" for _ in range(10)) + "</ul>\n"
        yield f"<pre>{words(draw, 10)}\n  {words(draw, 20)}</pre><blockquote><i>{words(draw, 40)}</i></blockquote>\n"
        yield from form(draw, section)
    yield "</body></html>\n"


def main():
    size, folder = int(sys.argv[1]), Path(sys.argv[2])
    for number in range(PAGES):
        (folder / f"page{number}.html").write_text("".join(page(random.Random(number), size)))


if __name__ == "__main__":
    main()
