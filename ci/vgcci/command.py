"""What the commands have in common: how they end, and what they take as a number, a folder or a file to write."""

import argparse
import os
import signal
import sys
from pathlib import Path

from . import process

INTERRUPTED = 130


def _interrupt(*_):
    process.end_all()  # those of other threads too: whoever waits for one goes on, and starts no other
    raise KeyboardInterrupt


def end(name, main):
    """Ends this process with main's status. Interrupted or terminated, it ends its children and unwinds first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        sys.exit(main())
    except (KeyboardInterrupt, process.Interrupted):
        print(f"\n{name}: interrupted before its end: this run proves nothing", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # who read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def positive(text):
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 up")
    return value


def _writable(text, place):
    """Raises unless the nearest folder above that exists can be written."""
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}': '{place}' is no folder; give another place")
    if not os.access(place, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"'{text}': '{place}' cannot be written; give another place")


def folder(text):
    """A folder that is there and can be written, or can be made."""
    path = Path(text).absolute()
    _writable(text, path)
    return path


def file(text):
    """A file that can be written; asked before the hours of work whose result it is to hold."""
    path = Path(text).absolute()
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"'{text}' is a folder; give a file")
    _writable(text, path.parent)
    return path
