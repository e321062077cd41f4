"""What this host is like, where it matters to the sanitizers."""

import os
import platform
import shutil
from pathlib import Path

from .process import run

MOST_BITS = 28  # of mmap randomization that old sanitizer runtimes can map around


def random_bits():
    try:
        return int(Path("/proc/sys/vm/mmap_rnd_bits").read_text())
    except (OSError, ValueError):
        return 0


def sanitizer_prefix():
    """(command that starts sanitized programs, remark). With 32 bits of address randomization a runtime may find its
    shadow taken; then programs run without randomization."""
    bits = random_bits()
    if bits <= MOST_BITS:
        return (), ""
    prefix = ("setarch", platform.machine(), "-R")
    if not shutil.which("setarch"):
        return (), f"{bits} bits of mmap randomization and no setarch: sanitizers may fail to start"
    if not run([*prefix, "true"]).ok:
        return (), (f"{bits} bits of mmap randomization, and setarch -R is not permitted here: sanitizers may fail to "
                    "start; run: sysctl vm.mmap_rnd_bits=28")
    return prefix, f"{bits} bits of mmap randomization: sanitizers run under setarch -R"


def processors():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
