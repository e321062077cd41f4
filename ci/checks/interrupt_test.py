#!/usr/bin/env python3
"""A command that is interrupted, terminated or hung up ends what its threads run, children of children too, says so,
and starts nothing more."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import tempfile
import termios
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
def say(line):
    print(line + "\\n", end="", flush=True)  # in one piece: two threads do
def work():
    for _ in range(5):
        process.run([sys.executable, "-c", NESTED], on_line=say)
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
    def start(self, said, before=None):
        """The command, and its children when they run."""
        command = subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=said, text=True,
                                   start_new_session=True, preexec_fn=before)
        return command, [int(command.stdout.readline()) for _ in range(2)]

    def end_of(self, command, pids, within=30):
        """(status, what it printed on, children that are left)"""
        try:
            later = command.communicate(timeout=within)[0]
            return command.returncode, later, [pid for pid in pids if alive(pid)]
        finally:
            for pid in (pid for pid in [command.pid, *pids] if alive(pid)):
                os.kill(pid, signal.SIGKILL)
            command.communicate()

    def test_interrupted_terminated_or_hung_up(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with tempfile.TemporaryFile("w+") as said:
                command, pids = self.start(said)
                os.kill(command.pid, number)
                seen = self.end_of(command, pids)
                said.seek(0)
                text = said.read()
            self.assertEqual(seen, (130, "", []), text)
            self.assertIn("ci/x: interrupted", text)

    def test_a_terminal_that_is_closed(self):
        ours, theirs = pty.openpty()
        command, pids = self.start(theirs, lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0))
        os.close(theirs)
        os.close(ours)  # what it says then can be written nowhere
        self.assertEqual(self.end_of(command, pids), (130, "", []))

    def test_nohup(self):
        with tempfile.TemporaryFile("w+") as said:
            command, pids = self.start(said, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
            os.kill(command.pid, signal.SIGHUP)
            with self.assertRaises(subprocess.TimeoutExpired):
                self.end_of(command, pids, within=1)

    def test_output_that_nobody_reads(self):
        shell = f"{CI / 'ablate'} --list | head -1"
        seen = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
        self.assertEqual(seen.stderr, "")


if __name__ == "__main__":
    unittest.main()
