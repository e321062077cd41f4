#!/usr/bin/env python3
"""Derives the outcomes of the litmus tests from the axioms and compares them with what the tests declare.

The sources are read as text; nothing is compiled or run. For each test every execution graph is built: events in the
order of some execution, each load reading any store that is there already, each modification after those before it.
Load buffering, and modification orders that no order of execution has, are thereby left out, as in interleave. A graph
counts if it satisfies RC11 (Lahav, Vafeiadis, Kang, Hur, Dreyer: Repairing Sequential Consistency in C/C++11, 2017)
with the release sequences of C17 5.1.2.4: coherence, atomicity, and the partial order of seq_cst. Of the last more is
asked, as in interleave and in C17 itself: that some order of execution agrees with it."""

import argparse
import itertools
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ACQUIRES = {"con", "acq", "ar", "sc"}
RELEASES = {"rel", "ar", "sc"}


class Event:
    """One step of a thread. `reads` and `writes` are values or None; `source` is the index of the store read."""

    def __init__(self, thread, kind, location, order, reads=None, writes=None, source=None):
        self.thread, self.kind, self.location, self.order = thread, kind, location, order
        self.reads, self.writes, self.source = reads, writes, source


# ---- Sources -------------------------------------------------------------------------------------------------------

def blocks(text):
    """name -> body of every `static void name(void) {...}` or `void name(void) {...}`."""
    found = {}
    for match in re.finditer(r"^(?:static )?void (\w+)\(void\) \{", text, re.M):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        found[match[1]] = text[match.end():end - 1]
    return found


def expression(text):
    """C to Python: each access becomes a yield."""
    def call(match):
        arguments = [a.strip() for a in match[2].split(",")]
        shown = ", ".join(repr(a) if re.fullmatch(r"[a-z]+", a) else f"({expression(a)})" for a in arguments)
        return f"(yield ({match[1]!r}, {shown}))"
    text = re.sub(r"\b(load|add|swap|cas|cas_weak)\(([^()]*)\)", call, text)
    text = re.sub(r"(?<!')\bd\b(?!')", "(yield ('get', 'd'))", text)
    return text.replace("&&", " and ").replace("!=", "\0").replace("!", " not ").replace("\0", "!=")


def statements(text, indent):
    """C statements to lines of Python."""
    lines, text = [], text.strip()
    while text:
        if text.startswith("if ("):
            depth, end = 1, 4
            while depth:
                depth += {"(": 1, ")": -1}.get(text[end], 0)
                end += 1
            lines.append(f"{indent}if {expression(text[4:end - 1])}:")
            text = text[end:].strip()
            if text.startswith("{"):
                end = text.index("}")
                lines += statements(text[1:end], indent + "  ")
            else:
                end = text.index(";")
                lines += statements(text[:end + 1], indent + "  ")
            text = text[end + 1:].strip()
            continue
        one, text = text.split(";", 1)
        text = text.strip()
        match = re.fullmatch(r"(store|fence)\((.*)\)", one, re.S)
        if match:
            arguments = [a.strip() for a in match[2].split(",")]
            shown = ", ".join(repr(a) if re.fullmatch(r"[a-z]+", a) else expression(a) for a in arguments)
            lines.append(f"{indent}yield ({match[1]!r}, {shown})")
        elif one.startswith("d = "):
            lines.append(f"{indent}yield ('put', 'd', {expression(one[4:])})")
        else:
            lines.append(indent + expression(one))
    return lines


def program(name, body):
    """A generator function of (r): yields accesses, is sent what they read."""
    text = f"def {name}(r):\n" + "\n".join(statements(body, "  ")) + "\n  return\n  yield\n"
    scope = {}
    exec(text, scope)  # pylint: disable=exec-used
    return scope[name]


def tests(paths):
    """All tests as (name, declared set or None for a race, registers, finally, threads)."""
    shared = blocks((HERE / "litmus.c").read_text())
    for path in paths:
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        own = {**shared, **blocks(text)}
        # Latest first: a macro may use those before it.
        for name, value in reversed(re.findall(r'^#define (\w+)\s+((?:\\\n|[^\n])*)', text, re.M)):
            text = re.sub(rf"(?<!#define )\b{name}\b", lambda _, v=value: v.replace("\\\n", " "), text)
        for match in re.finditer(r"^(LITMUS|RACY)\((.*?)\);", text, re.M | re.S):
            parts = re.findall(r'((?:"[^"]*"\s*)+|[^,"\s]+)', match[2])
            parts = [re.sub(r'"\s*"', "", p).strip() for p in parts]
            if match[1] == "RACY":
                name, declared, registers, finish, threads = parts[0], None, 0, "NULL", parts[2:]
            else:
                name, declared, registers, finish = parts[0], parts[2].strip('"'), int(parts[3]), parts[4]
                threads = parts[5:]
            yield (name, declared, registers, None if finish == "NULL" else program(finish, own[finish]),
                   [program(t, own[t]) for t in threads])


# ---- Relations: a list of bit masks, rows[a] has bit b when a is related to b --------------------------------------

def closure(rows):
    rows = list(rows)
    for middle, bit in enumerate(1 << i for i in range(len(rows))):
        for a, row in enumerate(rows):
            if row & bit:
                rows[a] |= rows[middle]
    return rows


def compose(left, right):
    result = []
    for row in left:
        out = 0
        while row:
            low = row & -row
            out |= right[low.bit_length() - 1]
            row ^= low
        result.append(out)
    return result


def union(*relations):
    return [sum_bits(rows) for rows in zip(*relations)]


def sum_bits(rows):
    out = 0
    for row in rows:
        out |= row
    return out


def identity(n, chosen=None):
    return [1 << i if chosen is None or i in chosen else 0 for i in range(n)]


def cyclic(rows):
    return any(row >> i & 1 for i, row in enumerate(closure(rows)))


class Graph:
    """Events in the order of execution (that is also each location's modification order) and the derived relations."""

    def __init__(self, events, threads):
        self.events, self.n = events, len(events)
        n = self.n
        self.sb = [0] * n
        for a, b in itertools.combinations(range(n), 2):
            first, second = events[a].thread, events[b].thread
            # The initial stores are before all threads, `finally` (thread number `threads`) after all.
            if first == second or first < 0 <= second or second == threads:
                self.sb[a] |= 1 << b
        self.same = [sum_bits(1 << b for b in range(n) if events[a].location is not None
                              and events[a].location == events[b].location) for a in range(n)]
        writes = {a for a in range(n) if events[a].writes is not None}
        self.mo = [sum_bits(1 << b for b in writes if b > a) & self.same[a] if a in writes else 0 for a in range(n)]
        self.rf = [0] * n
        self.fr = [0] * n
        for b, event in enumerate(events):
            if event.source is not None:
                self.rf[event.source] |= 1 << b
                self.fr[b] = self.mo[event.source] & ~(1 << b)
        self.hb = closure(union(self.sb, self.synchronizes()))

    def release_sequence(self, head):
        """C17: the contiguous run of modifications that begins with head, by its thread or read-modify-write."""
        members = [head]
        for b in range(head + 1, self.n):
            event = self.events[b]
            if event.writes is None or event.location != self.events[head].location:
                continue
            if event.thread != self.events[head].thread and event.kind != "U":
                break
            members.append(b)
        return members

    def synchronizes(self):
        sw = [0] * self.n
        for head, event in enumerate(self.events):
            if event.writes is None or event.order in ("na", "init"):
                continue
            sources = [head] if event.order in RELEASES else []
            sources += [f for f in range(head) if self.events[f].kind == "F" and self.events[f].order in RELEASES
                        and self.sb[f] >> head & 1 and self.events[f].thread == event.thread]
            if not sources:
                continue
            for member in self.release_sequence(head):
                for b, read in enumerate(self.events):
                    if read.source != member or read.order == "na" or read.thread == event.thread:
                        continue
                    targets = [b] if read.order in ACQUIRES else []
                    targets += [f for f in range(b, self.n) if self.events[f].kind == "F"
                                and self.events[f].order in ACQUIRES and self.events[f].thread == read.thread]
                    for a, t in itertools.product(sources, targets):
                        sw[a] |= 1 << t
        return sw

    def consistent(self):
        if cyclic(self.hb):
            return False
        eco = closure(union(self.rf, self.mo, self.fr))
        if any(row >> i & 1 for i, row in enumerate(compose(self.hb, eco))):
            return False
        # Atomicity: nothing between what a read-modify-write read and what it wrote.
        for b, event in enumerate(self.events):
            if event.kind == "U" and self.fr[b] & ~(1 << b) & sum_bits(
                    1 << c for c in range(self.n) if self.mo[c] >> b & 1):
                return False
        return not cyclic(union(self.sb, self.rf, self.mo, self.psc(eco)))

    def psc(self, eco):
        n = self.n
        everything = identity(n)
        accesses = identity(n, {i for i, e in enumerate(self.events) if e.order == "sc"})
        fences = identity(n, {i for i, e in enumerate(self.events) if e.order == "sc" and e.kind == "F"})
        other = [row & ~same for row, same in zip(self.sb, self.same)]
        scb = union(self.sb, compose(compose(other, self.hb), other),
                    [row & same for row, same in zip(self.hb, self.same)], self.mo, self.fr)
        maybe = union(everything, self.hb)
        base = compose(compose(union(accesses, compose(fences, maybe)), scb), union(accesses, compose(maybe, fences)))
        between = union(self.hb, compose(compose(self.hb, eco), self.hb))
        return union(base, compose(compose(fences, between), fences))

    def racy(self):
        for a, b in itertools.combinations(range(self.n), 2):
            first, second = self.events[a], self.events[b]
            if (first.location is not None and first.location == second.location and "na" in (first.order, second.order)
                    and (first.writes is not None or second.writes is not None)
                    and not self.hb[a] >> b & 1 and not self.hb[b] >> a & 1):
                return True
        return False


# ---- All executions of a test --------------------------------------------------------------------------------------

def steps(request, events, thread):
    """What one access can do: (event, value sent back to the program) for each store that it may read."""
    kind, location, *rest = request
    if kind == "fence":
        yield Event(thread, "F", None, location), None
        return
    stores = [i for i, e in enumerate(events) if e.location == location and e.writes is not None]
    last = stores[-1]
    if kind in ("store", "put"):
        yield Event(thread, "W", location, rest[1] if kind == "store" else "na", writes=rest[0]), None
    elif kind in ("load", "get"):
        order = rest[0] if kind == "load" else "na"
        for s in stores:
            yield Event(thread, "R", location, order, reads=events[s].writes, source=s), events[s].writes
    elif kind in ("add", "swap"):
        old = events[last].writes
        yield (Event(thread, "U", location, rest[1], old, old + rest[0] if kind == "add" else rest[0], last), old)
    else:
        expected, desired, success, failure = rest
        if events[last].writes == expected:
            yield Event(thread, "U", location, success, expected, desired, last), 1
        for s in stores:
            if events[s].writes != expected or kind == "cas_weak":
                yield Event(thread, "R", location, failure, reads=events[s].writes, source=s), 0


def replay(function, answers):
    """The program's next request after these answers (None at its end), and what it left in the registers."""
    registers = {}
    running = function(Registers(registers))
    try:
        request = next(running)
        for answer in answers:
            request = running.send(answer)
        return request, registers
    except StopIteration:
        return None, registers


class Registers:
    def __init__(self, values):
        self.values = values

    def __getitem__(self, index):
        return self.values.get(index, 0)

    def __setitem__(self, index, value):
        self.values[index] = int(value)


def key(events):
    """Equal for executions that differ only in the order of unrelated steps."""
    names, counts, order = {}, {}, {}
    for i, event in enumerate(events):
        counts[event.thread] = counts.get(event.thread, 0) + 1
        names[i] = (event.thread, counts[event.thread])
        if event.writes is not None:
            order.setdefault(event.location, []).append(names[i])
    steps_of_threads = sorted((names[i], e.kind, e.location, e.order, e.writes, names.get(e.source))
                              for i, e in enumerate(events) if e.thread >= 0)
    return tuple(steps_of_threads), tuple((place, tuple(stores)) for place, stores in sorted(order.items()))


def executions(threads, finish, count_registers):
    """Yields (outcome, racy) once for each consistent graph."""
    initial = [Event(-1, "W", location, "init", writes=0) for location in ("x", "y", "z", "d")]
    seen, work = set(), [(initial, tuple(() for _ in range(len(threads) + 1)))]
    while work:
        events, answers = work.pop()
        states = [replay(t, a) for t, a in zip(threads, answers)]
        ready = [i for i, (request, _) in enumerate(states) if request is not None]
        if not ready:
            ending = replay(finish, answers[-1]) if finish else (None, {})
            states.append(ending)
            if ending[0] is None:
                values = {}
                for _, registers in states:
                    values.update(registers)
                yield (" ".join(str(values.get(i, 0)) for i in range(count_registers)),
                       Graph(events, len(threads)).racy())
                continue
            ready = [len(threads)]
        for i in ready:
            for event, answer in steps(states[i][0], events, i):
                following = events + [event]
                name = key(following)
                if name in seen:
                    continue
                seen.add(name)
                if Graph(following, len(threads)).consistent():
                    work.append((following, answers[:i] + (answers[i] + (answer,),) + answers[i + 1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="TEST", help="only these (default: all)")
    parser.add_argument("--print", action="store_true", help="print each test's outcomes and number of graphs")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write {test: {outcomes, graphs, race}}")
    parser.add_argument("--sources", nargs="+", type=pathlib.Path, metavar="FILE", default=sorted(HERE.glob("*.c")),
                        help="where the tests are (default: the files beside this one)")
    options = parser.parse_args()
    wrong, report = 0, {}
    for name, declared, registers, finish, threads in tests(options.sources):
        if options.names and name not in options.names:
            continue
        outcomes, graphs, race = set(), 0, False
        for outcome, racy in executions(threads, finish, registers):
            outcomes.add(outcome)
            graphs += 1
            race |= racy
        text = "|".join(sorted(outcomes))
        report[name] = {"outcomes": sorted(outcomes), "graphs": graphs, "race": race}
        if options.print:
            print(f"{name}: {graphs} graphs, {'a race' if race else text}")
        if declared is None and not race:
            print(f"{name}: declared racy, but no execution has a race", file=sys.stderr)
        elif declared is not None and race:
            print(f"{name}: declared free of races, but some execution has one", file=sys.stderr)
        elif declared is not None and set(declared.split("|")) != outcomes:
            print(f"{name}: declares {declared}, the axioms give {text}", file=sys.stderr)
        else:
            continue
        wrong += 1
    unknown = set(options.names) - set(report)
    if unknown or not report:
        print(f"no such test: {', '.join(sorted(unknown)) or options.sources}; the names are those in LITMUS(...) and "
              "RACY(...)", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{len(report) - wrong} of {len(report)} tests declare what the axioms give")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
