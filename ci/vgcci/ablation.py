"""The ablation file: a small edit of gc/ that puts a bug back.

    title: one line
    detector: whitebox                 whitebox | tsan [PROGRAM ARGS] | asan [PROGRAM ARGS] | stress PROGRAM ARGS
                                       | interleave
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

DETECTORS = ("whitebox", "tsan", "asan", "stress", "interleave")


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


def occurrences(part, text):
    """Offsets of part in text, overlapping ones too."""
    found, at = [], text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return found


def apply(ablation, root):
    """{file: new contents}; changes nothing on disk."""
    originals, edits = {}, {}
    for file, old, new in ablation.blocks:
        if file not in originals:
            try:
                originals[file] = (root / file).read_text()
            except OSError as error:
                raise AblationError(f"no longer applies: {file}: {error.strerror}") from None
        found = occurrences(old, originals[file])
        if len(found) != 1:
            first = old.strip().splitlines()[0].strip()
            raise AblationError(f"no longer applies: old text occurs {len(found)} times in {file}, expected once: "
                                f"'{first}'")
        edits.setdefault(file, []).append((found[0], old, new))
    return {file: _edited(originals[file], sorted(edits[file]), file) for file in originals}


def diff(ablation, root):
    """As a unified diff for patch -p1."""
    lines = []
    for file, text in apply(ablation, root).items():
        lines += difflib.unified_diff((root / file).read_text().splitlines(keepends=True),
                                      text.splitlines(keepends=True), f"a/{file}", f"b/{file}")
    return "".join(lines)


def _edited(text, edits, file):
    parts, done = [], 0
    for at, old, new in edits:
        if at < done:
            raise AblationError(f"{file}: two blocks overlap at '{old.strip().splitlines()[0].strip()}'")
        parts += [text[done:at], new]
        done = at + len(old)
    return "".join([*parts, text[done:]])


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


class _Diff:
    """Two texts as lines, and for a range of old lines the new ones in its place."""

    def __init__(self, before, after):
        self.before = before
        self.old, self.new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        self.codes = difflib.SequenceMatcher(None, self.old, self.new, autojunk=False).get_opcodes()

    def changes(self):
        return [(i1, i2) for tag, i1, i2, _, _ in self.codes if tag != "equal"]

    def snap(self, low, high):
        """The range, grown to whole changes."""
        for tag, i1, i2, _, _ in self.codes:
            if tag != "equal" and i1 < high and low < i2:
                low, high = min(low, i1), max(high, i2)
        return low, high

    def widen(self, low, high):
        """The smallest range around it whose old text occurs once."""
        while high == low or len(occurrences("".join(self.old[low:high]), self.before)) != 1:
            if low == 0 and high == len(self.old):
                return low, high
            low, high = self.snap(max(0, low - 1), min(len(self.old), high + 1))
        return low, high

    def replacement(self, low, high):
        begin = end = None
        for tag, i1, i2, j1, j2 in self.codes:
            inside = tag == "equal"
            if begin is None and (i1 == i2 == low or i1 <= low < i2):
                begin = j1 + (low - i1 if inside else 0)
            if i1 == i2 == high or i1 < high <= i2:
                end = j1 + (high - i1) if inside else j2
        return "".join(self.new[begin:end])


def from_contents(id, title, before, after):
    """An ablation that turns the files of before into those of after ({file: text}), each block widened until its old
    text is unique."""
    ablation = Ablation(id, title)
    for file in sorted(after):
        if before.get(file) == after[file]:
            continue
        if not before.get(file) or not after[file]:
            raise AblationError(f"{file} is created or deleted; an ablation can only edit")
        diff = _Diff(before[file], after[file])
        ranges = []
        for low, high in sorted(diff.widen(*change) for change in diff.changes()):
            if ranges and low <= ranges[-1][1]:  # grew into its neighbour
                low, high = ranges[-1][0], max(high, ranges.pop()[1])
            ranges.append((low, high))
        ablation.blocks += [(file, "".join(diff.old[low:high]), diff.replacement(low, high)) for low, high in ranges]
    if not ablation.blocks:
        raise AblationError("changes nothing in gc/")
    return ablation
