"""Enough of C to find statements in gc/: not a compiler, but right for clang-formatted sources, and every span is an
offset into the unchanged text."""

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|^[ \t]*#(?:\\\n|[^\n])*",
                   re.DOTALL | re.MULTILINE)
OPEN, CLOSE = "([{", ")]}"
LEAVES = re.compile(r"\b(return|break|continue|goto)\b")


@dataclass
class Statement:
    kind: str  # expression | declaration | block | if | for | while | do | switch | return | break | continue | label
    start: int
    end: int
    head: tuple = (0, 0)                        # of the parenthesis of if, for, while, switch, do
    parts: list = field(default_factory=list)   # statements inside, as lists: body, else

    def walk(self):
        """Itself and all inside."""
        yield self
        for part in self.parts:
            for statement in part:
                yield from statement.walk()


@dataclass
class Function:
    name: str
    start: int  # of its first line
    open: int   # its brace
    end: int
    body: list  # statements

    def blocks(self):
        """Every list of statements that follow each other."""
        yield self.body
        for statement in self.body:
            for inner in statement.walk():
                yield from (part for part in inner.parts if part)


@dataclass
class Source:
    name: str  # gc/cache.c
    text: str
    code: str  # the same length: comments, directives and the insides of strings are blank
    comments: list  # (start, end)
    directives: list  # text of each
    functions: list

    def line(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def function_at(self, offset):
        return next((f for f in self.functions if f.start <= offset < f.end), None)

    def said(self, statement):
        """The code of a statement in one line."""
        return " ".join(self.code[statement.start:statement.end].split())


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def matching(code, at):
    """Offset of the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(code)):
        if code[place] in OPEN:
            depth += 1
        elif code[place] in CLOSE:
            depth -= 1
            if depth == 0:
                return place
    raise ValueError(f"bracket at offset {at} is never closed")


def _skip_space(code, at):
    while at < len(code) and code[at].isspace():
        at += 1
    return at


def _until_semicolon(code, at):
    while code[at] != ";":
        at = matching(code, at) if code[at] in OPEN else at
        at += 1
    return at + 1


DECLARATION = re.compile(r"(?:(?:static|const|volatile|struct|enum|union|unsigned|signed|_Atomic|_Thread_local)\b"
                         r"|(?:bool|char|int|long|void|float|double|[a-z_]+_t)\b[\s*]+\w)"
                         r"|[A-Za-z_]\w*\s+\**\w+\s*(?:[=;,\[]|__attribute__)")


def _one(code, at):
    """The statement that begins at or after at."""
    at = _skip_space(code, at)
    if code[at] == "{":
        end = matching(code, at)
        return Statement("block", at, end + 1, parts=[statements(code, at + 1, end)])
    word = re.match(r"[A-Za-z_]\w*", code[at:])
    word = word.group(0) if word else ""
    if word in ("if", "for", "while", "switch"):
        head = code.index("(", at)
        close = matching(code, head)
        body = _one(code, close + 1)
        made = Statement(word, at, body.end, (head, close + 1), [_list(body)])
        after = _skip_space(code, body.end)
        if word == "if" and re.match(r"else\b", code[after:after + 5]):
            other = _one(code, after + 4)
            made.parts.append(_list(other))
            made.end = other.end
        return made
    if word == "do":
        body = _one(code, at + 2)
        head = code.index("(", body.end)
        close = matching(code, head)
        return Statement("do", at, _until_semicolon(code, close), (head, close + 1), [_list(body)])
    if word in ("case", "default") or re.match(r"[A-Za-z_]\w*\s*:[^:]", code[at:at + 60]):
        end = code.index(":", at) + 1
        return Statement("label", at, end)
    end = _until_semicolon(code, at)
    if word in ("return", "break", "continue", "goto"):
        return Statement(word, at, end)
    kind = "declaration" if DECLARATION.match(code[at:end]) else "expression"
    return Statement(kind, at, end)


def _list(body):
    return body.parts[0] if body.kind == "block" else [body]


def statements(code, at, end):
    found = []
    at = _skip_space(code, at)
    while at < end:
        statement = _one(code, at)
        found.append(statement)
        at = _skip_space(code, statement.end)
    return found


def _name_of(header):
    """The name of the function that this text heads, or None."""
    header = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", lambda m: " " * len(m.group(0)), header)
    if "=" in header or not header.rstrip().endswith(")"):
        return None
    found = re.search(r"\(\s*(\w+)\s*\)\s*\(", header) or re.search(r"\b(\w+)\s*\(", header)
    return found.group(1) if found else None


def _functions(code):
    found, at, begin = [], 0, 0
    while at < len(code):
        char = code[at]
        if char in "([":
            at = matching(code, at)
        elif char == ";":
            begin = at + 1
        elif char == "{":
            close = matching(code, at)
            name = _name_of(code[begin:at])
            if name:
                start = _skip_space(code, begin)
                found.append(Function(name, start, at, close + 1, statements(code, at + 1, close)))
                begin = close + 1
            at = close
        at += 1
    return found


def parse(name, text):
    comments, directives = [], []
    for match in TOKEN.finditer(text):
        said = match.group(0)
        if said.startswith(("//", "/*")):
            comments.append(match.span())
        elif said.lstrip().startswith("#"):
            directives.append(said)
    code = TOKEN.sub(_blank, text)
    return Source(name, text, code, comments, directives, _functions(code))


def leaves(source, statement):
    """Whether it may end the function or a loop around it."""
    return bool(LEAVES.search(source.code[statement.start:statement.end]))


@dataclass
class Call:
    name: str
    start: int
    end: int
    arguments: list  # texts


def call_at(source, start, name):
    """The call whose name stands at start, or None."""
    head = _skip_space(source.code, start + len(name))
    if source.code[head:head + 1] != "(":
        return None
    close = matching(source.code, head)
    arguments, begin, at = [], head + 1, head + 1
    while at < close:
        if source.code[at] in OPEN:
            at = matching(source.code, at)
        elif source.code[at] == ",":
            arguments.append(source.text[begin:at].strip())
            begin = at + 1
        at += 1
    last = source.text[begin:close].strip()
    if last or arguments:
        arguments.append(last)
    return Call(name, start, close + 1, arguments)


def calls(source, names, start=0, end=None):
    """Calls of functions whose name the pattern matches whole, in order."""
    end = len(source.code) if end is None else end
    for match in re.finditer(r"\b[A-Za-z_]\w*\b", source.code[start:end]):
        if not re.fullmatch(names, match.group(0)):
            continue
        call = call_at(source, start + match.start(), match.group(0))
        if call:
            yield call


@functools.lru_cache(maxsize=None)
def _parsed(path, name, stamp):
    del stamp
    return parse(name, path.read_text())


def load(root):
    """{name: Source} of gc/, headers first; atomic.h and point.h define the words and are none of it."""
    found = {}
    for path in sorted((Path(root) / "gc").glob("*.[ch]"), key=lambda p: (p.suffix != ".h", p.name)):
        if path.name in ("atomic.h", "point.h"):
            continue
        found[f"gc/{path.name}"] = _parsed(path, f"gc/{path.name}", path.stat().st_mtime_ns)
    return found
