#!/usr/bin/env python3
"""Every C file is as clang-format lays it out (.clang-format)."""

import subprocess
import sys

from common import files

paths = files(".c", ".h")
result = subprocess.run(["clang-format", "--dry-run", "-Werror", *paths])
if result.returncode:
    print("repair: git ls-files '*.c' '*.h' | xargs clang-format -i")
print(f"{len(paths)} files")
sys.exit(1 if result.returncode or not paths else 0)
