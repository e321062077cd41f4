#!/usr/bin/env python3
"""A system or processor that vgc has no suspension for is refused by the compiler, never run with one that does nothing
(V23)."""

import argparse
import subprocess
import sys
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
users = [path for path in sources if path.stem.startswith("platform_linux")] or sys.exit("no platform sources")
problems = []
for what, flags, message in CASES:
    for path in users:
        result = subprocess.run([arguments.cc, "-std=gnu17", "-D_GNU_SOURCE", f"-I{ROOT}/gc/include", "-fsyntax-only",
                                 *flags, path], capture_output=True, text=True)
        if result.returncode == 0 or message not in result.stderr:
            problems.append(f"{path.name} for {what}: expected the error '{message}', got status {result.returncode}")
for problem in problems:
    print(problem)
print(f"{len(CASES) * len(users)} compilations, {len(problems)} not refused")
sys.exit(1 if problems else 0)
