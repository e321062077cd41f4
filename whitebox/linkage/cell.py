#!/usr/bin/env python3
"""Builds program.c in one way of linking, runs it, and tells whether the cell holds.

A cell that works prints "ok"; one that the toolchain cannot build (-static with a sanitizer) holds if the toolchain
says so. Exit status: 0 the cell holds, 1 it does not, 2 wrong use, 77 not applicable here (no such compiler or
runtime).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RUN_SECONDS = 50

# What gcc says, and what the linker says to clang, whose driver lets it through: a sanitizer needs a dynamic program.
STATIC_REFUSALS = ("cannot specify -static with", "incompatible with", "undefined reference to `_DYNAMIC'",
                   "undefined symbol: _DYNAMIC")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linkage", choices=("shared", "archive", "static"), required=True)
    parser.add_argument("--sanitizer", choices=("none", "thread", "address"), required=True)
    parser.add_argument("--compiler", required=True, help="gcc, clang-19, ...")
    parser.add_argument("--include", required=True, help="directory of vgc.h")
    parser.add_argument("--shared", required=True, help="path of libvgc.so")
    parser.add_argument("--archive", required=True, help="path of libvgc.a")
    return parser.parse_args()


def command(args, output):
    line = [args.compiler, "-std=gnu17", "-O2", "-g", "-pthread", "-I", args.include]
    if args.sanitizer != "none":
        line.append("-fsanitize=" + args.sanitizer)
    if args.linkage == "static":
        line.append("-static")
    line.append(os.path.join(HERE, "program.c"))
    if args.linkage == "shared":
        directory = os.path.dirname(os.path.abspath(args.shared))
        line += [os.path.abspath(args.shared), "-Wl,-rpath," + directory]
    else:
        line.append(os.path.abspath(args.archive))
    return line + ["-o", output]


def run(line):
    """Exit status (or None for a timeout) and everything printed."""
    try:
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=RUN_SECONDS, check=False)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as expired:
        return None, (expired.stdout or b"").decode(errors="replace")


def verdict_of_link(args, status, output):
    refusable = args.linkage == "static" and args.sanitizer != "none"
    if refusable and any(text in output for text in STATIC_REFUSALS):
        print("ok: the toolchain refuses a static program with a sanitizer:")
        print(next(line for line in output.splitlines() if any(text in line for text in STATIC_REFUSALS)))
        return 0
    if "cannot find" in output and args.sanitizer != "none":
        print(f"not applicable: {args.compiler} has no runtime for -fsanitize={args.sanitizer}\n{output}")
        return 77
    print(f"linking failed with status {status}, expected a program; see what the linker says:\n{output}")
    return 1


def main():
    args = parse()
    if not shutil.which(args.compiler):
        print(f"not applicable: no compiler '{args.compiler}' on this machine; install it to test this cell")
        return 77
    with tempfile.TemporaryDirectory(prefix="vgc-linkage-") as directory:
        program = os.path.join(directory, "program")
        line = command(args, program)
        print(" ".join(line))
        status, output = run(line)
        if status != 0:
            return verdict_of_link(args, status, output)
        status, output = run([program])
        if status != 0 and "unexpected memory mapping" in output and shutil.which("setarch"):
            print("the sanitizer does not support this kernel's address randomization: run again without it")
            status, output = run(["setarch", "-R", program])
        print(output, end="")
        if status is None:
            print(f"no end within {RUN_SECONDS} seconds, expected one within a few")
            return 1
        if status != 0 or not output.startswith("ok: ") or len(output.splitlines()) != 1:
            print(f"status {status}, expected 0 and one line that begins with 'ok: '")
            return 1
        return 0


if __name__ == "__main__":
    sys.exit(main())
