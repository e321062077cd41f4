"""The ablation file: a small edit of gc/ that puts a bug back.

    title: one line
    detector: whitebox                 whitebox | tsan [PROGRAM ARGS] | asan [PROGRAM ARGS] | stress PROGRAM ARGS
    kill: deadlock                     optional: the watchdog's verdict counts
    file: gc/cache.c
    <<<<<<<
    old text, exactly once in the file
    =======
    new text
    >>>>>>>

More blocks and more files may follow. Lines starting with # before the first file are comments.
"""

import difflib
from dataclasses import dataclass, field

from .paths import BUGS, relative

DETECTORS = ("whitebox", "tsan", "asan", "stress")


class AblationError(Exception):
    """The file is malformed or no longer applies."""


@dataclass
class Ablation:
    id: str
    title: str = ""
    detector: str = "whitebox"
    kill: str = ""
    blocks: list = field(default_factory=list)  # (file, old, new)


def _fail(path, number, why):
    raise AblationError(f"{relative(path)}:{number}: {why}")


def parse(text, path, id):
    ablation = Ablation(id)
    file = part = None
    old, new = [], []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        bare = line.rstrip("\n")
        if part is None and bare == "<<<<<<<":
            if file is None:
                _fail(path, number, "a block stands before any 'file:' line")
            part, old, new = "old", [], []
        elif part == "old" and bare == "=======":
            part = "new"
        elif part == "new" and bare == ">>>>>>>":
            if not "".join(old).strip():
                _fail(path, number, "the old text is empty")
            if old == new:
                _fail(path, number, "old and new text are the same")
            ablation.blocks.append((file, "".join(old), "".join(new)))
            part = None
        elif part:
            (old if part == "old" else new).append(line)
        elif not bare.strip() or bare.startswith("#"):
            continue
        else:
            key, colon, value = bare.partition(":")
            value = value.strip()
            if not colon or key not in ("title", "detector", "kill", "file"):
                _fail(path, number, f"'{bare}' is none of 'title: ', 'detector: ', 'kill: ', 'file: ', '<<<<<<<'")
            if key == "file":
                if not value.startswith("gc/") or ".." in value:
                    _fail(path, number, f"'{value}' is not a file of gc/")
                file = value
            elif key == "detector":
                words = value.split()
                if not words or words[0] not in DETECTORS or (words[0] == "stress" and len(words) < 2):
                    _fail(path, number, f"detector '{value}': expected one of {', '.join(DETECTORS)}; "
                                        "stress needs a program")
                ablation.detector = value
            elif key == "kill":
                if value != "deadlock":
                    _fail(path, number, f"kill '{value}': only 'deadlock' may be declared")
                ablation.kill = value
            else:
                ablation.title = value
    if part:
        _fail(path, number, "the last block is not closed by >>>>>>>")
    if not ablation.blocks:
        _fail(path, 1, "holds no block")
    if not ablation.title:
        _fail(path, 1, "has no 'title:'")
    return ablation


def load(id):
    path = BUGS / f"{id}.ablation"
    try:
        return parse(path.read_text(), path, id)
    except OSError as error:
        raise AblationError(f"{relative(path)}: {error.strerror}") from None


def apply(ablation, root):
    """{file: new contents}; changes nothing on disk."""
    contents = {}
    for file, old, new in ablation.blocks:
        if file not in contents:
            try:
                contents[file] = (root / file).read_text()
            except OSError as error:
                raise AblationError(f"no longer applies: {file}: {error.strerror}") from None
        count = contents[file].count(old)
        if count != 1:
            first = old.strip().splitlines()[0].strip()
            raise AblationError(f"no longer applies: old text occurs {count} times in {file}, expected once: '{first}'")
        contents[file] = contents[file].replace(old, new)
    return contents


def write(ablation):
    """The text of the file."""
    lines = [f"title: {ablation.title}\n", f"detector: {ablation.detector}\n"]
    if ablation.kill:
        lines.append(f"kill: {ablation.kill}\n")
    file = None
    for name, old, new in ablation.blocks:
        if name != file:
            lines.append(f"file: {name}\n")
            file = name
        lines += ["<<<<<<<\n", old, "=======\n", new, ">>>>>>>\n"]
    return "".join(lines)


def from_contents(id, title, before, after):
    """An ablation that turns the files of before into those of after ({file: text}), each block widened until its old
    text is unique."""
    ablation = Ablation(id, title)
    for file in sorted(after):
        if before.get(file) == after[file]:
            continue
        if file not in before or not after[file]:
            raise AblationError(f"{file} is created or deleted; an ablation can only edit")
        old, new = (text.splitlines(keepends=True) for text in (before[file], after[file]))
        done = 0  # old lines below this are in a block already
        spans = []
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            while before[file].count("".join(old[i1:i2])) != 1 or i1 == i2:
                if i1 > done:
                    i1, j1 = i1 - 1, j1 - 1
                elif i2 < len(old):
                    i2, j2 = i2 + 1, j2 + 1
                else:
                    raise AblationError(f"{file}: no unique text around line {i1 + 1}")
            spans.append((i1, i2, j1, j2))
            done = i2
        ablation.blocks += [(file, "".join(old[a:b]), "".join(new[c:d])) for a, b, c, d in _merge(spans)]
    if not ablation.blocks:
        raise AblationError("changes nothing in gc/")
    return ablation


def _merge(spans):
    """Blocks that grew into their neighbour become one."""
    merged = []
    for span in spans:
        if merged and (span[0] < merged[-1][1] or span[2] < merged[-1][3]):
            first = merged.pop()
            span = (min(first[0], span[0]), max(first[1], span[1]), min(first[2], span[2]), max(first[3], span[3]))
        merged.append(span)
    return merged
