#!/usr/bin/env python3
"""An interrupted command ends what its threads run, children of children too, says so, and starts nothing more."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CI = Path(__file__).resolve().parents[1]

# Two workers with five jobs each; a job is a child that leads a group of its own below ours, as ninja's do.
COMMAND = f"""
import sys, threading
sys.path.insert(0, {str(CI)!r})
from vgcci import command, process
NESTED = '''
import subprocess, sys, signal
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
signal.signal(signal.SIGTERM, lambda *_: (child.kill(), sys.exit(1)))
print(child.pid, flush=True)
child.wait()
'''
def work():
    for _ in range(5):
        process.run([sys.executable, "-c", NESTED], on_line=lambda line: print(line, flush=True))
def main():
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
command.end("ci/x", main)
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class InterruptTest(unittest.TestCase):
    def interrupt(self, number):
        with tempfile.TemporaryFile("w+") as said:
            command = subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=said, text=True,
                                       start_new_session=True)
            pids = [int(command.stdout.readline()) for _ in range(2)]
            os.kill(command.pid, number)
            try:
                later = command.communicate(timeout=30)[0]
                said.seek(0)
                return command.returncode, said.read(), later, [pid for pid in pids if alive(pid)]
            finally:
                for pid in (pid for pid in [command.pid, *pids] if alive(pid)):
                    os.kill(pid, signal.SIGKILL)

    def test_interrupted_or_terminated(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            status, said, later, left = self.interrupt(number)
            self.assertEqual((status, later, left), (130, "", []), said)
            self.assertIn("ci/x: interrupted", said)

    def test_output_that_nobody_reads(self):
        shell = f"{CI / 'ablate'} --list | head -1"
        seen = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
        self.assertEqual(seen.stderr, "")


if __name__ == "__main__":
    unittest.main()
