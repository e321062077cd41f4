"""Copies of the source tree in which edits are built. A copy keeps its build folders between runs, so that an edit
costs a few compilations; a lock file keeps two commands out of one copy."""

import fcntl
import os
import shutil
from pathlib import Path

from . import files
from .paths import OUT, ROOT, TREE
from .process import run


def _files(root):
    """{relative path: path} of the sources under root."""
    found = {}
    for name in TREE:
        top = root / name
        if top.is_file():
            found[name] = top
        for folder, folders, names in os.walk(top):
            folders[:] = [f for f in folders if f != "__pycache__"]
            for file in names:
                path = Path(folder) / file
                found[str(path.relative_to(root))] = path
    return found


class Worktree:
    def __init__(self, place, source=ROOT):
        self.root = place
        self.source = source
        self.edited = set()

    def sync(self):
        """Makes the copy equal to the source tree, touching only what differs."""
        wanted, present = _files(self.source), _files(self.root)
        for name in present.keys() - wanted.keys():
            present[name].unlink()
        for name, path in wanted.items():
            target = self.root / name
            data = path.read_bytes()
            if name not in present or target.read_bytes() != data:
                files.write(target, data)
                shutil.copymode(path, target)
        self.edited.clear()

    def edit(self, contents):
        """Writes {relative path: text}."""
        for name, text in contents.items():
            files.write(self.root / name, text)
            self.edited.add(name)

    def revert(self):
        for name in self.edited:
            files.write(self.root / name, (self.source / name).read_bytes())
        self.edited.clear()

    def build(self, preset, targets, jobs, timeout=600):
        """Configures if need be and builds; a process.Result."""
        # Copies share compiler results although their paths differ.
        env = {"CCACHE_BASEDIR": str(self.root), "CCACHE_NOHASHDIR": "1", "CLICOLOR_FORCE": "0"}
        build = self.root / "build" / preset
        if not (build / "build.ninja").exists():
            result = run(["cmake", "--preset", preset], cwd=self.root, env=env, timeout=timeout)
            if not result.ok:
                return result
        return run(["ninja", "-C", build, f"-j{jobs}", *targets], env=env, timeout=timeout)

    def program(self, preset, name):
        """Path of a built program, or None."""
        for folder in ("whitebox/bugs", "whitebox", "whitebox/unit", "whitebox/interleave/models", "stress", "fuzz"):
            path = self.root / "build" / preset / folder / name
            if path.is_file():
                return path
        return None


class Pool:
    """Numbered copies under out/; claim() gives one that no other command uses."""

    def __init__(self, base=OUT / "worktrees"):
        files.writable(base)  # before the hours of work in them
        self.base = base
        self.locks = []

    def claim(self):
        for number in range(1, 1000):
            place = self.base / str(number)
            place.mkdir(parents=True, exist_ok=True)
            lock = open(self.base / f"{number}.lock", "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            self.locks.append(lock)
            return Worktree(place)
        raise RuntimeError(f"{self.base}: every copy is in use")

    def close(self):
        for lock in self.locks:
            lock.close()
        self.locks.clear()
