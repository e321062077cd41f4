#!/usr/bin/env python3
"""No source file is longer than 500 lines, no line longer than 120 columns."""

from common import ROOT, files, finish, name

problems = []
paths = files(".c", ".h", ".py", under=("gc", "whitebox", "stress", "fuzz", "ci"))
for path in paths + [p for p in (ROOT / "ci").iterdir() if p.is_file()]:
    lines = path.read_text().splitlines()
    if len(lines) > 500:
        problems.append(f"{name(path)}: {len(lines)} lines, at most 500: one concept per file")
    problems += [f"{name(path)}:{number}: {len(line)} columns, at most 120" for number, line in enumerate(lines, 1)
                 if len(line) > 120]
finish(problems, len(paths))
