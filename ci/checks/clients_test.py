#!/usr/bin/env python3
"""ci/clients tells good from bad: a wrong byte, a crash, a hang and the wrong library are each a failure, and each says
which library it was. The programs are small ones that are compiled here, each with a libgc.so.1 of its own."""

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from vgcci import client_profile, client_programs, client_run, clients, gate, stages  # noqa: E402

LIBRARY = "int GC_which(void) { return %d; }\n"
# Goes wrong with the second library only; lives long enough to be looked at.
PROGRAM = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int GC_which(void);
int main(int count, char **words) {
  const char *how = words[1];
  int bad = GC_which() == 2;
  char *large = malloc(40 << 20);
  memset(large, 1, 40 << 20);
  for (volatile long i = 0; i < 30000000; i++) {}
  usleep(100000);
  printf("sum %d\n", bad && !strcmp(how, "byte") ? 43 : 42);
  fflush(stdout);
  if (bad && !strcmp(how, "crash")) raise(SIGSEGV);
  if (bad && !strcmp(how, "hang")) pause();
  return bad && !strcmp(how, "status") ? 3 : 0;
}
"""
CC = "cc"


def compiled(source, output, *options):
    command = [CC, "-x", "c", "-", "-x", "none", "-O0", "-o", output, *options]
    subprocess.run(command, input=source, text=True, check=True)


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        for number in (1, 2):
            (cls.folder / f"l{number}").mkdir()
            compiled(LIBRARY % number, cls.folder / f"l{number}/libgc.so.1", "-shared", "-fPIC",
                     "-Wl,-soname,libgc.so.1")
        library = cls.folder / "l1/libgc.so.1"
        compiled(PROGRAM, cls.folder / "program", library)
        # Whatever LD_LIBRARY_PATH says.
        compiled(PROGRAM, cls.folder / "own", library, f"-Wl,-rpath,{cls.folder}/l1,--disable-new-dtags")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def outcome(self, how, program="program", library="l2", **settings):
        workload = client_programs.Workload("", "w", "", ("sh",), {"full": 1, "quick": 1, "stress": 1},
                                            lambda place: [self.folder / program, how], **settings.pop("workload", {}))
        chosen = clients.Settings(self.folder / library, self.folder / "l1", self.folder / "out", rounds=1, deadline=3,
                                  **settings)
        with unittest.mock.patch.dict(client_programs.WORKLOADS, {"w": workload}):
            return clients.run(["w"], chosen, unittest.mock.Mock())

    def failure(self, *words, **settings):
        outcome = self.outcome(*words, **settings)
        self.assertEqual([item.status for item in outcome.items], ["failed"], outcome.items)
        self.assertEqual(clients.exit_code(outcome), 1)
        self.assertIn(outcome.items[0].detail, clients.printed(outcome))
        return outcome.items[0].detail

    def test_good(self):
        outcome = self.outcome("well")
        self.assertEqual([item.status for item in outcome.items], ["passed"], outcome.items)
        self.assertEqual(clients.exit_code(outcome), 0)
        self.assertFalse((self.folder / "out/w").exists())
        peak = outcome.rows[0]["peak_kib"][clients.TESTED]
        self.assertTrue(40 << 10 <= peak < 60 << 10, f"{peak} KiB: the program has 40 MiB")

    def test_a_wrong_byte(self):
        self.assertRegex(self.failure("byte"), r"with .*l2: prints something else: byte 5, line 1: expected 'sum 42', "
                         "got 'sum 43'")
        self.assertEqual(len(list((self.folder / "out/w").glob("run2-library/stdout"))), 1)

    def test_a_crash(self):
        self.assertRegex(self.failure("crash"), r"with .*l2: crashes: ended by signal 11")

    def test_a_status(self):
        self.assertRegex(self.failure("status"), r"with .*l2: fails: exit status 3")

    def test_a_hang(self):
        self.assertRegex(self.failure("hang"), r"with .*l2: hangs: no end after 3 s")
        stacks = (self.folder / "out/w/run2-library/stacks").read_text()
        self.assertRegex(stacks, "pause|no gdb here|not permitted")

    def test_the_wrong_library(self):
        self.assertRegex(self.failure("well", program="own"),
                         r"with .*l2: wrong library: it loaded .*l1/libgc.so.1; expected .*l2")

    def test_no_library(self):
        compiled("int main(void) { for (volatile long i = 0; i < 100000000; i++) {} return 0; }", self.folder / "none")
        self.assertRegex(self.failure("well", program="none"), r"with .*l1: wrong library: no libgc.so.1 was seen")

    def test_what_it_made_is_compared(self):
        self.assertIn("what it made is bad", self.failure("well", workload={"after": lambda place: [["false"]]}))

    def test_repeat_stops_at_the_first_failure(self):
        outcome = self.outcome("byte", repeat=5)
        self.assertEqual([one["which"] for one in outcome.runs], [clients.TRUSTED, clients.TESTED])
        outcome = self.outcome("well", repeat=3)
        self.assertEqual([one["which"] for one in outcome.runs], [clients.TRUSTED] + 3 * [clients.TESTED])

    def test_stress_goes_through_every_environment(self):
        outcome = self.outcome("well", size="stress", stress=True)
        self.assertEqual([list(one["environment"]) for one in outcome.runs],
                         [[], ["VGC_COLLECT_EVERY"], ["VGC_MINIMUM_HEAP"], ["VGC_CHECK_LEVEL"]])

    def test_a_program_that_is_missing_is_not_passed(self):
        outcome = clients.Outcome()
        absent = dataclasses.replace(client_programs.WORKLOADS["w3m"], needs=("no-such-command",))
        with unittest.mock.patch.dict(client_programs.WORKLOADS, {"w3m": absent}):
            clients.one_program("w3m", None, outcome, unittest.mock.Mock())
        self.assertEqual([item.status for item in outcome.items], ["not run"])
        self.assertIn("apt-get install --no-install-recommends w3m", clients.printed(outcome))
        self.assertEqual(clients.exit_code(outcome), 2)

    def test_the_stage_takes_the_items_over(self):
        run = gate.Gate.__new__(gate.Gate)
        run.current, run.findings, run.progress = gate.Stage("clients"), [], unittest.mock.Mock()
        stages.add_clients(run, {"items": [
            {"name": "a", "status": "passed", "seconds": 1, "command": "c", "detail": "", "output": ""},
            {"name": "b", "status": "failed", "seconds": 1, "command": "c", "detail": "d", "output": "b: d"},
            {"name": "e", "status": "not run", "seconds": 0, "command": "", "detail": "no e here", "output": ""}]})
        self.assertEqual([item.status for item in run.current.items], [gate.PASSED, gate.FAILED, gate.NOT_RUN])
        self.assertEqual([finding.title for finding in run.findings], ["b: b: d"])


class ProfileTest(unittest.TestCase):
    def test_shares(self):
        def sample(pid, *frames):
            return f"{pid} \n" + "".join(f"\t{16 + n:16x} ({frame})\n" for n, frame in enumerate(frames))

        def mapping(pid, path):
            return f"{pid:5} PERF_RECORD_MMAP2 {pid}/{pid}: [0x7000(0x9000) @ 0x7000 fe:00 1 2]: r-xp {path}\n"

        ours, kernel, other = "/a/libvgc.so.0.1.0", "[kernel.kallsyms]", "/b/libgc.so.1.5.1"
        text = mapping(0, kernel) + mapping(7, ours) + mapping(7, "/a/libgc.so.1") + mapping(8, other)
        text += "\n".join([sample(7, ours, "/bin/x"), mapping(7, "/lib/y") + sample(7, kernel, kernel, ours),
                          sample(7, "/bin/x", ours), sample(7, kernel, "/bin/x"), sample(8, ours)])
        self.assertEqual(client_profile.shares(text), {
            "samples": 4, "library": 0.25, "kernel_for_library": 0.25, "kernel": 0.5,
            "loaded": ["/a/libgc.so.1", ours]})


class ChoiceTest(unittest.TestCase):
    def test_a_program_names_its_workloads(self):
        self.assertEqual(client_programs.chosen(["guile", "nekoc"]), ["guile", "guile-compile", "nekoc"])
        self.assertEqual(client_programs.chosen([]), list(client_programs.WORKLOADS))
        with self.assertRaisesRegex(ValueError, "unknown program 'x'; known: guile, "):
            client_programs.chosen(["x"])

    def test_where_outputs_part(self):
        self.assertEqual(clients.difference(b"a\nb\n", b"a\nb\n"), "")
        self.assertIn("byte 2, line 2: expected 'b', got the end", clients.difference(b"a\nb\n", b"a\n"))

    def test_which_library(self):
        folder = Path(__file__).parent
        right = str(client_run.library_path(folder))
        self.assertEqual(client_run.wrong_library([right, "/x/libvgc.so.0"], folder), "")
        self.assertIn("it loaded", client_run.wrong_library([right, "/x/libgc.so.1"], folder))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cc", default=CC, help="compiles the programs (default: cc)")
    known, rest = parser.parse_known_args()
    CC = known.cc
    unittest.main(argv=[sys.argv[0], *rest])
