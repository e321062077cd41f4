#!/usr/bin/env python3
"""ci/mutate finds what it must in small sources, keeps its ids, and reads its lists and the judges' output right."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from vgcci import atomics, csource, elf, judges, ledger, listed, mutants, mutate, reach  # noqa: E402
from vgcci.paths import ROOT  # noqa: E402

WORDS = """#define load_relaxed(p) atomic_load_explicit(p, memory_order_relaxed)
#define load_acquire(p) atomic_load_explicit(p, memory_order_acquire)
#define store_relaxed(p, v) atomic_store_explicit(p, v, memory_order_relaxed)
#define store_release(p, v) atomic_store_explicit(p, v, memory_order_release)
#define exchange_acq_rel(p, v) atomic_exchange_explicit(p, v, memory_order_acq_rel)
#define cas_weak_acq_rel(p, expected, v) \\
  atomic_compare_exchange_weak_explicit(p, expected, v, memory_order_acq_rel, memory_order_acquire)
#define signal_order() atomic_signal_fence(memory_order_seq_cst)
"""
HEAD = "void lock_acquire(struct lock *l) { take(l); }\nvoid lock_release(struct lock *l) { give(l); }\n"


def found(body, listing="", kinds=mutants.KINDS):
    """{id: changed text} of a tree whose gc/ holds this one file."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "gc").mkdir()
        (root / "ci").mkdir()
        (root / "gc/atomic.h").write_text(WORDS)
        (root / "gc/a.c").write_text(body)
        (root / "ci/mutants.txt").write_text(listing)
        csource._parsed.cache_clear()
        sources, every = mutants.every(root)
        return {m.id: m.contents(sources)["gc/a.c"] for m in every if m.kind in kinds}


class SourceTest(unittest.TestCase):
    def test_functions_and_statements(self):
        text = ("static struct { int a; } s = {1};\n/* f() { */\nstruct t *f(int x) {\n  if (x) g(\";}\");\n  else {\n"
                "    for (;;) break;\n  }\n  int y = 2; /* ; */\n  do x--; while (x);\n  return 0;\n}\n"
                "__attribute__((constructor(101))) static void h(void) { k(); }\nvoid(m)(void) {}\n")
        source = csource.parse("gc/a.c", text)
        self.assertEqual([f.name for f in source.functions], ["f", "h", "m"])
        self.assertEqual([s.kind for s in source.functions[0].body], ["if", "declaration", "do", "return"])
        self.assertEqual([[s.kind for s in part] for part in source.functions[0].body[0].parts],
                         [["expression"], ["for"]])

    def test_call_arguments(self):
        source = csource.parse("gc/a.c", "void f(void) { g(a[1, 2], (b, c), h(d)); }")
        call = next(csource.calls(source, "g"))
        self.assertEqual(call.arguments, ["a[1, 2]", "(b, c)", "h(d)"])


class OrderTest(unittest.TestCase):
    def test_one_step_each(self):
        made = found("void f(void) {\n  x = load_acquire(&p);\n  atomic_store(&q, 1);\n  exchange_acq_rel(&r, 2);\n"
                     "}\n", kinds=["order"])
        self.assertEqual(set(made), {"a.c:f:order:relaxed:1", "a.c:f:order:release:1", "a.c:f:order:acquire:1",
                                     "a.c:f:order:release:2"})
        self.assertIn("x = load_relaxed(&p);", made["a.c:f:order:relaxed:1"])
        self.assertIn("store_release(&q, 1);", made["a.c:f:order:release:1"])
        self.assertIn("atomic_exchange_explicit(&r, 2, memory_order_acquire);", made["a.c:f:order:acquire:1"])

    def test_relaxed_is_the_end(self):
        self.assertEqual(found("void f(void) { store_relaxed(&p, load_relaxed(&q)); }"), {})

    def test_failure_order(self):
        made = found("void f(void) { cas_weak_acq_rel(&p, &e, v); }", kinds=["failure"])
        self.assertEqual(list(made), ["a.c:f:failure:relaxed:1"])
        self.assertIn("memory_order_acq_rel, memory_order_relaxed)", made["a.c:f:failure:relaxed:1"])

    def test_what_is_not_understood_is_no_silence(self):
        for body, why in (("void f(void) { atomic_frobnicate(&p); }", "'atomic_frobnicate' is unknown"),
                          ("#define HIDE(p) load_acquire(p)\n", "inside a macro"),
                          (HEAD + "void f(void) { lock_acquire(&m); }", "without a release")):
            with self.assertRaisesRegex(atomics.AtomicError, why):
                found(body)

    def test_comments_and_strings_hold_no_sites(self):
        self.assertEqual(found('/* load_acquire(&p) */\nvoid f(void) { g("store_release(&p, 1)"); }'), {})

    def test_ids_survive_edits_elsewhere(self):
        body = "void f(void) { store_release(&p, 1); }\n"
        before = found(body)
        after = found("void e(void) { store_release(&o, 1); }\n\n/* more */\n" + body)
        self.assertLess(set(before), set(after))


class MovementTest(unittest.TestCase):
    def test_swap_passes_over_points(self):
        made = found("void f(struct s *s) {\n  s->a = 1;\n  POINT(here);\n  store_release(&s->b, 2);\n}\n",
                     kinds=["swap"])
        self.assertEqual(made, {"a.c:f:swap:publication:1": "void f(struct s *s) {\n  store_release(&s->b, 2);\n"
                                "  POINT(here);\n  s->a = 1;\n}\n"})

    def test_no_swap_against_data_or_control(self):
        for body in ("  v = s->a;\n  store_release(&s->b, v);\n",
                     "  s->a = 1;\n  return;\n  store_release(&s->b, 2);\n",
                     "  s->a = 1;\n  int v = 3;\n  store_release(&s->b, v);\n"):
            self.assertEqual(found("void f(struct s *s) {\n" + body + "}\n", kinds=["swap"]), {}, body)

    def test_signal_fence_in_place(self):
        made = found("void f(struct s *s) {\n  store_relaxed(&s->a, 1);\n  signal_order();\n  s->b = 2;\n}\n",
                     kinds=["fence"])
        self.assertEqual(made, {"a.c:f:fence:signal:1": "void f(struct s *s) {\n  s->b = 2;\n  \n"
                                "  store_relaxed(&s->a, 1);\n}\n"})

    def test_signal_fence_at_the_edge_acts_in_the_callers(self):
        made = found("static void set(void) {\n  signal_order();\n  store_relaxed(&a, 1);\n}\n"
                     "void f(struct s *s) {\n  s->b = 2;\n  set();\n}\n", kinds=["fence"])
        self.assertIn("  set();\n  s->b = 2;\n", made["a.c:set:fence:signal:1"])

    def test_split(self):
        made = found("void f(void) { x = exchange_acq_rel(&p, y); }", kinds=["split"])
        text = made["a.c:f:split:exchange:1"]
        self.assertLess(text.index("atomic_load_explicit(place_, memory_order_acquire)"),
                        text.index("atomic_store_explicit(place_, y, memory_order_release)"))

    def test_lock_with_its_release(self):
        made = found(HEAD + "void f(void) {\n  lock_acquire(&m);\n  a();\n  lock_release(&m);\n  lock_acquire(&m);\n"
                     "  lock_release(&m);\n}\n", kinds=["lock"])
        self.assertEqual(len(made), 2)
        self.assertEqual(made["a.c:f:lock:m:1"].count("(void)(&m)"), 2)
        self.assertIn("  (void)(&m);\n  a();\n  (void)(&m);\n  lock_acquire(&m);", made["a.c:f:lock:m:1"])

    def test_lock_released_by_another_function(self):
        made = found(HEAD + "void f(void) { lock_acquire(&m); }\nvoid g(void) { lock_release(&m); }\n", kinds=["lock"])
        self.assertEqual(made["a.c:f:lock:m:1"].count("(void)(&m)"), 2)


RECHECK = "void f(void) {\n  lock_acquire(&m);\n  if (load_relaxed(&done)) return;\n  a();\n  lock_release(&m);\n}\n"
ENTRY = "a.c:f:check:done  done twice\n<<<<<<<\n  if (load_relaxed(&done)) return;\n=======\n>>>>>>>\n"


class ListedTest(unittest.TestCase):
    def test_entry(self):
        made = found(HEAD + RECHECK, ENTRY, ["check"])
        self.assertNotIn("done", made["a.c:f:check:done:1"])

    def test_a_new_recheck_must_be_listed(self):
        with self.assertRaisesRegex(atomics.AtomicError, "right after a lock is taken"):
            found(HEAD + RECHECK)
        self.assertEqual(found(HEAD + RECHECK, "not a.c:f  only counts\n", ["check"]), {})

    def test_stale_entries(self):
        for listing, why in ((ENTRY.replace("a.c:f", "a.c:g"), "no function g"),
                             (ENTRY.replace("&done", "&gone"), "occurs 0 times"),
                             (ENTRY.replace(">>>>>>>\n", ""), "not closed"), ("hello\n", "expected")):
            with self.assertRaisesRegex(atomics.AtomicError, why):
                found(HEAD + RECHECK, listing)


class LedgerTest(unittest.TestCase):
    ENTRY = "# why\na.c:f:order:relaxed:1\nmodel: exit, 12,345 executions\nfirst line\nsecond line\n"

    def test_parse_and_check(self):
        entries = ledger.parse(self.ENTRY, "l")
        entry = entries["a.c:f:order:relaxed:1"]
        self.assertEqual((entry.model, entry.executions, entry.line), ("exit", 12345, 2))
        mutant = mutants.Mutant(entry.id, "order", "gc/a.c", 1, "", [])
        self.assertEqual(ledger.check(entries, [mutant], "l") + ledger.check_models(entries, {"exit"}, "l"), [])
        self.assertIn("is no mutant", ledger.check(entries, [], "l")[0])
        self.assertIn("no model", ledger.check_models(entries, {"entry"}, "l")[0])

    def test_malformed(self):
        for text in (self.ENTRY.replace("model: ", ""), self.ENTRY.replace("second line\n", ""),
                     self.ENTRY + "\n" + self.ENTRY):
            with self.assertRaises(ledger.LedgerError):
                ledger.parse(text, "l")

    def settled(self, status, id="a.c:f:order:relaxed:1", proved=True):
        runner = mutate.Runner.__new__(mutate.Runner)
        runner.equivalents, runner.progress = ledger.parse(self.ENTRY, "l"), None
        row = mutate.Row(id, "order", "", status)
        with unittest.mock.patch.object(mutate, "exhausted", lambda *_: (proved, "seen")):
            runner.settle(None, row)
        return row.status

    def test_an_entry_must_be_proved_and_not_killed(self):
        self.assertEqual(self.settled("not run"), "equivalent")
        self.assertEqual(self.settled("not run", proved=False), "error")
        self.assertEqual(self.settled("killed"), "error")
        self.assertEqual(self.settled("not run", id="b"), "survived")
        self.assertEqual(self.settled("killed", id="b"), "killed")


class JudgeTest(unittest.TestCase):
    def outcome(self, said, status=1, name="whitebox"):
        """What the judge makes of a program that prints this, for all tests and for one alone."""
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "bugs"
            script.write_text(f"#!/bin/sh\nprintf '{said}'\nexit {status}\n")
            script.chmod(0o755)
            tree = type("Tree", (), {"root": folder, "program": lambda *_: script})()
            return judges.ask(next(j for j in judges.JUDGES if j.name == name), tree, judges.Budget())

    def test_only_evidence_kills(self):
        for said, status, outcome, kills in (
                ("V01 passed 0.1 s\\n", 0, "clean", False),
                ("V01 failed (assertion) 0.1 s\\n", 1, "assertion", True),
                ("V01 failed (sanitizer report) 0.1 s\\n", 1, "sanitizer report", True),
                ("V01 failed (crash: Segmentation fault) 0.1 s\\n", 1, "crash", False),
                ("V01 failed (deadline) 8 s\\n", 1, "hangs", True),
                ("nothing\\n", 77, "not applicable", False), ("usage\\n", 2, "error", False)):
            verdict = self.outcome(said, status)
            self.assertEqual((verdict.outcome, verdict.kills), (outcome, kills), said)


    def test_what_the_explorer_cannot_run_is_no_finding(self):
        line = "push       portfolio     2          1     -         -       3474     0.00  {} in run 2\\n"
        for said, status, outcome, kills in (
                ("", 0, "clean", False), (line.format("race"), 1, "finding", True),
                (line.format("unsupported"), 1, "unsupported", False), ("usage\\n", 2, "error", False)):
            verdict = self.outcome(said, status, "interleave")
            self.assertEqual((verdict.outcome, verdict.kills), (outcome, kills), said)


class ReachTest(unittest.TestCase):
    def test_columns_are_threads(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "models"
            program.write_text("#!/bin/sh\nprintf '  1   x = 1  a.c:7   |\\n  2    | read x  a.c:9\\n'\n")
            program.chmod(0o755)
            self.assertEqual(reach._lines(program, "t"), {"a.c:7", "a.c:9", "+a.c:9"})

    def test_the_nearest_models_are_shown_a_mutant(self):
        source = csource.parse("gc/a.c", "void f(void) {\n  g();\n  h();\n}\nvoid i(void) {}\n")
        mutant = mutants.Mutant("m", "swap", "gc/a.c", 2, "", [("gc/a.c", source.text.index("g()"),
                                                              source.text.index("g()") + 3, "")])
        for reached, chosen in (({"line": ["a.c:2"], "threads": ["+a.c:2"]}, ["threads"]),
                                ({"line": ["a.c:2"], "function": ["+a.c:3"]}, ["line"]),
                                ({"function": ["a.c:3"], "file": ["+a.c:5"]}, ["function"]),
                                ({"file": ["a.c:5"], "other": ["+b.c:2"]}, ["file"]),
                                ({"one": [], "other": ["+b.c:2"]}, ["one", "other"])):
            self.assertEqual(reach.models_for(mutant, {"gc/a.c": source}, reached), chosen)


class FingerprintTest(unittest.TestCase):
    def test_same_program_same_number(self):
        here = Path(sys.executable).resolve()
        self.assertEqual(elf.fingerprint(here, "/"), elf.fingerprint(here, "/"))
        other = Path(os.path.realpath("/bin/sh"))
        self.assertNotEqual(elf.fingerprint(here, "/"), elf.fingerprint(other, "/"))


class TreeTest(unittest.TestCase):
    """The lists beside the sources of this tree."""

    def test_every_mutant_changes_something_else(self):
        csource._parsed.cache_clear()
        sources, every = mutants.every(ROOT)
        texts = [tuple(sorted(m.contents(sources).items())) for m in every]
        self.assertEqual(len(set(texts)), len(every))
        for mutant in every:
            for name, text in mutant.contents(sources).items():
                self.assertNotEqual(text, sources[name].text, mutant.id)
        self.assertEqual({m.kind for m in every} | {"failure"}, set(mutants.KINDS))

    def test_ledger(self):
        entries = ledger.parse((ROOT / "ci/equivalents.txt").read_text(), "ci/equivalents.txt")
        self.assertEqual(ledger.check(entries, mutants.every(ROOT)[1], "ci/equivalents.txt"), [])

    def test_rechecks_are_listed_once(self):
        entries, _ = listed.parse((ROOT / "ci/mutants.txt").read_text(), "ci/mutants.txt")
        self.assertEqual(len({entry.id for entry in entries}), len(entries))


class CommandTest(unittest.TestCase):
    @staticmethod
    def mutate(*words):
        return subprocess.run([ROOT / "ci/mutate", *words], capture_output=True, text=True, timeout=60)

    def test_list_is_of_what_is_chosen(self):
        whole = self.mutate("--list").stdout.splitlines()
        some = self.mutate("--list", "--only", "world.c", "--kind", "order").stdout.splitlines()
        expected = [line for line in whole if re.match(r"world\.c:\w+:order:", line)]
        self.assertTrue(expected)
        self.assertEqual(some, expected)

    def test_names_are_checked_before_anything_is_built(self):
        for words, why in ((["--models", "foo"], "'foo' is no model"), (["--only", "worl"], "no mutant has the id"),
                           (["--judges", "foo"], "'foo' is none of")):
            seen = self.mutate(*words)
            self.assertEqual((seen.returncode, seen.stdout), (2, ""))
            self.assertIn(why, seen.stderr)


if __name__ == "__main__":
    unittest.main()
