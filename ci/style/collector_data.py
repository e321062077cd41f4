#!/usr/bin/env python3
"""Every mutable static of gc/ lies in section vgc_data, which root scanning leaves out. Arguments: object files."""

import subprocess
import sys

from common import finish

problems, checked = [], 0
for path in (name for word in sys.argv[1:] for name in word.split(";")):
    checked += 1
    listing = subprocess.run(["objdump", "-t", path], capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        parts = line.split()
        # address flags... section size name; section symbols carry their section's name
        for place, word in enumerate(parts):
            data = word in (".data", ".bss", "*COM*") or word.startswith((".data.", ".bss."))
            if not data or word.startswith(".data.rel.ro") or place + 2 >= len(parts):
                continue
            symbol = parts[-1]
            if int(parts[place + 1], 16) and not symbol.startswith("."):
                problems.append(f"{path.rpartition('/')[2]}: '{symbol}' is in {word}: add COLLECTOR_DATA, or const")
            break
finish(problems, checked)
