#!/usr/bin/env python3
"""Compiles gc/ for aarch64 with warnings as errors, and links it so that nothing is left undefined."""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CC = "aarch64-linux-gnu-gcc"
FLAGS = ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Wconversion", "-Wstrict-prototypes",
         "-Werror", "-D_GNU_SOURCE", "-fPIC", "-fvisibility=hidden", "-ftls-model=initial-exec", f"-I{ROOT}/gc/include"]

if not shutil.which(CC):
    print(f"not applicable: {CC} is not installed (package gcc-aarch64-linux-gnu)")
    sys.exit(77)
sources = sorted((ROOT / "gc").glob("*.c"))
with tempfile.TemporaryDirectory() as work:
    objects = [f"{work}/{path.stem}.o" for path in sources]

    def compile_one(pair):
        return subprocess.run([CC, *FLAGS, "-c", pair[0], "-o", pair[1]], capture_output=True, text=True)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(compile_one, zip(sources, objects)))
    failed = [result.stderr for result in results if result.returncode]
    if not failed:
        link = subprocess.run([CC, "-shared", "-Wl,-z,defs", f"-Wl,--version-script={ROOT}/gc/libvgc.map", *objects,
                               "-o", f"{work}/libvgc.so", "-pthread", "-ldl"], capture_output=True, text=True)
        failed = [link.stderr] if link.returncode else []
for text in failed:
    print(text)
print(f"{len(sources)} files for aarch64, {len(failed)} failed")
sys.exit(1 if failed or not sources else 0)
