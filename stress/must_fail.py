#!/usr/bin/env python3
"""Runs a stress program that has a planted defect, and passes only if the program finds it.

The exit status must be 1 or that of a crash (128 and more), a failure line must say how to run it again, and the output
must match the pattern (what kind of failure is expected)."""
import argparse
import re
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--match", required=True, metavar="REGEX", help="what the output must contain")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    run = subprocess.run(options.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    print(run.stdout, end="")
    if run.returncode == 77:
        sys.exit(77)
    lines = [line for line in run.stdout.splitlines() if ": FAILED: " in line and "; run again: " in line]
    if run.returncode != 1 and run.returncode < 128:
        sys.exit(f"must_fail: exit status {run.returncode}, expected 1 or a crash: the planted defect was not found")
    if not lines:
        sys.exit("must_fail: no failure line says how to run again")
    if not re.search(options.match, run.stdout, re.DOTALL):
        sys.exit(f"must_fail: no match for '{options.match}': it failed for another reason")


if __name__ == "__main__":
    main()
