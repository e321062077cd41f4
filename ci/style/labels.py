#!/usr/bin/env python3
"""HACKING.md names every label that a test of this build has."""

import subprocess
import sys

from common import ROOT, finish

command = ["ctest", "--test-dir", sys.argv[1], "--print-labels"]
seen = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
labels = seen.partition("All Labels:\n")[2].split()
said = (ROOT / "HACKING.md").read_text().partition("CTest labels: ")[2].partition("\n\n")[0]
finish([f"HACKING.md: 'CTest labels:' has no '{label}'" for label in labels if f"`{label}`" not in said], len(labels))
