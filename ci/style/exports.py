#!/usr/bin/env python3
"""The version map names exactly the functions of vgc.h."""

import re

from common import ROOT, finish

header = re.sub(r"/\*.*?\*/", "", (ROOT / "gc/include/vgc.h").read_text(), flags=re.DOTALL)
header = re.sub(r"__attribute__\(\(.*?\)\)", "", header)
declared = set(re.findall(r"VGC_API[^;{]*?\b(vgc_\w+)\s*\([^;{]*\)\s*;", header))
mapped = set(re.findall(r"^\s*(vgc_\w+);", (ROOT / "gc/libvgc.map").read_text(), re.MULTILINE))
finish([f"gc/libvgc.map: '{name}' is missing" for name in sorted(declared - mapped)]
       + [f"gc/libvgc.map: '{name}' is not declared in vgc.h" for name in sorted(mapped - declared)], len(declared))
