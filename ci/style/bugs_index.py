#!/usr/bin/env python3
"""Index, tests and ablations of whitebox/bugs/ agree, every ablation applies, and ids are sorted."""

import re
import sys

from common import ROOT, finish, name

sys.path.insert(0, str(ROOT / "ci"))
from vgcci import ablation, index  # noqa: E402

BUGS = ROOT / "whitebox/bugs"
problems = []
rows = index.load()
ids = [row.id for row in rows]
problems += [f"index.txt: {id} twice" for id in sorted({id for id in ids if ids.count(id) > 1})]
if ids != sorted(ids, key=index.sort_key):
    problems.append("index.txt: rows are not sorted by id")
for row in rows:
    tests = sorted(BUGS.glob(f"{row.id}_*.c"))
    if len(tests) != 1:
        problems.append(f"{row.id}: expected one test {row.id}_*.c, found {len(tests)}")
    elif not re.search(rf"^BUG\({row.id}\)", tests[0].read_text(), re.MULTILINE):
        problems.append(f"{name(tests[0])}: does not define BUG({row.id})")
    try:
        edit = ablation.load(row.id)
        ablation.apply(edit, ROOT)
    except ablation.AblationError as error:
        problems.append(f"{row.id}: {error}")
        continue
    if edit.detector.split()[0] != row.detector.split()[0]:
        problems.append(f"{row.id}: index.txt says detector '{row.detector}', the ablation '{edit.detector}'")
for path in sorted(BUGS.glob("*.ablation")) + sorted(BUGS.glob("[A-Z][0-9]*_*.c")):
    if re.split(r"[._]", path.name)[0] not in ids:
        problems.append(f"{name(path)}: its id is not in index.txt")
finish(problems, len(rows))
