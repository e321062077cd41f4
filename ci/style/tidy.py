#!/usr/bin/env python3
"""clang-tidy on gc/ with the checks of .clang-tidy; each warning is an error. Argument: the folder of
compile_commands.json."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import ROOT, finish

build = Path(sys.argv[1])
# The sources are compiled in several variants; one is enough here.
paths = sorted({entry["file"] for entry in json.loads((build / "compile_commands.json").read_text())
                if Path(entry["file"]).parent == ROOT / "gc"})


def check(path):
    result = subprocess.run(["clang-tidy", "--quiet", "-p", build, "--warnings-as-errors=*",
                             # A gcc option that clang-tidy's older clang does not know is no finding.
                             "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-ignored-optimization-argument",
                             path], capture_output=True, text=True)
    return result.stdout.strip() or result.stderr.strip() if result.returncode else ""


with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    problems = [text for text in pool.map(check, paths) if text]
finish(problems, len(paths))
