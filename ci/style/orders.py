#!/usr/bin/env python3
"""Every memory order of gc/ above relaxed carries its reason where it stands: a comment on the line or at most 6 lines
above that names the order and the function of the other half."""

import re
import sys

from common import ROOT, finish

sys.path.insert(0, str(ROOT / "ci"))
from vgcci import atomics, csource  # noqa: E402

NEAR = 6  # lines
WORDS = {"acquire": r"acquire", "release": r"release", "acq_rel": r"acquire-release|acq_rel", "seq_cst": r"seq_cst"}

sources = csource.load(ROOT)
functions = {function.name for source in sources.values() for function in source.functions}


def remarks(use):
    """The comments that stand near enough."""
    source, line = use.source, use.line
    for start, end in source.comments:
        if line - NEAR <= source.line(end - 1) <= line and source.line(start) <= line:
            yield source.text[start:end]


problems, checked = [], 0
for use in atomics.uses(sources, atomics.macros(ROOT)):
    if use.order == "relaxed" or use.category == "signal fence":
        continue
    checked += 1
    said = [text for text in remarks(use) if re.search(WORDS[use.order], text, re.IGNORECASE)]
    place = f"{use.source.name}:{use.line}: {use.call.name}"
    if not said:
        problems.append(f"{place}: no comment within {NEAR} lines says why it is {use.order}")
    elif not any(functions & set(re.findall(r"\w+", text)) for text in said):
        problems.append(f"{place}: its comment does not name the function of the other half")
finish(problems, checked)
