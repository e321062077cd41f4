"""ci/equivalents.txt: mutants that no execution tells from the original, each with the model that showed it and the
reason.

    cache.c:pass_on:order:acquire:1
    model: NAME, EXECUTIONS executions
    two lines of argument
    from RC11

An entry ends at an empty line; lines that begin with # are comments.
"""

import re
from dataclasses import dataclass

MODEL = re.compile(r"model: (\S+), ([\d,]+) executions")


class LedgerError(Exception):
    """An entry is malformed, or names what is no more."""


@dataclass
class Entry:
    id: str
    line: int
    model: str
    executions: int
    argument: str


def parse(text, name):
    """{id: Entry}"""
    entries, block = {}, []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if line.strip():
            block.append((number, line.strip()))
        elif block:
            entry = _entry(block, name)
            if entry.id in entries:
                raise LedgerError(f"{name}:{entry.line}: {entry.id} stands there twice")
            entries[entry.id] = entry
            block = []
    return entries


def _entry(block, name):
    number, id = block[0]
    model = MODEL.fullmatch(block[1][1]) if len(block) > 1 else None
    if not model:
        raise LedgerError(f"{name}:{number}: {id}: the second line is 'model: NAME, EXECUTIONS executions'")
    if len(block) != 4:
        raise LedgerError(f"{name}:{number}: {id}: the argument has two lines, not {len(block) - 2}")
    return Entry(id, number, model.group(1), int(model.group(2).replace(",", "")), " ".join(b[1] for b in block[2:]))


def check(entries, mutants, name):
    """Entries that name no mutant."""
    ids = {mutant.id for mutant in mutants}
    return [f"{name}:{e.line}: {e.id} is no mutant; ci/mutate --list prints them" for e in entries.values()
            if e.id not in ids]


def check_models(entries, models, name):
    """Entries that name no model."""
    return [f"{name}:{e.line}: {e.id}: there is no model '{e.model}'" for e in entries.values()
            if e.model not in models]
