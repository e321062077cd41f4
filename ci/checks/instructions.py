#!/usr/bin/env python3
"""Instructions that an allocation and its free take, held to 3 % of what is on record for the same compiler and flags:
a slower fast path is seen without a clock. A faster one wants --update."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from vgcci import instructions  # noqa: E402
from vgcci.paths import ROOT  # noqa: E402

RECORD = ROOT / "stress/bench/instructions.txt"
TOLERANCE = 0.03
SKIPPED = 77


def load():
    """{(build, program): instructions}."""
    rows = [line.split("\t") for line in RECORD.read_text().splitlines() if line and not line.startswith("#")]
    return {(build, program): float(count) for build, program, count in rows}


def save(record):
    head = [line for line in RECORD.read_text().splitlines() if line.startswith("#")]
    RECORD.write_text("\n".join(head + [f"{build}\t{program}\t{count:.1f}" for (build, program), count in
                                        sorted(record.items())]) + "\n")


def compare(program, expected, count):
    if count > expected * (1 + TOLERANCE):
        return f"{program}: {count:.1f} instructions, {expected:.1f} on record: slower by {count / expected - 1:.1%}"
    if count < expected * (1 - TOLERANCE):
        return f"{program}: {count:.1f} instructions, {expected:.1f} on record: faster; record it with --update"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True, type=Path, metavar="DIR", help="where the benchmarks were built")
    parser.add_argument("--build", required=True, help="compiler and flags, as in the record")
    parser.add_argument("--update", action="store_true", help="record what is counted now")
    parser.add_argument("program", nargs="+", help="a benchmark")
    arguments = parser.parse_args()
    record, problems = load(), []
    known = [program for program in arguments.program if (arguments.build, program) in record]
    if not known and not arguments.update:
        print(f"nothing on record for '{arguments.build}' in {RECORD.relative_to(ROOT)}; --update records it")
        return SKIPPED
    for program in arguments.program if arguments.update else known:
        count = instructions.of_an_operation(arguments.bench / f"bench_{program}_vgc")
        if isinstance(count, str):
            problems.append(count)
            continue
        expected = record.get((arguments.build, program))
        print(f"{program}: {count:.1f} instructions" + (f", {expected:.1f} on record" if expected else ""))
        if arguments.update:
            record[arguments.build, program] = count
        elif problem := compare(program, expected, count):
            problems.append(problem)
    if arguments.update:
        save(record)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
