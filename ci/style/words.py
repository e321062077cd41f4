#!/usr/bin/env python3
"""Words that may not be committed: deferred work, and paths of one machine."""

import re

from common import every_text, finish, name

BANNED = [
    (r"\b(TODO|FIXME|XXX)\b", "finish it, or leave it out"),
    (r"(?<![\w.$}])/(tmp|work|root|home)/\w", "a path of one machine; use mktemp or TMPDIR"),
    (r"\bfarm-\w", "names another project"),
]
# This file quotes what it bans.
EXEMPT = {"ci/style/words.py"}

problems, checked = [], 0
for path, text in every_text():
    if name(path) in EXEMPT:
        continue
    checked += 1
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, why in BANNED:
            match = re.search(pattern, line)
            if match:
                problems.append(f"{name(path)}:{number}: '{match.group(0)}': {why}")
finish(problems, checked)
