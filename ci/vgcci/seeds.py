"""Seeds from the commit: the same commit draws the same sample everywhere, the next commit another."""

import hashlib

from .paths import ROOT
from .process import run


def commit(root=ROOT):
    result = run(["git", "-C", root, "rev-parse", "HEAD"])
    return result.output.strip() if result.ok else "0" * 40


def is_dirty(root=ROOT):
    result = run(["git", "-C", root, "status", "--porcelain"])
    return bool(result.output.strip()) if result.ok else True


def derive(base, *parts, shard=None):
    """A 32-bit seed for one use: derive(base, "stress_churn", 3). Shard (i, n) draws only seeds that are i-1 modulo n,
    so that machines share the seed space without coordination."""
    text = "/".join([str(base), *map(str, parts)])
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    if shard:
        seed = seed - seed % shard[1] + shard[0] - 1
    return seed or (shard[1] if shard else 1)


def in_shard(index, shard):
    """Whether item number index belongs to shard (i, n), i from 1 to n."""
    return shard is None or index % shard[1] == shard[0] - 1
