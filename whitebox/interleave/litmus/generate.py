#!/usr/bin/env python3
"""Writes random litmus tests with the outcomes that the axioms give them: C source for a program like litmus.

Two to four threads of up to four accesses and fences on up to three atomic objects, at random orders, some with a plain
object besides; every store's value is its own, so that an outcome names the stores that were read. Where some
execution has a race, the test is that it is found."""

import argparse
import pathlib
import random
import sys

import axioms

BOTH = ["rlx", "acq", "rel", "ar", "sc"]
FAILURES = {"rlx": ["rlx"], "acq": ["rlx", "acq"], "rel": ["rlx"], "ar": ["rlx", "acq"], "sc": ["rlx", "acq", "sc"]}
# Orders of loads, stores and fences. Any; mostly seq_cst; relaxed, so that the fences matter.
FLAVOURS = [(["rlx", "acq", "sc"], ["rlx", "rel", "sc"], ["acq", "rel", "ar", "sc", "sc"]),
            (["rlx", "sc", "sc"], ["rlx", "sc", "sc"], ["sc"]),
            (["rlx"], ["rlx"], ["acq", "rel", "ar", "sc"])]
REGISTERS = 4  # that litmus_run tells


class Maker:
    """State of one test in the making."""

    def __init__(self, chance):
        self.chance, self.registers, self.values = chance, 0, {}
        self.objects = ["x", "y", "z"][:chance.choice([1, 2, 2, 2, 3])]
        self.loads, self.stores, self.fences = chance.choice(FLAVOURS)
        self.plain = ["put", "get"] * chance.choice([0, 0, 2])

    def value(self, place):
        self.values[place] = self.values.get(place, 0) + 1
        return self.values[place]

    def register(self):
        self.registers += 1
        return f"r[{self.registers - 1}] = "

    def access(self):
        chance, place = self.chance, self.chance.choice(self.objects)
        kind = chance.choice(["load"] * 4 + ["store"] * 4 + ["fence", "fence", "swap", "add", "cas"] + self.plain)
        if kind == "put" or kind == "get" and self.registers == REGISTERS:
            return f"d = {self.value('d')};"
        if kind == "get":
            return f"{self.register()}d;"
        if kind == "fence":
            return f"fence({chance.choice(self.fences)});"
        if kind == "store" or self.registers == REGISTERS:
            return f"store({place}, {self.value(place)}, {chance.choice(self.stores)});"
        if kind == "load":
            return f"{self.register()}load({place}, {chance.choice(self.loads)});"
        if kind == "add":
            return f"{self.register()}add({place}, 10, {chance.choice(BOTH)});"
        if kind == "swap":
            return f"{self.register()}swap({place}, {self.value(place)}, {chance.choice(BOTH)});"
        success = chance.choice(BOTH)
        return (f"{self.register()}cas({place}, {chance.choice([0, 0, 1])}, {self.value(place)}, {success}, "
                f"{chance.choice(FAILURES[success])});")

    def thread(self, longest):
        lines, last = [], None
        for _ in range(min(longest, self.chance.choice([1, 2, 2, 3, 3, 4]))):
            before = self.registers
            line = self.access()
            plain = line.startswith("d =") or line.endswith("d;")
            if last is not None and not line.startswith("fence") and self.chance.random() < (0.7 if plain else 0.1):
                line = f"if (r[{last}]) {line}"
            elif self.registers > before:
                last = before
            lines.append("  " + line)
        return lines


def test(name, chance):
    """Text of one test, or None if it has no outcome worth telling or too many."""
    maker = Maker(chance)
    count = chance.choice([2, 2, 2, 3, 3, 3, 4])
    threads = [maker.thread(4 if count < 4 else 2) for _ in range(count)]
    if maker.registers == 0:
        return None
    bodies = {f"{name}_{i}": "\n".join(lines) for i, lines in enumerate(threads)}
    programs = [axioms.program(thread, body) for thread, body in bodies.items()]
    outcomes, race = set(), False
    for count, (outcome, racy) in enumerate(axioms.executions(programs, None, maker.registers)):
        outcomes.add(outcome)
        race |= racy
        if count == 300:
            return None
    text = "".join(f"static void {thread}(void) {{\n{body}\n}}\n" for thread, body in bodies.items())
    if race:
        return f'{text}RACY({name}, "random", {", ".join(bodies)});\n\n'
    return (f'{text}LITMUS({name}, "random", "{"|".join(sorted(outcomes))}", {maker.registers}, NULL, '
            f'{", ".join(bodies)});\n\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=pathlib.Path, help="C source to write")
    parser.add_argument("--count", type=int, default=200, help="of tests (default: 200)")
    parser.add_argument("--seed", default="1", help="any word (default: 1)")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    tests, tried = [], 0
    while len(tests) < options.count:
        tried += 1
        text = test(f"random_{len(tests)}", chance)
        if text:
            tests.append(text)
            if len(tests) % 100 == 0:
                print(f"{len(tests)} of {options.count} tests", file=sys.stderr)
    options.output.write_text('#include "litmus.h"\n#include <stddef.h>\n\n' + "".join(tests))
    return 0


if __name__ == "__main__":
    sys.exit(main())
