"""One run of a program with one of two libraries: what it printed, which libgc it loaded, what it took.

What the program itself takes is read of its own process: a compiler that it starts must not hide it. wait4 cannot
tell, for a process's largest memory there is the largest of its children as well, and at first that of the process that
started it; VmHWM of /proc/PID/status is of the process since its exec, and only grows, so that reading it every 10 ms
misses no more than the growth of the last 10. Processor time, of all its threads and to its end, is in /proc/PID/stat,
which holds children's apart, as long as it is not reaped.
"""

import os
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from . import files, process

LIBRARY = "libgc.so.1"
COLLECTOR = re.compile(r"/lib(gc|vgc)\.so(\.[\d.]+)?$")
HZ = os.sysconf("SC_CLK_TCK")
STACKS_SECONDS = 60


@dataclass
class Run:
    library: Path
    status: int
    seconds: float
    cpu_seconds: float
    peak_kib: int
    loaded: list              # the libgc that its process had mapped
    stdout: bytes = b""
    failure: str = ""         # what is wrong with it, whatever it should have printed
    kept: list = field(default_factory=list)


class _Watcher:
    def __init__(self, stacks):
        self.stacks, self.peak_kib, self.cpu_seconds, self.program, self.loaded = stacks, 0, 0.0, None, set()

    def look(self, pid):
        try:
            folder = Path(f"/proc/{pid}")
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            self.cpu_seconds = (int(fields[11]) + int(fields[12])) / HZ
            status = (folder / "status").read_text()
            peak = re.search(r"^VmHWM:\s+(\d+)", status, re.MULTILINE)
            if not peak:  # it has ended
                return
            if not self.loaded:  # until it is there: a program does not unload it
                for line in (folder / "maps").read_text().splitlines():
                    path = line.partition("/")[2]
                    if COLLECTOR.search("/" + path):
                        self.loaded.add("/" + path)
                self.program = os.readlink(folder / "exe")
            self.peak_kib = max(self.peak_kib, int(peak.group(1)))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return

    def hung(self, pid):
        """The stacks of what does not end."""
        if shutil.which("gdb"):
            result = process.run(["gdb", "-batch", "-nx", "-p", pid, "-ex", "thread apply all backtrace 60"],
                                 timeout=STACKS_SECONDS)
            files.write(self.stacks, result.output)
        else:
            files.write(self.stacks, "no gdb here, so no stacks; ci/setup installs it\n")


def library_path(folder):
    """The file that a program loads from the folder."""
    return (folder / LIBRARY).resolve()


def wrong_library(loaded, folder):
    """Why what was loaded is not the folder's, or an empty text."""
    expected = str(library_path(folder))
    libraries = [path for path in loaded if "/libgc.so" in path]
    if libraries == [expected]:
        return ""
    if not libraries:
        return f"no {LIBRARY} was seen in its memory; expected {expected}"
    return f"it loaded {', '.join(libraries)}; expected {expected}"


def environment(folder, scratch, more=()):
    return {"LD_LIBRARY_PATH": str(folder), "HOME": str(scratch), "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8",
            "TERM": "dumb", "XDG_CACHE_HOME": str(scratch / "cache"), "CRYSTAL_CACHE_DIR": str(scratch / "crystal"),
            "NIX_STATE_DIR": str(scratch / "nix"), "NIX_REMOTE": "", **dict(more)}


def _stacks_of_core(scratch, program, stacks):
    cores = sorted(scratch.glob("core*"))
    if cores and program and shutil.which("gdb"):
        result = process.run(["gdb", "-batch", "-nx", "-ex", "thread apply all backtrace 60", program, cores[0]],
                             timeout=STACKS_SECONDS)
        files.write(stacks, result.output)
    return cores


def run(command, folder, scratch, deadline, env=(), logs=None):
    """Runs the command with the folder's library. What it leaves lies in scratch, its streams in logs."""
    logs = logs or scratch
    scratch.mkdir(parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    stdout, stderr, stacks = logs / "stdout", logs / "stderr", logs / "stacks"
    watcher = _Watcher(stacks)
    variables = environment(folder, scratch, env)
    result = process.watch(command, deadline, watcher.look, scratch, variables, stdout, stderr, watcher.hung)
    # Beside the streams, so that a person can run it again.
    line = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    files.write(logs / "command", f"cd {scratch} && env {line} {shlex.join(map(str, result.command))}\n")
    one = Run(folder, result.status, result.seconds, watcher.cpu_seconds, watcher.peak_kib, sorted(watcher.loaded),
              stdout.read_bytes(), kept=[logs])
    if result.timed_out:
        one.failure = f"hangs: no end after {deadline:.0f} s; its stacks: {stacks}"
    elif result.status < 0:
        one.kept += _stacks_of_core(scratch, watcher.program, stacks)
        one.failure = f"crashes: ended by signal {-result.status}{last_line(stderr)}"
    elif result.status:
        one.failure = f"fails: exit status {result.status}{last_line(stderr)}"
    else:
        wrong = wrong_library(one.loaded, folder)
        one.failure = f"wrong library: {wrong}" if wrong else ""
    return one


def last_line(path):
    lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return f": {lines[-1].strip()[:200]}" if lines else ""
