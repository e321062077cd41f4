"""Child processes with a deadline: a process group of their own, all of it gone when the deadline passes."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass


@dataclass
class Result:
    command: list
    status: int  # exit status; negative: ended by that signal
    output: str  # standard output and standard error
    seconds: float
    timed_out: bool = False

    @property
    def ok(self):
        return self.status == 0 and not self.timed_out


def _end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(command, timeout=None, cwd=None, env=None, on_line=None):
    """Runs a command to its end or its deadline. on_line(text) is called with each line while it runs."""
    command = [str(word) for word in command]
    started = time.monotonic()
    try:
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                   text=True, errors="replace")
    except OSError as error:
        return Result(command, 127, f"{command[0]}: {error.strerror}\n", 0.0)
    expired = threading.Event()

    def expire():
        expired.set()
        _end_group(process)

    timer = threading.Timer(timeout, expire) if timeout else None
    if timer:
        timer.start()
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if on_line:
                on_line(line.rstrip("\n"))
        process.wait()
    except BaseException:
        _end_group(process)
        process.wait()
        raise
    finally:
        if timer:
            timer.cancel()
        process.stdout.close()
    return Result(command, process.returncode, "".join(lines), time.monotonic() - started, expired.is_set())
