#!/usr/bin/env python3
"""whitebox/door.h is the one way in: it includes every internal header, and no test reaches gc/ past it or includes a
source file."""

import re

from common import ROOT, files, finish, name

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
# What lies behind platform.h.
NOT_THROUGH_THE_DOOR = re.compile(r"^(arch|platform_linux)")

headers = {path.name for path in files(".h", under=("gc",)) if not NOT_THROUGH_THE_DOOR.match(path.name)
           and path.parent.name != "libgc"}
door = set(INCLUDE.findall((ROOT / "whitebox/door.h").read_text()))
problems = [f"whitebox/door.h: does not include '{header}'" for header in sorted(headers - door)]
paths = files(".c", ".h", under=("whitebox", "stress", "fuzz"))
for path in paths:
    for header in INCLUDE.findall(path.read_text()):
        if header.endswith(".c"):
            problems.append(f"{name(path)}: includes '{header}', a source file")
        elif header in headers - {"vgc.h"} and path.name != "door.h" and not (path.parent / header).exists():
            problems.append(f"{name(path)}: includes '{header}' past door.h")
finish(problems, len(paths))
