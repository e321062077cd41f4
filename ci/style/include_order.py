#!/usr/bin/env python3
"""A file of gc/ includes only files below it, in the order that HACKING.md gives, but for the upward calls listed
there."""

import re
import sys

from common import ROOT, files, finish, name

TEXT = (ROOT / "HACKING.md").read_text()


def block(title):
    """The lines of the block under a title, without remarks."""
    found = re.search(rf"<!-- {title} -->\s*```\n(.*?)```", TEXT, re.DOTALL)
    if not found:
        print(f"HACKING.md: the block after '<!-- {title} -->' is missing")
        sys.exit(1)
    return [line.partition("#")[0].strip() for line in found.group(1).splitlines()]


order = {stem: place for place, stem in enumerate(word for line in block("include order") for word in line.split())}
upward = {(line.partition(":")[0], stem) for line in block("calls upward") for stem in line.partition(":")[2].split()}
problems, stems, used = [], set(), set()
LAYER = ROOT / "gc/libgc"  # lies on vgc.h alone
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
layer = [path for path in files(".c", ".h", under=("gc",)) if path.parent == LAYER]
for path in layer:
    included = INCLUDE.findall(path.read_text())
    first = "vgc.h" if path.name == "layer.h" else "layer.h"
    if included[:1] != [first] and not (included and first in INCLUDE.findall((LAYER / included[0]).read_text())[:1]):
        problems.append(f"{name(path)}: includes '{first}' first")
    problems += [f"{name(path)}: includes '{other}', which is neither vgc.h nor of gc/libgc" for other in included
                 if other != "vgc.h" and not (LAYER / other).exists()]
paths = [path for path in files(".c", ".h", under=("gc",)) if path.parent != LAYER]
for path in paths:
    stem = path.stem
    stems.add(stem)
    if stem not in order:
        problems.append(f"{name(path)}: '{stem}' is not in the include order of HACKING.md")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        other = match and match.group(1).rpartition("/")[2].removesuffix(".h")
        if not match or other == stem:
            continue
        if other not in order:
            problems.append(f"{name(path)}:{number}: includes '{match.group(1)}', which the order does not list")
        elif order[other] > order[stem]:
            used.add((path.name, other))
            if (path.name, other) not in upward:
                problems.append(f"{name(path)}:{number}: includes '{match.group(1)}', which lies above '{stem}'")
problems += [f"HACKING.md: the include order names '{stem}', which is no file of gc/" for stem in order
             if stem not in stems]
problems += [f"HACKING.md: '{file}' no longer includes '{stem}': take it out of the calls upward"
             for file, stem in sorted(upward - used)]
problems += [f"HACKING.md: '{file}' calls upward; only source files may" for file, _ in upward if file.endswith(".h")]
finish(problems, len(paths) + len(layer))
