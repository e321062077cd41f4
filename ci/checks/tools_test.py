#!/usr/bin/env python3
"""The tools tell good from bad: ablation files, findings, seeds, verdicts."""

import re
import shutil
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from vgcci import ablation, ctest, detectors, errors, findings, gate, kills, mutants  # noqa: E402
from vgcci import patch, process, seeds  # noqa: E402
from vgcci import index as bug_index  # noqa: E402
from vgcci.paths import ROOT  # noqa: E402

FILE = """title: A title
detector: whitebox
file: gc/a.c
<<<<<<<
  two();
=======
  zwei();
>>>>>>>
"""
RACE = """WARNING: ThreadSanitizer: data race (pid={pid})
  Write of size 4 at {address} by thread T1:
    #0 {first} /somewhere/gc/cache.c:{line} (bugs+{address})
    #1 start_thread /build/nptl.c:1 (libc.so.6+0x1)

  Previous read of size 4 at {address} by main thread:
    #0 {second} /somewhere/gc/sweep.c:20 (bugs+{address})
    #1 main /somewhere/whitebox/bugs/main.c:1 (bugs+0x2)
"""


class Tree:
    """A folder with one file."""

    def __init__(self, text):
        self.text = text

    def __truediv__(self, name):
        return self

    def read_text(self):
        return self.text


class AblationTest(unittest.TestCase):
    def parse(self, text):
        return ablation.parse(text, Path("X01.ablation"), "X01")

    def test_round_trip(self):
        edit = self.parse(FILE)
        self.assertEqual(ablation.write(edit), FILE)
        self.assertEqual(ablation.apply(edit, Tree("one();\n  two();\n")), {"gc/a.c": "one();\n  zwei();\n"})

    def test_text_must_occur_once(self):
        for text in ("one();\n", "  two();\n  two();\n"):
            with self.assertRaisesRegex(ablation.AblationError, "no longer applies"):
                ablation.apply(self.parse(FILE), Tree(text))

    def test_malformed(self):
        for text, why in ((FILE.replace("gc/a.c", "whitebox/a.c"), "not a file of gc/"),
                          (FILE.replace("zwei", "two"), "the same"),
                          (FILE.replace(">>>>>>>\n", ""), "not closed"),
                          (FILE.replace("file: gc/a.c\n", ""), "before any 'file:'"),
                          (FILE.replace("whitebox", "sight"), "detector 'sight'"),
                          (FILE.replace("title: A title\n", ""), "has no 'title:'"),
                          ("title: A title\n", "holds no block"),
                          ("hello\n" + FILE, "'hello' is none of")):
            with self.assertRaisesRegex(ablation.AblationError, why):
                self.parse(text)

    def test_a_diff_of_each_is_what_it_does(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "gc", Path(folder) / "gc")
            for id in ("V03", "O02"):
                seen = process.run([ROOT / "ci/ablate", "--show", id])
                self.assertTrue(seen.ok, seen.output)
                (Path(folder) / "diff").write_text(seen.output)
                done = process.run(["patch", "-p1", "-F0", "-i", "diff"], cwd=folder)
                self.assertTrue(done.ok, done.output)
                for file, text in ablation.apply(ablation.load(id), ROOT).items():
                    self.assertEqual((Path(folder) / file).read_text(), text)
        seen = process.run([ROOT / "ci/ablate", "--show", "Z99"])
        self.assertEqual(seen.status, 2)
        self.assertIn("Z99.ablation", seen.output)

    def test_from_contents_finds_unique_text(self):
        before = "a();\nx();\nb();\nx();\nc();\n"
        after = "a();\nx();\nb();\ny();\nc();\n"
        edit = ablation.from_contents("X01", "t", {"gc/a.c": before}, {"gc/a.c": after})
        self.assertEqual(ablation.apply(edit, Tree(before)), {"gc/a.c": after})
        self.assertEqual(ablation.apply(self.parse(ablation.write(edit)), Tree(before)), {"gc/a.c": after})

    def test_from_contents_of_insertions_and_neighbours(self):
        before = "".join(f"{n % 3}();\n" for n in range(12))
        lines = before.splitlines(keepends=True)
        after = "".join(["new();\n", *lines[:4], "more();\n", *lines[6:], "end();\n"])
        edit = ablation.from_contents("X01", "t", {"gc/a.c": before}, {"gc/a.c": after})
        self.assertEqual(ablation.apply(edit, Tree(before)), {"gc/a.c": after})


class RevertTest(unittest.TestCase):
    """A fix is taken out of a tree that has changed since."""

    BROKEN = "".join(f"line {n};\n" for n in range(30))
    FIXED = BROKEN.replace("line 15;", "fixed 15;")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "gc").mkdir()
        self.git("init", "-q")
        self.commit("begin", self.BROKEN)
        self.commit("A fix", self.FIXED)
        self.fix = self.git("rev-parse", "HEAD").strip()

    def git(self, *words):
        seen = process.run(["git", "-C", self.root, "-c", "user.name=x", "-c", "user.email=x", *words])
        self.assertTrue(seen.ok, seen.output)
        return seen.output

    def commit(self, title, text, name="gc/a.c"):
        (self.root / name).write_text(text)
        self.git("add", ".")
        self.git("commit", "-qm", title)

    def without(self, hash):
        tree = unittest.mock.Mock(source=self.root)
        subject, names = patch.revert(hash, tree, self.root)
        return subject, names, tree.edit.call_args.args[0]

    def test_of_code_that_moved(self):
        near, far = ("line 12;", "new 12;"), ("line 0;\n", "new;\n" * 9)  # beside the fix: in its diff's context
        now, broken = self.FIXED, self.BROKEN
        for change in (near, far):
            now, broken = now.replace(*change), broken.replace(*change)
        self.commit("later", now)
        self.assertEqual(self.without(self.fix), ("A fix", {"gc/a.c"}, {"gc/a.c": broken}))

    def test_what_cannot_be_taken_out(self):
        self.commit("other", "x", "gc/b.c")
        made = self.git("rev-parse", "HEAD").strip()
        self.commit("notes", "x", "notes")
        for hash, why in (("nothing", "no commit"), ("HEAD", "no source file"), (made, "makes or removes gc/b.c")):
            with self.assertRaisesRegex(patch.PatchError, why):
                self.without(hash)
        (self.root / "gc/a.c").write_text(self.FIXED.replace("fixed 15;", "otherwise;"))
        with self.assertRaisesRegex(patch.PatchError, "gc/a.c changed there since: write the ablation by hand"):
            self.without(self.fix)
        (self.root / "gc/a.c").write_text(self.BROKEN)
        with self.assertRaisesRegex(patch.PatchError, "is not in this tree any more"):
            self.without(self.fix)

    @unittest.skipUnless((ROOT / ".git").exists(), "no history")
    def test_the_example_of_the_readme(self):
        hash, id = re.search(r"ci/ablate --revert (\w+)\n.*?failed ([A-Z]\d+)",
                             (ROOT / "README.md").read_text(), re.DOTALL).groups()
        subject, _ = patch.revert(hash, unittest.mock.Mock(source=ROOT))
        self.assertIn(id, subject)


class FindingTest(unittest.TestCase):
    def race(self, first, second, pid=1, line=10):
        text = RACE.format(pid=pid, address=hex(4096 * pid), first=first, second=second, line=line)
        return findings.from_output(text, "tsan", "command", "test")[0]

    def test_both_stacks_whatever_their_order(self):
        one, other = self.race("claim", "sweep", pid=1), self.race("sweep", "claim", pid=7, line=99)
        self.assertEqual(one.fingerprint, other.fingerprint)
        self.assertNotEqual(one.fingerprint, self.race("claim", "refill").fingerprint)
        self.assertEqual((one.file, one.line, one.kind), ("gc/cache.c", 10, "data race"))
        self.assertEqual([f.count for f in findings.merge([one, other])], [2])

    def test_every_failure_is_a_finding(self):
        for text in ("", "\n", "something\n", "vgc: double free of 0x10\n", "a.c:1: failed assertion: x\n"):
            self.assertEqual(len(findings.from_output(text, "s", "c", "t")), 1, text)

    def test_build_errors_of_two_builds_are_one(self):
        one = findings.from_build("/a/gc/x.c:3:5: error: no ‘y’", "build", "c", "dev")
        other = findings.from_build("../../gc/x.c:3:5: error: no 'y'", "build", "c", "tsan")
        self.assertEqual(one.fingerprint, other.fingerprint)
        self.assertEqual((one.file, one.line), ("gc/x.c", 3))

    def test_first_error(self):
        self.assertIn("no ‘y’", errors.first_error("a\n/x.c:3:5: error: no ‘y’\nninja: stopped\n"))


class DetectorTest(unittest.TestCase):
    def test_only_evidence_kills(self):
        edit = ablation.Ablation("X01")
        for outcome, killed in (("assertion", True), ("sanitizer report", True), ("finding", True), ("deadline", False),
                                ("crash", False), ("clean", False), ("error", False), ("not applicable", False)):
            self.assertEqual(detectors.Verdict(outcome, 1, "", "").kills(edit), killed, outcome)
        edit.kill = "deadlock"
        self.assertTrue(detectors.Verdict("deadline", 1, "", "").kills(edit))

    def test_parse(self):
        self.assertEqual(str(detectors.parse("stress churn --ops 5", "X01")), "stress stress_churn --ops 5")
        self.assertEqual(detectors.parse("tsan", "X01").arguments, ["X01"])


    def explored(self, status, *found):
        models = [{"model": f"m{n}", "found": kind, "verdict": f"{kind} in run 3", "runs": 3}
                  for n, kind in enumerate(found)]
        table = {"processor_seconds": 1.5, "models": models}
        return detectors.explored(table if found else None, process.Result([], status, "", 9.0), "models m0")

    def test_the_explorer(self):
        for found, outcome in ((["clean", "race"], "finding"), (["deadlock"], "finding"), (["clean", "clean"], "clean"),
                               (["clean", "unsupported"], "clean"), (["mixed-size"], "clean")):
            self.assertEqual(self.explored(1, *found).outcome, outcome, found)
        self.assertEqual(self.explored(3).outcome, "error")
        verdict = self.explored(1, "clean", "race", "assertion")
        self.assertEqual((verdict.seconds, verdict.detail), (1.5, "m1: race in run 3"))

    def test_the_index_of_models_holds(self):
        models = kills.models()
        known = {row.id for row in bug_index.load()} | {mutant.id for mutant in mutants.every(ROOT)[1]}
        index = kills.load()
        for model, ids in index.items():
            self.assertIn(model, models)
            self.assertEqual(set(ids) - known, set(), model)
        # What was never seen to fail may be unable to.
        self.assertEqual({model for model in models if not index.get(model)}, set(), "models that kill nothing")

    def test_models_are_those_about_the_id(self):
        index = kills.load()
        self.assertEqual(detectors.parse("interleave", "X00").arguments, [])
        model, ids = next(iter(index.items()))
        self.assertIn(model, detectors.parse("interleave", ids[0]).arguments)


class CTestTest(unittest.TestCase):
    @staticmethod
    def cases(text):
        with tempfile.TemporaryDirectory() as folder:
            junit = Path(folder) / "junit.xml"
            junit.write_text(text)
            return list(ctest.cases(junit))

    def test_a_skipped_case_of_a_program_that_passed_is_not_run(self):
        text = """<testsuite>
<testcase name="unit.a" time="2" status="run"><system-out>
[ RUN      ] first
not applicable: one processor
[  SKIPPED ] first
[  PASSED  ] 1 test(s).
[  SKIPPED ] 2 test(s), listed below:
[ RUN      ] second
not applicable: no vgc
[  SKIPPED ] second
[  SKIPPED ] first
[  SKIPPED ] second
</system-out></testcase>
<testcase name="unit.b" time="1" status="fail"><failure/><system-out>[  SKIPPED ] third
</system-out></testcase></testsuite>"""
        seen = [(case.name, case.status, case.output.strip(), case.program) for case in self.cases(text)]
        self.assertEqual([(name, status, program) for name, status, _, program in seen],
                         [("unit.a", "passed", "unit.a"), ("unit.a:first", "not run", "unit.a"),
                          ("unit.a:second", "not run", "unit.a"), ("unit.b", "failed", "unit.b")])
        self.assertEqual([output for _, status, output, _ in seen if status == "not run"],
                         ["not applicable: one processor", "not applicable: no vgc"])

    def test_a_reason_belongs_to_the_case_that_gave_it(self):
        text = """<testsuite><testcase name="unit.a" time="2" status="run"><system-out>
not applicable: said before any case
[ RUN      ] silent
[  SKIPPED ] silent
[ RUN      ] passes
not applicable: a child's word
[       OK ] passes
[ RUN      ] silent_too
[  SKIPPED ] silent_too
[ RUN      ] speaks
not applicable: no vgc
[  SKIPPED ] speaks
[ RUN      ] silent_again
[  SKIPPED ] silent_again
[  SKIPPED ] 4 test(s), listed below:
[  SKIPPED ] silent
[  SKIPPED ] speaks
</system-out></testcase></testsuite>"""
        seen = {case.name: case.output for case in self.cases(text) if case.status == "not run"}
        self.assertEqual(seen, {"unit.a:silent": "skipped", "unit.a:silent_too": "skipped",
                                "unit.a:speaks": "not applicable: no vgc", "unit.a:silent_again": "skipped"})


class SeedTest(unittest.TestCase):
    def test_shards_share_the_space(self):
        drawn = [{seeds.derive("c", n, shard=(i, 3)) for n in range(200)} for i in (1, 2, 3)]
        self.assertFalse(drawn[0] & drawn[1] or drawn[1] & drawn[2] or drawn[0] & drawn[2])
        for i in range(3):
            self.assertEqual({seed % 3 for seed in drawn[i]}, {i})

    def test_same_commit_same_seed(self):
        self.assertEqual(seeds.derive("c", "a"), seeds.derive("c", "a"))
        self.assertNotEqual(seeds.derive("c", "a"), seeds.derive("d", "a"))


class VerdictTest(unittest.TestCase):
    def verdict(self, *statuses):
        run = gate.Gate.__new__(gate.Gate)
        run.stages = [gate.Stage("s", status) for status in statuses]
        return run.verdict, run.exit_code

    def test_not_run_is_never_passed(self):
        self.assertEqual(self.verdict(gate.PASSED, gate.NOT_ASKED), ("passed", 0))
        self.assertEqual(self.verdict(gate.PASSED, gate.NOT_RUN), ("incomplete", 2))
        self.assertEqual(self.verdict(gate.FAILED, gate.NOT_RUN), ("failed", 1))
        self.assertEqual(self.verdict(gate.NOT_ASKED), ("incomplete", 2))
        self.assertEqual(self.verdict(), ("incomplete", 2))

    def test_interrupted_is_not_passed(self):
        def passes(_, stage):
            stage.items.append(gate.Item("a", gate.PASSED))

        def interrupted(*_):
            raise KeyboardInterrupt

        run = gate.Gate.__new__(gate.Gate)
        run.stages, run.findings, run.progress = [], [], unittest.mock.Mock()
        with self.assertRaises(KeyboardInterrupt):
            run.run([("one", passes), ("two", interrupted)], set())
        self.assertEqual([(s.status, s.detail) for s in run.stages],
                         [(gate.PASSED, ""), (gate.NOT_RUN, "interrupted")])
        self.assertEqual(run.verdict, "incomplete")

    def test_a_stage_without_items_did_not_run(self):
        self.assertEqual(gate.Gate._judge(gate.Stage("s")), gate.NOT_RUN)
        stage = gate.Stage("s", items=[gate.Item("a", gate.NOT_RUN)])
        self.assertEqual(gate.Gate._judge(stage), gate.NOT_RUN)


if __name__ == "__main__":
    unittest.main()
