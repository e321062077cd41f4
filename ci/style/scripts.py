#!/usr/bin/env python3
"""Every script compiles, and every command answers --help."""

import subprocess

from common import ROOT, files, finish, name

problems, checked = [], 0
commands = sorted(p for p in (ROOT / "ci").iterdir() if p.is_file() and not p.suffix)
for path in files(".py", under=("whitebox", "stress", "fuzz", "ci")) + commands:
    text = path.read_text()
    checked += 1
    if path.suffix == ".py" or text.startswith("#!/usr/bin/env python3"):
        try:
            compile(text, str(path), "exec")
        except SyntaxError as error:
            problems.append(f"{name(path)}:{error.lineno}: {error.msg}")
    elif text.startswith("#!"):
        result = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
        if result.returncode:
            problems.append(result.stderr.strip())
for path in commands:
    result = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=30)
    if result.returncode or "usage: ci/" not in result.stdout:
        problems.append(f"{name(path)} --help: expected status 0 and a usage line, got {result.returncode}")
finish(problems, checked)
