#!/usr/bin/env python3
"""The binary interface of libvgc.so: its exported symbols with their versions, and (abigail) the types they use."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ABI = ROOT / "whitebox/abi"
SYMBOLS, TYPES = ABI / "symbols.txt", ABI / "libvgc.abi"
HEADERS = ROOT / "gc/include"
INCOMPATIBLE, CHANGED, WRONG = 8, 4, 3  # bits of abidiff's exit status


def symbols(library):
    output = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library], capture_output=True, text=True,
                            check=True).stdout
    # The version node itself is an absolute symbol, type A.
    return sorted(f"{line.split()[0]} {line.split()[1]}" for line in output.splitlines())


def check_symbols(library):
    expected = [line for line in SYMBOLS.read_text().splitlines() if line and not line.startswith("#")]
    actual = symbols(library)
    problems = [f"removed: {s} (breaks programs: raise the soname)" for s in expected if s not in actual]
    problems += [f"added: {s} (a new function needs a line in {SYMBOLS.name}; anything else must be hidden)"
                 for s in actual if s not in expected]
    return problems


def check_types(library, compiler):
    if not shutil.which("abidiff"):
        return [], "abidiff is not installed: types not compared (package abigail-tools)"
    if compiler != "GNU":
        return [], "types not compared: the recorded ones are of a gcc build"
    result = subprocess.run(["abidiff", "--headers-dir1", HEADERS, "--headers-dir2", HEADERS, TYPES, library],
                            capture_output=True, text=True)
    if result.returncode & WRONG:
        return [f"abidiff failed: {result.stdout}{result.stderr}"], ""
    return [result.stdout.strip()] if result.returncode & (INCOMPATIBLE | CHANGED) else [], "types compared"


def update(library):
    head = [line for line in SYMBOLS.read_text().splitlines() if line.startswith("#")] if SYMBOLS.exists() else []
    SYMBOLS.write_text("\n".join(head + symbols(library)) + "\n")
    subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--drop-private-types",
                    "--exported-interfaces-only", "--headers-dir", HEADERS, "--out-file", TYPES, library], check=True)
    # Where the sources lay is no part of the interface.
    TYPES.write_text(TYPES.read_text().replace(f"{ROOT}/", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True, type=Path)
    parser.add_argument("--compiler", default="GNU", help="CMake's name of the compiler that built it")
    parser.add_argument("--update", action="store_true", help="record the library's interface as the expected one")
    arguments = parser.parse_args()
    if arguments.update:
        update(arguments.library)
        return 0
    problems = check_symbols(arguments.library)
    more, remark = check_types(arguments.library, arguments.compiler)
    for problem in problems + more:
        print(problem)
    print(remark)
    if problems or more:
        print(f"if this is meant: python3 ci/checks/abi.py --update --library {arguments.library}")
    return 1 if problems or more else 0


if __name__ == "__main__":
    sys.exit(main())
