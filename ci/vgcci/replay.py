"""Tokens of the schedule explorer: which program of which build replays one, and that replay."""

import re
import subprocess
import sys

from . import files, host
from .paths import ROOT, build_dir, relative
from .process import run

TOKEN = re.compile(r"i(?P<version>\d+)\.(?P<compiler>gcc|clang)\.(?P<program>[^/\s]+)\.(?P<model>\w+)"
                   r"\.(?P<build>[0-9a-f]{8})\.[sd][\w-]*\.[0-9a-f]{16}\.[0-9a-f]{4}")
PRESETS = {"gcc": "dev", "clang": "dev-clang"}


def looks_like_token(word):
    return re.match(r"i\d+\.", word) is not None


def programs(root=ROOT):
    """Names of the explorer's programs in the tree."""
    lists = (path for path in (root / "whitebox/interleave").glob("*/CMakeLists.txt")
             if path.parent.name != "example")  # a project of a user's, as README shows it
    return [name for path in lists for name in re.findall(r"interleave_program\(NAME (\w+)", path.read_text())]


def find_program(folder, name):
    """The executable of that name below the explorer's part of a build, or None."""
    found = [path for path in sorted((folder / "whitebox/interleave").rglob(name))
             if path.is_file() and path.stat().st_mode & 0o111]
    return found[0] if found else None


def build(preset, program):
    """Configures and builds one program; its path, or None after telling what is wrong."""
    files.writable(build_dir(preset))
    built = run(["cmake", "--preset", preset], cwd=ROOT)
    if built.ok:
        built = run(["cmake", "--build", "--preset", preset, "-j", host.processors(), "--target", program], cwd=ROOT)
    if not built.ok:
        print(f"ci/repro: build of {program} in {preset} failed\n{built.output[-3000:]}", file=sys.stderr)
        return None
    path = find_program(build_dir(preset), program)
    if path is None:
        print(f"ci/repro: {relative(build_dir(preset))} has no program '{program}' of the explorer: was the token made "
              "by another revision?", file=sys.stderr)
    return path


def replay(token, preset=None, options=()):
    """The program's exit status: 1 the failure is there again, 0 the run is clean, 2 the token cannot be replayed."""
    match = TOKEN.fullmatch(token)
    if not match:
        print("ci/repro: the token is damaged: copy the whole of it, from 'i1.' to the four digits of its sum",
              file=sys.stderr)
        return 2
    if match["program"] not in programs():
        print(f"ci/repro: no program '{match['program']}' in this tree; run ./{match['program']} --token ... itself, "
              "where it was built", file=sys.stderr)
        return 2
    path = build(preset or PRESETS[match["compiler"]], match["program"])
    if path is None:
        return 2
    print(f"{relative(path)} --token {token} {' '.join(options)}".rstrip(), flush=True)
    return subprocess.call([path, "--token", token, *options], cwd=ROOT)
