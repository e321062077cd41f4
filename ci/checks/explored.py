#!/usr/bin/env python3
"""What the schedule explorer runs is what ships: each source of gc/ preprocesses to the same text, comments and line
numbers apart, with the flags of the library and with those of the explorer's build of it."""

import argparse
import difflib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def preprocess(entry):
    words = shlex.split(entry["command"])
    if "ccache" in Path(words[0]).name:
        words = words[1:]
    output = words.index("-o")
    # __FILE__ may differ: the explorer's builds hold no path of this machine.
    words = [word for i, word in enumerate(words)
             if word != "-c" and i not in (output, output + 1) and not word.startswith("-ffile-prefix-map")]
    done = subprocess.run([*words, "-E", "-P"], cwd=entry["directory"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"explored: {shlex.join(words)}: {done.stderr}")
    # Tokens alone count.
    return re.sub(r"\s+", " ", done.stdout).replace(";", ";\n").splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=Path, help="build folder with compile_commands.json")
    entries = json.loads((parser.parse_args().build / "compile_commands.json").read_text())
    sources = {}
    for entry in entries:
        for target in ("vgc_objects", "vgc_interleave_objects"):
            if f"/{target}.dir/" in entry["command"]:
                sources.setdefault(Path(entry["file"]).name, {})[target] = entry
    pairs = {name: targets for name, targets in sources.items() if len(targets) == 2}
    if len(pairs) < 30 or len(pairs) != len(sources):
        sys.exit(f"explored: {len(pairs)} of {len(sources)} sources of gc/ are compiled for both; expected all of them")
    differing = 0
    for name, targets in sorted(pairs.items()):
        shipped, explored = (preprocess(targets[target]) for target in ("vgc_objects", "vgc_interleave_objects"))
        if shipped == explored:
            continue
        differing += 1
        print(f"{name}: the explorer runs something else than ships:")
        print("\n".join(list(difflib.unified_diff(shipped, explored, "ships", "explored", lineterm="", n=1))[:20]))
    if differing:
        sys.exit(1)
    print(f"{len(pairs)} sources: the same text for the library and for the explorer")


if __name__ == "__main__":
    main()
