#!/usr/bin/env python3
"""What the commands say of wrong words, and of places that they cannot write: one line before the work begins, and
status 2, for 1 is a result. They run in a copy of the tree, as somebody to whom nothing in it belongs."""

import contextlib
import importlib.machinery
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from vgcci import files, process, replay  # noqa: E402
from vgcci.paths import ROOT, TREE  # noqa: E402

COMMANDS = ("ablate", "bench", "clients", "fuzz", "gate", "mutate", "new-bug", "repro", "test")
DEBIAN = Path(f"/usr/lib/{os.uname().machine}-linux-gnu")
TOO_LONG = 60  # seconds, for saying no


def copy_of_the_tree(place):
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, place / name)


def load(name):
    """A command as a module."""
    path = str(ROOT / "ci" / name)
    spec = importlib.util.spec_from_loader(name, importlib.machinery.SourceFileLoader(name, path))
    module = importlib.util.module_from_spec(spec)
    with unittest.mock.patch("sys.dont_write_bytecode", True):
        spec.loader.exec_module(module)
    return module


def run(command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=TOO_LONG, **more)


class CopyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.above = Path(folder.name)
        self.above.chmod(0o755)
        self.tree = self.above / "tree"
        self.tree.mkdir()
        copy_of_the_tree(self.tree)

    def command(self, name, *words, **more):
        return run([self.tree / "ci" / name, *words], cwd=self.tree, **more)


class NobodyTest(CopyTest):
    """Not root, or what root starts as nobody."""

    def setUp(self):
        super().setUp()
        self.who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self.closed = self.above / "closed"
        (self.closed / "inner").mkdir(parents=True)
        self.closed.chmod(0o700 if self.who else 0)
        for folder in [self.tree, *self.tree.rglob("*")] if not self.who else []:
            folder.chmod(folder.stat().st_mode & ~0o222)
        self.addCleanup(self.open_again)

    def open_again(self):
        self.closed.chmod(0o700)
        for folder, _, _ in os.walk(self.tree):
            os.chmod(folder, 0o755)

    def refused(self, name, *words):
        seen = self.command(name, *words, **self.who)
        self.assertEqual(seen.returncode, 2, (name, seen.stdout, seen.stderr))
        self.assertIn("cannot write", seen.stderr, name)
        self.assertNotIn("Traceback", seen.stderr)
        self.assertEqual(seen.stdout, "", name)
        return seen.stderr

    def test_a_tree_of_somebody_else(self):
        for name, *words in (["ablate", "V05"], ["bench", "--quick"], ["fuzz"], ["gate", "--quick"], ["repro", "7"],
                             ["mutate", "--sample", "1"], ["new-bug", "Z99", "A title"], ["test", "--no-setup"],
                             ["repro", "i1.gcc.models.lock.00000000.s0.0000000000000000.0000"],
                             ["gate", "--quick", "--out", tempfile.gettempdir()]):
            self.assertIn(str(self.tree), self.refused(name, *words))

    @unittest.skipUnless((DEBIAN / "libgc.so.1").exists(), "no libgc")
    def test_clients(self):
        self.assertIn(str(self.tree), self.refused("clients", "--library", DEBIAN))

    def test_a_folder_that_cannot_be_looked_into(self):
        for name in ("fuzz", "gate"):
            self.assertIn(str(self.closed), self.refused(name, "--out", self.closed / "inner"))

    def test_copies_of_somebody_else(self):
        self.tree.chmod(0o755)
        (self.tree / "out").mkdir()
        (self.tree / "out").chmod(0o777)
        (self.tree / "out/worktrees").mkdir()
        (self.tree / "out/worktrees").chmod(0o555)
        self.assertIn("out/worktrees", self.refused("ablate", "V05"))


class NewBugTest(CopyTest):
    TITLES = ("What goes wrong, in one line", "Short", "12 things", "a" * 100, "ab-" * 33, "One " * 25,
              "The line of the tests is as long as it may be", "An object of the program's that is \"odd\" \\")

    def bugs(self):
        folder = self.tree / "whitebox/bugs"
        return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}

    def test_its_test_is_laid_out_as_the_style_wants(self):
        for number, title in enumerate(self.TITLES):
            seen = self.command("new-bug", f"Z{number:02}", title)
            self.assertEqual(seen.returncode, 0, seen.stderr)
        made = sorted((self.tree / "whitebox/bugs").glob("Z*.c"))
        self.assertEqual(len(made), len(self.TITLES))
        seen = run(["clang-format", "--dry-run", "-Werror", *made])
        self.assertEqual(seen.returncode, 0, seen.stderr)
        for path in made:
            self.assertLessEqual(max(map(len, path.read_text().splitlines())), 120, path)

    def test_a_title_that_ends_the_comment(self):
        before = self.bugs()
        for title in ("a */ b", "a /* b"):
            seen = self.command("new-bug", "Z01", title)
            self.assertEqual((seen.returncode, self.bugs()), (2, before), seen.stderr)

    def test_all_or_nothing(self):
        before = self.bugs()
        index = self.tree / "ci/vgcci/index.py"
        text = index.read_text()
        index.write_text(text + "\n\ndef insert(row):\n    files.write(Path('/dev/full'), 'x')\n"
                         "from pathlib import Path\n")
        seen = self.command("new-bug", "Z01", "A title")
        self.assertEqual((seen.returncode, self.bugs()), (2, before), seen.stderr)
        self.assertIn("/dev/full", seen.stderr)
        index.write_text(text)
        self.assertEqual(self.command("new-bug", "Z01", "A title").returncode, 0)
        self.assertEqual(set(self.bugs()) - set(before), {"Z01_a_title.c", "Z01.ablation"})


class WordsTest(unittest.TestCase):
    def refused(self, name, *words):
        seen = run([ROOT / "ci" / name, *words], cwd=ROOT)
        self.assertEqual(seen.returncode, 2, (name, words, seen.stdout, seen.stderr))
        self.assertNotIn("Traceback", seen.stderr)
        return seen.stderr

    def test_numbers(self):
        for name, option, text, *more in (
                ("bench", "--seconds", "1e400"), ("bench", "--seconds", "nan"), ("bench", "--seconds", "0"),
                ("bench", "--threads", "0"), ("bench", "--threads", "1,x"), ("bench", "--threads", "1,9" + "9" * 20),
                ("fuzz", "--seconds", "9" * 20), ("fuzz", "--seed", "9" * 20), ("repro", "--minutes", "nan", "7"),
                ("repro", "--minutes", "inf", "7"), ("ablate", "--budget", "nan"), ("mutate", "--explore", "inf"),
                ("mutate", "--within", "-1"), ("gate", "--seed", "-1")):
            said = self.refused(name, option, text, *more)
            self.assertIn(option, said)
            self.assertIn(text, said)

    def test_a_file_where_nobody_can_make_one(self):
        for option in ("--json", "--plot"):
            self.assertIn("/proc", self.refused("bench", option, "/proc/x"))

    def test_help_tells_how_they_end(self):
        for name in COMMANDS:
            said = " ".join(run([ROOT / "ci" / name, "--help"]).stdout.split())
            self.assertIn("130 interrupted", said, name)


class ReproTest(unittest.TestCase):
    def test_a_token_of_a_program_of_somebody_else(self):
        self.assertIn("models", replay.programs())
        self.assertNotIn("stack", replay.programs())  # README's, of which this is a token
        seen = run([ROOT / "ci/repro", "i1.gcc.stack.stack.eadd1d93.dAgE.5a9b5bad40042161.7bc1"])
        self.assertEqual((seen.returncode, seen.stdout), (2, ""), seen.stderr)
        self.assertIn("no program 'stack' in this tree; run ./stack --token", seen.stderr)

    def repro(self, status):
        """(its status, what it prints) of a stress program that ends with that status."""
        repro = load("repro")

        def fake(command, **more):
            ours = "stress_churn" in str(command[0])
            return process.Result(command, status if ours else 0, "option is '--bogus'\n" if ours else "", 0.1)

        out = tempfile.TemporaryDirectory()
        self.addCleanup(out.cleanup)
        words = ["repro", "--rounds", "2", "--out", out.name, "stress_churn --bogus"]
        said = io.StringIO()
        with unittest.mock.patch.multiple(repro, run=fake, resource=unittest.mock.DEFAULT), \
                unittest.mock.patch.object(repro.files, "writable"), unittest.mock.patch("sys.argv", words), \
                unittest.mock.patch.object(repro.stress, "programs", lambda folder: [Path("b/stress_churn")]), \
                contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return repro.main(), said.getvalue()

    def test_a_line_that_the_program_refuses_reproduces_nothing(self):
        status, said = self.repro(2)
        self.assertEqual(status, 2)
        self.assertIn("stress_churn refuses the line:\noption is '--bogus'", said)
        status, said = self.repro(1)
        self.assertEqual(status, 1)
        self.assertIn("2 of 2 runs failed", said)


class FullTest(unittest.TestCase):
    def test_a_file_has_its_name(self):
        with self.assertRaises(OSError) as seen:
            files.write(Path("/dev/full"), "x")
        self.assertEqual(seen.exception.filename, "/dev/full")

    def test_what_is_printed(self):
        with open("/dev/full", "w") as full:
            seen = subprocess.run([ROOT / "ci/ablate", "--list"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((seen.returncode, seen.stderr.count("\n")), (2, 1), seen.stderr)
        self.assertIn("ci/ablate: cannot write", seen.stderr)


if __name__ == "__main__":
    unittest.main()
