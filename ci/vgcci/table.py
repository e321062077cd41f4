"""Aligned columns."""


def table(rows, header=None):
    rows = [[str(cell) for cell in row] for row in rows]
    every = ([list(header)] if header else []) + rows
    widths = [max(len(row[i]) for row in every) for i in range(len(every[0]))] if every else []
    lines = []
    for row in every:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    if header:
        lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
