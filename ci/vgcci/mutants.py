"""Mutants of gc/: each takes away one thing that orders its threads. They are found in the sources, so that what is
written tomorrow is mutated tomorrow; only what no syntax tells is listed (ci/mutants.txt)."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from . import atomics, csource, listed

KINDS = {
    "order": "a memory order, one step weaker",
    "failure": "the failure order of a compare-exchange, one step weaker",
    "fence": "a fence dropped; a signal fence together with the reordering that it forbids to the compiler",
    "split": "a read-modify-write made an atomic load and an atomic store",
    "swap": "a publication and the access before it exchanged",
    "check": "a re-check dropped (ci/mutants.txt)",
    "lock": "a lock not taken",
}


@dataclass
class Mutant:
    id: str     # cache.c:push:order:acquire:1
    kind: str
    file: str
    line: int
    description: str
    edits: list  # (file, start, end, text), apart from each other

    def contents(self, sources):
        """{file: text with the mutation}."""
        changed = {}
        for file in {edit[0] for edit in self.edits}:
            parts, done = [], 0
            for _, start, end, text in sorted(edit for edit in self.edits if edit[0] == file):
                parts += [sources[file].text[done:start], text]
                done = end
            changed[file] = "".join([*parts, sources[file].text[done:]])
        return changed

    def patch(self, sources):
        lines = []
        for file, after in sorted(self.contents(sources).items()):
            lines += difflib.unified_diff(sources[file].text.splitlines(keepends=True), after.splitlines(keepends=True),
                                          f"a/{file}", f"b/{file}")
        return "".join(lines)


class Collector:
    """Gives each mutant an id that an edit elsewhere in the file does not change."""

    def __init__(self):
        self.mutants, self.counts = [], {}

    def add(self, source, function, kind, what, at, description, edits):
        stem = ":".join([source.name.removeprefix("gc/"), function.name, kind, what])
        self.counts[stem] = self.counts.get(stem, 0) + 1
        line = source.line(at)
        self.mutants.append(Mutant(f"{stem}:{self.counts[stem]}", kind, source.name, line,
                                   f"{source.name}:{line}: {description}", edits))


def one_line(text):
    return " ".join(text.split())


# ---- Orders, split operations ----

def explicit_name(operation):
    return f"atomic_{operation}_explicit"


def reordered(use, known, order, failure):
    """The call with these orders, by the word of atomic.h if there is one."""
    values = ", ".join(use.values)
    for macro in known.values():
        if (macro.operation, macro.order, macro.failure) == (use.operation, order, failure):
            return f"{macro.name}({values})"
    orders = f"memory_order_{order}" + (f", memory_order_{failure}" if failure else "")
    return f"{explicit_name(use.operation)}({values}, {orders})"


def orders(uses, known, collector):
    for use in uses:
        file, call = use.source.name, use.call
        said = one_line(use.source.text[call.start:call.end])
        for order in atomics.WEAKER[use.category].get(use.order, []):
            collector.add(use.source, use.function, "order", order, call.start, f"{said}: {use.order} -> {order}",
                          [(file, call.start, call.end, reordered(use, known, order, use.failure))])
        for failure in atomics.FAILURE_WEAKER.get(use.failure, []):
            collector.add(use.source, use.function, "failure", failure, call.start,
                          f"{said}: failure order {use.failure} -> {failure}",
                          [(file, call.start, call.end, reordered(use, known, use.order, failure))])


SPLIT = {"exchange": "{1}", "fetch_add": "old_ + ({1})", "fetch_sub": "old_ - ({1})", "fetch_or": "old_ | ({1})",
         "fetch_and": "old_ & ({1})", "fetch_xor": "old_ ^ ({1})"}


def _halves(order):
    """The orders of the load and of the store that a read-modify-write falls into."""
    if order == "seq_cst":
        return order, order
    return ("acquire" if order in ("acquire", "acq_rel") else "relaxed",
            "release" if order in ("release", "acq_rel") else "relaxed")


def _alone(use):
    """Whether nothing uses the call's value."""
    code, call = use.source.code, use.call
    return code[call.end:].lstrip()[:1] == ";" and code[:call.start].rstrip()[-1:] in ";{})"


def splits(uses, collector):
    for use in uses:
        if use.category != "read-modify-write":
            continue
        load, store = (f"memory_order_{half}" for half in _halves(use.order))
        call, values = use.call, use.values
        read = (f"__auto_type place_ = ({values[0]}); "
                f"__auto_type old_ = atomic_load_explicit(place_, {load});")
        if use.operation.startswith("compare_exchange"):
            text = (f"({{ {read} __auto_type wanted_ = ({values[1]}); bool same_ = old_ == *wanted_; "
                    f"if (same_) atomic_store_explicit(place_, {values[2]}, {store}); else *wanted_ = old_; same_; }})")
        elif use.operation in SPLIT:
            value = SPLIT[use.operation].format(*values)
            result = "(void)old_;" if _alone(use) else "old_;"
            text = f"({{ {read} atomic_store_explicit(place_, {value}, {store}); {result} }})"
        else:
            raise atomics.AtomicError(f"{use.source.name}:{use.line}: no split is known for {use.operation}")
        collector.add(use.source, use.function, "split", use.operation, call.start,
                      f"{one_line(use.source.text[call.start:call.end])}: a load and a store",
                      [(use.source.name, call.start, call.end, text)])


# ---- Moved statements: fences and publications ----

# Calls that store nothing that other threads read.
SILENT = re.compile(r"POINT|OPAQUE|KEEP_ALIVE|LIKELY|UNLIKELY|sizeof|platform_edge_\w+|platform_(?:un)?poison|poison"
                    r"|event_record|lock_assert_held|platform_now_ns|load_\w+|atomic_load_explicit|bitmap_\w+"
                    r"|span_remote|span_class|span_state|signal_order|if|for|while|switch|return")
ASSIGNMENT = re.compile(r"(?<![=!<>])(?:[-+|&^*/%]|<<|>>)?=(?!=)|\+\+|--")


def _calls(code):
    return [name for name in re.findall(r"\b([A-Za-z_]\w*)\s*\(", code) if not SILENT.fullmatch(name)]


def _assigned_locals(code):
    """Plain names that the statement gives a value."""
    return set(re.findall(r"(?<![\w.>\])])([A-Za-z_]\w*)\s*(?:[-+|&^*/%]|<<|>>)?=(?!=)", code))


def accesses(source, statement):
    """Whether it stores something, calls what may, or reads shared memory into a local."""
    code = source.code[statement.start:statement.end]
    if statement.kind == "declaration":
        return False
    if _calls(code):
        return True
    return bool(ASSIGNMENT.search(code)) and ("->" in code or "[" in code or "*" in code)


def depends(source, later, earlier):
    """Whether the later statement uses a name that the earlier one gives a value."""
    return bool(_assigned_locals(source.code[earlier.start:earlier.end])
                & set(re.findall(r"\w+", source.code[later.start:later.end])))


def text_of(source, statement):
    return one_line(source.text[statement.start:statement.end])


def moved(source, statement, before=None, after=None):
    """Edits that move a statement in front of another or behind it."""
    said = source.text[statement.start:statement.end]
    target = (before.start, before.start, said + " ") if before else (after.end, after.end, " " + said)
    return [(source.name, statement.start, statement.end, ""), (source.name, *target)]


def exchanged(source, block, first, second):
    """Edits that exchange two statements of a block; what lies between stays there, so that a test can stop between
    them, unless the second needs it: then the first is moved behind the second."""
    between = block[block.index(first) + 1:block.index(second)]
    if any(s.kind == "declaration" and _declares(source, s, second) for s in between):
        return moved(source, first, after=second)
    if any(s.kind not in ("declaration", "expression") for s in between):
        return moved(source, second, before=first)
    return [(source.name, s.start, s.end, source.text[o.start:o.end]) for s, o in ((first, second), (second, first))]


def _declares(source, declaration, statement):
    """Whether the statement uses a name that the declaration introduces."""
    names = re.findall(r"(\w+)\s*(?:[=;,\[])", source.code[declaration.start:declaration.end])
    return bool(set(names) & set(re.findall(r"\w+", source.code[statement.start:statement.end])))


def _neighbour(source, block, index, step, accept, moving=None):
    """The nearest statement in that direction that accept takes, over what has no effect; nothing beyond a jump, or
    beyond a declaration that the moving statement needs."""
    at = index + step
    while 0 <= at < len(block):
        statement = block[at]
        if statement.kind in ("return", "break", "continue", "goto", "label"):
            return None
        if statement.kind == "declaration" and moving and _declares(source, statement, moving):
            return None
        if accept(statement):
            return statement
        if step > 0 and csource.leaves(source, statement):
            return None
        at += step
    return None


def _publishes(source, statement, releasing, publishers):
    """Whether the statement as a whole is a publication."""
    inside = [use for use in releasing if statement.start <= use.call.start < statement.end]
    if statement.kind == "expression":
        name = re.match(r"\w+", source.code[statement.start:])
        return bool(inside) or bool(name) and name.group(0) in publishers
    return (statement.kind == "for" and bool(inside) and len(statement.parts[0]) == 1
            and statement.parts[0][0].kind == "expression" and all(u.call.start >= statement.head[1] for u in inside))


def _publishers(source, releasing):
    """Static functions that end with a publication: their calls are publications too."""
    found = set()
    for function in source.functions:
        effects = [s for s in function.body if s.kind != "declaration" and not source.said(s).startswith("POINT(")]
        if effects and source.code[function.start:].startswith("static") \
                and _publishes(source, effects[-1], releasing, set()):
            found.add(function.name)
    return found


def swaps(sources, uses, collector):
    for source in sources.values():
        releasing = [use for use in uses if use.source is source and use.releases and "fence" not in use.category]
        publishers = _publishers(source, releasing)
        for function in source.functions:
            for block in function.blocks():
                for index, statement in enumerate(block):
                    _swap_one(source, function, block, index, statement, releasing, publishers, collector)


def _swap_one(source, function, block, index, statement, releasing, publishers, collector):
    if statement.kind == "do" and any(use.call.start >= statement.head[0] for use in releasing
                                      if statement.start <= use.call.start < statement.end):
        inner = statement.parts[0]
        first = _neighbour(source, inner, len(inner), -1, lambda s: accesses(source, s))
        if first:
            collector.add(source, function, "swap", "do", first.start,
                          f"{text_of(source, first)} after the loop that publishes it",
                          moved(source, first, after=statement))
        return
    if not _publishes(source, statement, releasing, publishers):
        return
    first = _neighbour(source, block, index, -1,
                       lambda s: accesses(source, s) and not (s.kind == "if" and csource.leaves(source, s)), statement)
    places = [use.values[0] for use in releasing if statement.start <= use.call.start < statement.end]
    if first and not depends(source, statement, first) and not any(p in text_of(source, first) for p in places):
        collector.add(source, function, "swap", "publication", statement.start,
                      f"{text_of(source, statement)[:80]} before {text_of(source, first)[:60]}",
                      exchanged(source, block, first, statement))


def fences(sources, uses, collector):
    for use in uses:
        if use.category == "thread fence":
            collector.add(use.source, use.function, "fence", "thread", use.call.start,
                          f"{one_line(use.source.text[use.call.start:use.call.end])} dropped",
                          [(use.source.name, use.call.start, use.call.end, "(void)0")])
        elif use.category == "signal fence":
            _signal_fence(sources, use, collector)


def _find(function, offset):
    """(block, index) of the statement at that offset."""
    for block in function.blocks():
        for index, statement in enumerate(block):
            if statement.start <= offset < statement.end and not statement.parts:
                return block, index
    raise atomics.AtomicError(f"{function.name}: no statement at offset {offset}")


def _signal_fence(sources, use, collector):
    """Dropped, and what it kept apart exchanged: a compiler that happens not to do so proves nothing. A fence at the
    edge of a function keeps the function's call apart from what its callers do."""
    source, function = use.source, use.function
    block, index = _find(function, use.call.start)
    drop = (source.name, block[index].start, block[index].end, "")

    def effect(where):
        return lambda s: accesses(where, s) and "signal_order" not in where.said(s)

    before, after = (_neighbour(source, block, index, step, effect(source)) for step in (-1, 1))
    if before and after:
        collector.add(source, function, "fence", "signal", use.call.start,
                      f"signal_order() dropped: {text_of(source, before)[:60]} after {text_of(source, after)[:60]}",
                      [drop, *exchanged(source, block, before, after)])
        return
    if block is not function.body or not (before or after):
        raise atomics.AtomicError(f"{source.name}:{use.line}: a fence with nothing on one side of it")
    edits, said = [drop], []
    for caller_source in sources.values():
        for call in csource.calls(caller_source, function.name):
            caller = caller_source.function_at(call.start)
            if caller and caller is not function:
                said += _around_call(caller_source, caller, call, not before, effect(caller_source), edits)
    collector.add(source, function, "fence", "signal", use.call.start,
                  f"signal_order() dropped, in every caller: {'; '.join(said)}", edits)


def _around_call(source, caller, call, leading, effect, edits):
    """Exchanges the call with what the fence at its edge keeps apart from it."""
    block, index = _find(caller, call.start)
    statement = block[index]
    other = _neighbour(source, block, index, -1 if leading else 1, effect)
    if not other or csource.leaves(source, other) and leading:
        return []
    edits += exchanged(source, block, *((other, statement) if leading else (statement, other)))
    return [f"{text_of(source, statement)} {'before' if leading else 'after'} {text_of(source, other)[:40]}"]


# ---- Locks ----

ONCE = "pthread_once"


def release_of(name):
    if name == "pthread_mutex_lock":
        return "pthread_mutex_unlock"
    if name.endswith("lock_acquire"):
        return name.removesuffix("acquire") + "release"
    return re.sub(r"lock(_all)?$", r"unlock\1", name)


def _no_call(call):
    return f"(void)({', '.join(call.arguments)})" if call.arguments else "(void)0"


def _releases(source, function, acquire):
    """The releases up to the next acquisition of the same lock."""
    found = [call for call in csource.calls(source, release_of(acquire.name), function.open, function.end)
             if call.arguments == acquire.arguments]
    again = [call.start for call in csource.calls(source, acquire.name, function.open, function.end)
             if call.arguments == acquire.arguments and call.start > acquire.start]
    return [call for call in found if acquire.start < call.start < (again[0] if again else function.end)]


def locks(sources, collector):
    names = {function.name for source in sources.values() for function in source.functions}
    names.add("pthread_mutex_unlock")
    for source in sources.values():
        for function in source.functions:
            if listed.LOCKING.fullmatch(function.name):
                continue  # the calls of a function that locks for its caller are the sites
            for call in csource.calls(source, listed.LOCKING.pattern, function.open, function.end):
                if release_of(call.name) in names:
                    _lock_one(source, function, call, collector)
            for call in csource.calls(source, ONCE, function.open, function.end):
                collector.add(source, function, "lock", "once", call.start,
                              f"{one_line(source.text[call.start:call.end])}: the function called by everybody",
                              [(source.name, call.start, call.end,
                                f"((void)({call.arguments[0]}), {call.arguments[1]}())")])


def _released_for_callers(source, acquire):
    """By functions that do so for their callers: those that pair with a function that locks for them come last."""
    pairs = {release_of(function.name) for function in source.functions if listed.LOCKING.fullmatch(function.name)}
    found = {False: [], True: []}
    for other in source.functions:
        if not list(csource.calls(source, acquire.name, other.open, other.end)):
            releases = csource.calls(source, release_of(acquire.name), other.open, other.end)
            found[other.name in pairs] += [call for call in releases if call.arguments == acquire.arguments]
    return found[False] or found[True]


def _lock_one(source, function, call, collector):
    released = _releases(source, function, call)
    if not released:
        released = _released_for_callers(source, call)
    if not released:
        raise atomics.AtomicError(f"{source.name}:{source.line(call.start)}: {call.name} without a release that "
                                  "ci/mutate could drop with it")
    words = call.arguments if call.name in ("lock_acquire", "pthread_mutex_lock") else [call.name, *call.arguments]
    what = re.sub(r"\W+", "_", "_".join(words)).strip("_")
    where = ", ".join(str(source.line(r.start)) for r in released)
    collector.add(source, function, "lock", what, call.start,
                  f"{one_line(source.text[call.start:call.end])} dropped, with its release in line {where}",
                  [(source.name, c.start, c.end, _no_call(c)) for c in (call, *released)])


def every(root):
    """(sources, mutants) of the tree."""
    sources = csource.load(root)
    known = atomics.macros(root)
    uses = list(atomics.uses(sources, known))
    collector = Collector()
    orders(uses, known, collector)
    fences(sources, uses, collector)
    splits(uses, collector)
    swaps(sources, uses, collector)
    listed.collect(sources, collector, Path(root) / "ci/mutants.txt")
    locks(sources, collector)
    names = list(sources)
    collector.mutants.sort(key=lambda m: (list(KINDS).index(m.kind), names.index(m.file), m.line, m.id))
    return sources, collector.mutants
