#!/usr/bin/env python3
"""A system or processor that vgc has no suspension for is refused by the compiler, never run with one that does nothing
(V23)."""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = [
    ("an unknown system", ["-U__linux__", "-D__FreeBSD__"], "this system has no thread suspension backend"),
    ("an unknown processor", ["-U__x86_64__", "-U__aarch64__", "-D__riscv"],
     "this architecture has no register capture"),
]

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--cc", required=True)
arguments = parser.parse_args()
sources = sorted((ROOT / "gc").glob("*.c"))
problems = []
with tempfile.TemporaryDirectory() as stubs:
    # This host's own headers would stumble over the pretence first: empty ones take their place.
    for path in [*sources, *(ROOT / "gc").glob("*.h"), ROOT / "gc/include/vgc.h"]:
        for header in re.findall(r"^\s*#\s*include\s+<([^>]+)>", path.read_text(), re.MULTILINE):
            stub = Path(stubs, header)
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.touch()
    for what, flags, message in CASES:
        for path in sources:
            command = [arguments.cc, "-E", "-nostdinc", f"-I{stubs}", f"-I{ROOT}/gc/include", *flags, path]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode == 0 or message not in result.stderr:
                problems.append(f"{path.name} for {what}: expected the error '{message}', got {result.returncode}")
for problem in problems:
    print(problem)
print(f"{len(CASES) * len(sources)} compilations, {len(problems)} not refused")
sys.exit(1 if problems or not sources else 0)
