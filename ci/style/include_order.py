#!/usr/bin/env python3
"""A file of gc/ includes only files below it, in the order that HACKING.md gives."""

import re

from common import ROOT, files, finish, name

text = (ROOT / "HACKING.md").read_text()
block = re.search(r"<!-- include order -->\s*```\n(.*?)```", text, re.DOTALL)
if not block:
    finish(["HACKING.md: the block after '<!-- include order -->' is missing"], 1)
# One layer a line; within a line from left to right.
order = {stem: place for place, stem in enumerate(word for line in block.group(1).splitlines()
                                                   for word in line.partition("#")[0].split())}
problems, seen = [], set()
paths = files(".c", ".h", under=("gc",))
for path in paths:
    stem = path.stem
    seen.add(stem)
    if stem not in order:
        problems.append(f"{name(path)}: '{stem}' is not in the include order of HACKING.md")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match:
            continue
        other = match.group(1).rpartition("/")[2].removesuffix(".h")
        if other not in order:
            problems.append(f"{name(path)}:{number}: includes '{match.group(1)}', which the order does not list")
        elif other != stem and order[other] >= order[stem]:
            problems.append(f"{name(path)}:{number}: includes '{match.group(1)}', which lies above '{stem}'")
problems += [f"HACKING.md: include order names '{stem}', which is no file of gc/" for stem in order if stem not in seen]
finish(problems, len(paths))
