#!/usr/bin/env python3
"""The interface of libgc.so.1: what its headers declare, what Debian's library exports, and what ours does. What ours
leaves out is listed with a reason in whitebox/libgc/left_out.txt; what it exports has the same kind and size."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = ROOT / "whitebox/libgc/left_out.txt"
HEADERS = ["gc.h", "gc_typed.h", "gc_mark.h", "gc_disclaim.h", "gc_inline.h", "gc_gcj.h", "javaxfc.h", "gc_backptr.h",
           "leak_detector.h"]
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\d\w*|.', re.DOTALL)
MARKER = re.compile(r'#\s+\d+\s+"([^"]*)"')
OPEN, CLOSE = "([{", ")]}"
IGNORED = {"__attribute__", "__attribute", "__asm__", "__extension__"}
FUNCTION, VARIABLE = "function", "variable"


def tokens(cc):
    """Those of libgc's headers, preprocessed as a client with threads sees them."""
    source = "".join(f"#include <gc/{header}>\n" for header in HEADERS)
    text = subprocess.run([cc, "-E", "-DGC_THREADS", "-D_GNU_SOURCE", "-x", "c", "-"], input=source, text=True,
                          capture_output=True, check=True).stdout
    here = False
    for line in text.splitlines():
        marker = MARKER.match(line)
        if marker:
            here = "/gc/" in marker.group(1)
        elif here:
            yield from (token for token in TOKEN.findall(line) if not token.isspace())


def statements(stream):
    """Declarations at file scope, as lists of tokens: without attributes, with {} for what stands in braces, and
    without functions that have a body."""
    statement, brackets, braces, attribute = [], 0, 0, None
    for token in stream:
        if token in IGNORED and attribute is None:
            attribute = brackets if token != "__extension__" else None
            continue
        brackets += (token in OPEN) - (token in CLOSE)
        if attribute is not None:
            attribute = attribute if brackets > attribute else None
        elif token == "{":
            braces += 1
        elif token == "}":
            braces -= 1
            if not braces:
                statement = [] if statement[-1:] == [")"] else statement + ["{}"]
        elif token == ";" and not brackets:
            yield statement
            statement = []
        elif not braces:
            statement.append(token)


def declared_in(statement):
    """(name, kind), or None for types."""
    if not statement or statement[0] == "typedef" or statement[-1] == "{}":
        return None
    words = [i for i, token in enumerate(statement) if re.fullmatch(r"[A-Za-z_]\w*", token)]
    for i in words:
        if statement[i + 1:i + 2] == ["("]:
            if statement[i + 2:i + 3] == ["*"]:  # type (*name)(...): a variable that holds a procedure
                return next((statement[k], VARIABLE) for k in words if k > i + 2)
            return statement[i], FUNCTION
    return (statement[words[-1]], VARIABLE) if "(" not in statement and len(words) > 1 else None


def declarations(cc):
    found = {}
    for statement in statements(tokens(cc)):
        known = declared_in(statement)
        if known and known[0].startswith("GC_"):
            found[known[0]] = known[1]
    return found


def exports(library):
    """name: (kind, size)"""
    output = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", library], capture_output=True, text=True,
                            check=True).stdout
    found = {}
    for line in output.splitlines():
        name, letter, _, *size = line.split()
        found[name.partition("@")[0]] = (FUNCTION if letter in "TtWi" else VARIABLE, int(size[0], 16) if size else 0)
    return found


def left_out():
    reasons = {}
    for line in LEFT_OUT.read_text().splitlines():
        name, _, reason = line.partition(" ")
        if name and not name.startswith("#"):
            reasons[name] = reason.strip()
    return reasons


def compare(declared, debian, ours, reasons):
    problems = [f"{name}: is exported by Debian's library, and the headers name it, but no declaration of it was found"
                for name in sorted(debian) if declared.get(name) is None and name in declared]
    missing = {name for name in debian if name.startswith("GC_") and name not in ours}
    for name in sorted(missing - reasons.keys()):
        what = "the headers declare it" if name in declared else "no header declares it"
        problems.append(f"{name}: is exported by Debian's library ({what}), and not by ours")
    problems += [f"{name}: {LEFT_OUT.name} lists it, but ours exports it, or Debian's does not"
                 for name in sorted(reasons.keys() - missing)]
    problems += [f"{name}: {LEFT_OUT.name} has no reason" for name, reason in reasons.items() if not reason]
    problems += [f"{name}: is exported by ours alone; hide it" for name in sorted(ours.keys() - debian.keys())]
    for name in sorted(ours.keys() & debian.keys()):
        kind, size = debian[name]
        if ours[name][0] != kind or (kind == VARIABLE and ours[name][1] != size):
            problems.append(f"{name}: is a {ours[name][0]} of {ours[name][1]} bytes in ours, a {kind} of {size} in "
                            "Debian's")
        if declared.get(name, kind) != kind:
            problems.append(f"{name}: was read as a {declared[name]}, but is a {kind}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cc", default="gcc")
    parser.add_argument("--library", required=True, type=Path, help="our libgc.so.1")
    parser.add_argument("--debian", required=True, type=Path, help="Debian's")
    arguments = parser.parse_args()
    declared, debian, ours = declarations(arguments.cc), exports(arguments.debian), exports(arguments.library)
    reasons = left_out()
    # The parser is held against the tokens: what Debian's exports and a header names is declared there.
    for name in set(tokens(arguments.cc)) & debian.keys():
        declared.setdefault(name, None)
    problems = compare(declared, debian, ours, reasons)
    for name in sorted(reasons):
        print(f"left out: {name}: {reasons[name]}")
    print("declared, but not exported by Debian's library:", *sorted(declared.keys() - debian.keys()))
    for problem in problems:
        print(problem)
    print(f"{len(declared)} declared, {len(debian)} exported by Debian's, {len(ours)} by ours, "
          f"{len(problems)} problems")
    return 1 if problems or len(declared) < 250 else 0


if __name__ == "__main__":
    sys.exit(main())
