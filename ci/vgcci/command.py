"""What the commands have in common: how they end, and what they take as a number, a folder or a file to write."""

import argparse
import errno
import math
import os
import signal
import sys
import traceback
from pathlib import Path

from . import files, process
from .paths import OUT, ROOT

INTERRUPTED = 130
COULD_NOT_RUN = 2
MOST = 1_000_000_000  # of anything; as seconds 31 years, which timers still take
FULL = (errno.ENOSPC, errno.EDQUOT)
CANNOT_WRITE = (*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EFBIG, errno.EIO)


def _interrupt(*_):
    process.end_all()  # those of other threads too: whoever waits for one goes on, and starts no other
    raise KeyboardInterrupt


def _discard(streams):
    """What is written to them. Writing to a terminal that has hung up would fail, and end the cleaning up."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(null, stream)


def _on_hang_up():
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]  # afterwards they are none

    def hang_up(*_):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the shell and the kernel send one each
        _discard(terminals)
        _interrupt()

    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, hang_up)


def _below(path, folder):
    return path is not None and Path(os.path.abspath(path)).is_relative_to(folder)


def _remedy(error, takes_out):
    if error.errno in FULL:
        return "free space, or give --out" if takes_out else "free space"
    if takes_out and _below(error.filename, OUT):
        return "give --out"
    return "work in a clone of your own" if _below(error.filename, ROOT) else "give another place"


def _cannot_write(name, error, takes_out):
    print(f"{name}: cannot write {error.filename or 'what it prints'}: {error.strerror}; {_remedy(error, takes_out)}",
          file=sys.stderr)
    if error.filename is None:
        _discard([sys.stdout.fileno()])  # not tried once more at the end


def end(name, main, takes_out=False):
    """Ends this process with main's status. Interrupted, terminated or hung up, it ends its children and unwinds
    first. What it cannot write, and what is wrong with itself, is never main's 1."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    _on_hang_up()
    try:
        status = main()
        sys.stdout.flush()
        sys.exit(status)
    except (KeyboardInterrupt, process.Interrupted):
        print(f"\n{name}: interrupted before its end: this run proves nothing", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # who read the output has gone
        _discard([sys.stdout.fileno()])
        sys.exit(1)
    except OSError as error:
        if error.errno in CANNOT_WRITE:
            _cannot_write(name, error, takes_out)
        else:
            traceback.print_exc()
        sys.exit(COULD_NOT_RUN)
    except Exception:
        traceback.print_exc()
        sys.exit(COULD_NOT_RUN)


def positive(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= MOST:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to {MOST}")
    return value


def duration(text):
    """Seconds or minutes, with a fraction."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= MOST:  # NaN is in no range
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0 and up to {MOST}")
    return value


def seed(text):
    """What every program takes: 32 bits."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 32:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to {(1 << 32) - 1}")
    return value


def _writable(text, path):
    try:
        files.writable(path)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"'{text}': cannot write {error.filename}: {error.strerror}; give another "
                                         "place, or free space") from None
    return path


def folder(text):
    """A folder that is there and can be written, or can be made. As a default give it as a string, so that argparse
    asks for it too."""
    path = Path(text).absolute()
    if os.path.exists(path) and not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"'{text}' is no folder; give another place")
    return _writable(text, path)


def file(text):
    """A file that can be written; asked before the hours of work whose result it is to hold."""
    path = Path(text).absolute()
    if os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"'{text}' is a folder; give a file")
    return _writable(text, path)
