"""The line that says why a build failed."""

import re

ERROR = re.compile(r"(?:fatal )?error: |undefined reference|multiple definition|No such file or directory$")


def first_error(output):
    lines = output.splitlines()
    for place, line in enumerate(lines):
        if line.startswith("CMake Error"):
            text = " ".join(part.strip() for part in lines[place + 1: place + 4] if part.strip())
            return f"{line.strip()} {text}".strip()
        if ERROR.search(line):
            return line.strip()
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "no output"
