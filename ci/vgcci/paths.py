"""Where things are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out"
BUGS = ROOT / "whitebox" / "bugs"

# What a copy of the source tree consists of.
TREE = ["CMakeLists.txt", "CMakePresets.json", "LICENSE", ".clang-format", ".clang-tidy", "gc", "whitebox", "stress",
        "fuzz", "ci"]


def build_dir(preset, root=ROOT):
    return root / "build" / preset


def relative(path):
    """A path as a person in the project's root would type it."""
    try:
        return str(Path(path).relative_to(ROOT))
    except ValueError:
        return str(path)
