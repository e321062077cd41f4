"""Child processes with a deadline: a process group of their own, all of it gone when the deadline passes."""

import os
import select
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

GRACE_SECONDS = 5  # for a child that is asked to end


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


class Interrupted(Exception):
    """The command is ending: no child is started any more."""


_running = set()
_ending = threading.Event()
_lock = threading.RLock()  # a signal handler takes it too, perhaps of the thread that holds it


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def _await_end(process, until):
    """Without reaping it, which is left to whoever runs it."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll(max(0, until - time.monotonic()) * 1000)
    os.close(handle)


def _end_groups(processes):
    """Asks first: ninja and the commands of this folder have children in groups of their own, which only they end."""
    for process in processes:
        _signal_group(process, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    for process in processes:
        _await_end(process, until)
        _signal_group(process, signal.SIGKILL)


def end_all():
    """Ends every child, whatever thread waits for it; who waits for one or asks for another gets Interrupted."""
    _ending.set()
    with _lock:
        _end_groups(list(_running))


def _start(command, cwd, env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT):
    with _lock:
        if _ending.is_set():
            raise Interrupted
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                                   stdout=stdout, stderr=stderr, start_new_session=True, text=True, errors="replace")
        _running.add(process)
        return process


def watch(command, timeout, look, cwd=None, env=None, stdout=None, stderr=None, hung=None, interval=0.01):
    """Runs a command with its streams in files, and calls look(pid) all the while and once more when it has ended,
    before it is reaped; hung(pid) when the deadline passes, before it is ended. The Result has no output."""
    command = [str(word) for word in command]
    started = time.monotonic()
    with open(stdout, "wb") as out, open(stderr, "wb") as error:
        try:
            process = _start(command, cwd, env, out, error)
        except OSError as why:
            error.write(f"{command[0]}: {why.strerror}\n".encode())
            return Result(command, 127, "", 0.0)
    expired = False
    try:
        handle = os.pidfd_open(process.pid)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while not poll.poll(interval * 1000):
            look(process.pid)
            if timeout and not expired and time.monotonic() - started > timeout:
                expired = True
                if hung:
                    hung(process.pid)
                _end_groups([process])
        seconds = time.monotonic() - started
        look(process.pid)
        os.close(handle)
    finally:
        _signal_group(process, signal.SIGKILL)  # children that it left behind as well
        process.wait()
        with _lock:
            _running.discard(process)
    if _ending.is_set():
        raise Interrupted
    return Result(command, process.returncode, "", seconds, expired)


def run(command, timeout=None, cwd=None, env=None, on_line=None):
    """Runs a command to its end or its deadline. on_line(text) is called with each line while it runs."""
    command = [str(word) for word in command]
    started = time.monotonic()
    try:
        process = _start(command, cwd, env)
    except OSError as error:
        return Result(command, 127, f"{command[0]}: {error.strerror}\n", 0.0)
    expired = threading.Event()

    def expire():
        expired.set()
        _end_groups([process])

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
        _end_groups([process])
        process.wait()
        raise
    finally:
        if timer:
            timer.cancel()
        process.stdout.close()
        with _lock:
            _running.discard(process)
    if _ending.is_set():
        raise Interrupted
    return Result(command, process.returncode, "".join(lines), time.monotonic() - started, expired.is_set())
