"""ci/mutants.txt: mutants that no syntax shows, each an edit inside one function."""

import re
from dataclasses import dataclass, field

from . import ablation, csource
from .atomics import AtomicError

HEAD = re.compile(r"(\S+\.[ch]):(\w+):(check|swap):(\w+)\s+(.+)")
NOT = re.compile(r"not (\S+\.[ch]):(\w+)\s+(.+)")
LOCKING = re.compile(r"lock_acquire|pthread_mutex_lock|\w+_lock|\w+_lock_all|\w+_lock_acquire")
NEAR = 4  # statements after the lock within which a condition counts as a re-check


@dataclass
class Entry:
    file: str
    function: str
    kind: str
    name: str
    why: str
    old: list = field(default_factory=list)
    new: list = field(default_factory=list)

    @property
    def id(self):
        return f"{self.file}:{self.function}:{self.kind}:{self.name}"


def parse(text, name):
    """(entries, {(file, function)} that have none on purpose)"""
    entries, none, state = [], set(), None
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{name}:{number}"
        if state in ("old", "new"):
            if line == ("=======" if state == "old" else ">>>>>>>"):
                state = "new" if state == "old" else None
            else:
                getattr(entries[-1], state).append(line)
        elif state == "head":
            if line != "<<<<<<<":
                raise AtomicError(f"{place}: expected '<<<<<<<'")
            state = "old"
        elif line.strip() and not line.startswith("#"):
            head, exempt = HEAD.fullmatch(line), NOT.fullmatch(line)
            if exempt:
                none.add(exempt.groups()[:2])
            elif head:
                entries.append(Entry(*head.groups()))
                state = "head"
            else:
                raise AtomicError(f"{place}: expected 'FILE:FUNCTION:check|swap:NAME  what is lost' or "
                                  "'not FILE:FUNCTION  why'")
    if state:
        raise AtomicError(f"{name}: the last block is not closed by >>>>>>>")
    return entries, none


def _edit(entry, source, function, name):
    old, new = "\n".join(entry.old), "\n".join(entry.new)
    found = ablation.occurrences(old, source.text[function.start:function.end]) if old else []
    if len(found) != 1:
        raise AtomicError(f"{name}: {entry.id}: '{' '.join(old.split())}' occurs {len(found)} times in "
                          f"{entry.function}, expected once")
    at = function.start + found[0]
    # Lines keep their numbers.
    new += "\n" * max(0, old.count("\n") - new.count("\n"))
    return at, (source.name, at, at + len(old), new)


def rechecking(sources):
    """{(file, function)} in which a condition reads an atomic right after a lock is taken."""
    for source in sources.values():
        for function in source.functions:
            for block in function.blocks():
                for index, statement in enumerate(block):
                    name = re.match(r"\w+", source.code[statement.start:])
                    if statement.kind != "expression" or not name or not LOCKING.fullmatch(name.group(0)):
                        continue
                    if any(_conditional(source, later) for later in block[index + 1:index + 1 + NEAR]):
                        yield source.name.removeprefix("gc/"), function.name


def _conditional(source, statement):
    code = source.code[statement.start:statement.end]
    if statement.kind == "if":
        code = source.code[slice(*statement.head)]
    elif not re.search(r"\bbool\b|==|!=", code):
        return False
    return bool(re.search(r"\bload_\w+\(|\bbirth\b", code))


def collect(sources, collector, path):
    entries, none = parse(path.read_text(), path.name)
    for entry in entries:
        source = sources.get(f"gc/{entry.file}")
        function = source and next((f for f in source.functions if f.name == entry.function), None)
        if not function:
            raise AtomicError(f"{path.name}: {entry.id}: there is no function {entry.function} in gc/{entry.file}")
        at, edit = _edit(entry, source, function, path.name)
        collector.add(source, function, entry.kind, entry.name, at, entry.why, [edit])
    known = {(entry.file, entry.function) for entry in entries if entry.kind == "check"}
    for file, function in sorted(set(rechecking(sources))):
        if (file, function) not in known | none:
            raise AtomicError(f"gc/{file}: {function}: a condition reads an atomic right after a lock is taken: if it "
                              f"is a re-check, list it in {path.name}, else say there why not")
