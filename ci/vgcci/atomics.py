"""The atomic operations of gc/: where each stands and which memory order it has."""

import re
from dataclasses import dataclass
from pathlib import Path

from . import csource

# One step down, for each kind of operation.
WEAKER = {
    "load": {"seq_cst": ["acquire"], "acquire": ["relaxed"]},
    "store": {"seq_cst": ["release"], "release": ["relaxed"]},
    "read-modify-write": {"seq_cst": ["acq_rel"], "acq_rel": ["acquire", "release"], "acquire": ["relaxed"],
                          "release": ["relaxed"]},
    "thread fence": {"seq_cst": ["acq_rel"], "acq_rel": ["acquire", "release"]},
    "signal fence": {},
}
FAILURE_WEAKER = {"seq_cst": ["acquire"], "acquire": ["relaxed"]}
_EXPLICIT = re.compile(r"atomic_(load|store|exchange|fetch_\w+?|compare_exchange_weak|compare_exchange_strong"
                       r"|thread_fence|signal_fence|flag_test_and_set|flag_clear)(_explicit)?")
_NO_OPERATION = {"atomic_init", "atomic_is_lock_free"}


class AtomicError(Exception):
    """gc/ uses an atomic operation in a way that this program does not understand."""


@dataclass
class Macro:
    """A word of atomic.h."""
    name: str
    operation: str
    order: str
    failure: str = ""


@dataclass
class Use:
    source: csource.Source
    function: csource.Function
    call: csource.Call
    operation: str  # load, store, exchange, fetch_add, ...
    order: str
    failure: str    # of a compare-exchange, else empty

    @property
    def category(self):
        if self.operation in ("load", "store"):
            return self.operation
        if self.operation in ("thread_fence", "signal_fence"):
            return self.operation.replace("_", " ")
        return "read-modify-write"

    @property
    def line(self):
        return self.source.line(self.call.start)

    @property
    def values(self):
        """The arguments without orders."""
        return [text for text in self.call.arguments if not text.startswith("memory_order_")]

    @property
    def acquires(self):
        return self.category != "store" and self.order in ("acquire", "acq_rel", "seq_cst")

    @property
    def releases(self):
        return self.category != "load" and self.order in ("release", "acq_rel", "seq_cst")


def macros(root):
    """{name: Macro} from atomic.h."""
    text = (Path(root) / "gc/atomic.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).replace("\\\n", " ")
    found = {}
    text = re.sub(r"__atomic_(fetch_\w+)\((.*), __ATOMIC_RELAXED\)", r"atomic_\1_explicit(\2, memory_order_relaxed)",
                  text)
    word = re.compile(r"^#define (\w+)\([^)]*\)\s+(atomic_\w+)\((.*)\)\s*$", re.MULTILINE)
    for name, callee, arguments in word.findall(text):
        operation = _EXPLICIT.fullmatch(callee)
        orders = re.findall(r"memory_order_(\w+)", arguments)
        if not operation or not orders:
            raise AtomicError(f"gc/atomic.h: {name}: expected one call of an atomic_..._explicit function with orders")
        found[name] = Macro(name, operation.group(1), orders[0], orders[1] if len(orders) > 1 else "")
    return found


def _direct(source, call):
    """(operation, order, failure) of a call of stdatomic.h's own functions."""
    match = _EXPLICIT.fullmatch(call.name)
    if not match:
        raise AtomicError(f"{source.name}:{source.line(call.start)}: '{call.name}' is unknown to ci/vgcci/atomics.py")
    orders = [text.removeprefix("memory_order_") for text in call.arguments if text.startswith("memory_order_")]
    if not match.group(2) and not match.group(1).endswith("fence"):
        orders = ["seq_cst", "seq_cst"]
    compares = match.group(1).startswith("compare_exchange")
    return match.group(1), orders[0], orders[1] if compares else ""


def uses(sources, known):
    """Every atomic operation in the functions of the sources, in order."""
    for source in sources.values():
        for text in source.directives:
            hidden = [word for word in re.findall(r"\b\w+\b", text) if word in known or _EXPLICIT.fullmatch(word)]
            if hidden:
                raise AtomicError(f"{source.name}: '{hidden[0]}' inside a macro, where no mutation finds it")
        for call in csource.calls(source, r"atomic_\w+|" + "|".join(known)):
            function = source.function_at(call.start)
            if not function or call.name in _NO_OPERATION:
                continue
            if call.name in known:
                macro = known[call.name]
                yield Use(source, function, call, macro.operation, macro.order, macro.failure)
            else:
                yield Use(source, function, call, *_direct(source, call))
