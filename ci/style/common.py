"""What the style checks share: which files are the project's, and how a check ends."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".c", ".h", ".py", ".txt", ".cmake", ".in", ".md", ".json", ".yml", ".map", ".ablation", ".lua", ".S", ""}
SKIP = {".git", "build", "out", ".cache", "__pycache__"}


def files(*suffixes, under=("gc", "whitebox", "stress", "fuzz")):
    """Source files with one of the suffixes, sorted."""
    found = []
    for folder in under:
        found += [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.suffix in suffixes]
    return sorted(found)


def every_text():
    """Every text file of the project: what git tracks, or in a copy without git all that is no build output."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True)
    if listed.returncode == 0 and listed.stdout:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not SKIP & set(p.relative_to(ROOT).parts)]
    for path in sorted(paths):
        if path.is_file() and path.suffix in TEXT:
            try:
                yield path, path.read_text()
            except UnicodeDecodeError:
                continue


def name(path):
    return str(path.relative_to(ROOT))


def finish(problems, checked):
    """Prints each problem and ends with 1, or says what was checked and ends with 0."""
    for problem in problems:
        print(problem)
    if not checked:
        print("nothing was checked")
        sys.exit(1)
    print(f"{len(problems)} problems in {checked} checked")
    sys.exit(1 if problems else 0)
