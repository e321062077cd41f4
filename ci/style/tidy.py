#!/usr/bin/env python3
"""clang-tidy on gc/ with the checks of .clang-tidy; each warning is an error. Argument: the build folder with
compile_commands.json. A file that passed is not looked at again until it, a header or the checks change."""

import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import ROOT, files, finish

TIDY = "clang-tidy"
build = Path(sys.argv[1])
passed = build / "tidy-passed"
passed.mkdir(exist_ok=True)
# The sources are compiled in several variants; one is enough here.
paths = sorted({entry["file"] for entry in json.loads((build / "compile_commands.json").read_text())
                if Path(entry["file"]).parent in (ROOT / "gc", ROOT / "gc/libgc")})
shared = hashlib.sha256(TIDY.encode())
for path in [ROOT / ".clang-tidy", Path(__file__), *files(".h", under=("gc",))]:
    shared.update(path.read_bytes())


def check(path):
    digest = shared.copy()
    digest.update(Path(path).read_bytes())
    stamp = passed / digest.hexdigest()
    if stamp.exists():
        return ""
    result = subprocess.run([TIDY, "--quiet", "-p", build, "--warnings-as-errors=*",
                             # gcc's options that clang does not know are no finding.
                             "--extra-arg=-Wno-unknown-warning-option",
                             "--extra-arg=-Wno-ignored-optimization-argument", path], capture_output=True, text=True)
    if result.returncode == 0:
        stamp.touch()
        return ""
    # Only the findings: the analyzer explains each path over many lines.
    found = [line for line in result.stdout.splitlines() if re.search(r": (error|warning): ", line)]
    return "\n".join(found) or result.stderr.strip()


with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    problems = [text for text in pool.map(check, paths) if text]
finish(problems, len(paths))
