"""Progress: one line that is rewritten on a terminal, a line for each event elsewhere."""

import os
import shutil
import sys
import threading
import time


class Progress:
    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.started = time.monotonic()
        self.lock = threading.Lock()

    def _clock(self):
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60:3d}:{seconds % 60:02d}"

    def event(self, text):
        """Something worth a line of its own."""
        with self.lock:
            clear = "\r\033[K" if self.live else ""
            self.stream.write(f"{clear}{self._clock()}  {text}\n")
            self.stream.flush()

    def now(self, text):
        """What is going on at this moment; shown only on a terminal."""
        if not self.live:
            return
        with self.lock:
            width = shutil.get_terminal_size().columns - 8
            self.stream.write(f"\r\033[K{self._clock()}  {text[:width]}")
            self.stream.flush()

    def step(self, text):
        """One of many: a line of its own only where there is no live one."""
        if self.live:
            self.now(text)
        else:
            self.event(text)

    def done(self):
        if self.live:
            with self.lock:
                self.stream.write("\r\033[K")
                self.stream.flush()


def colour(text, name, stream=sys.stdout):
    codes = {"green": "32", "red": "31", "yellow": "33", "bold": "1"}
    if not stream.isatty() or "NO_COLOR" in os.environ or name not in codes:
        return text
    return f"\033[{codes[name]}m{text}\033[0m"
