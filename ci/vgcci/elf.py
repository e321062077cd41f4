"""What a program does, as a number: a hash over what is loaded of it, without debug information and build id."""

import hashlib
import struct

ALLOCATED, NO_BITS, NOTE = 2, 8, 7


def _sections(data):
    """(name, type, flags, contents)"""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian 64-bit ELF file")
    offset, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * size) for i in range(count)]
    strings = headers[names][4]
    for name, kind, flags, _, start, length, *_ in headers:
        end = data.index(b"\0", strings + name)
        yield data[strings + name:end].decode(), kind, flags, b"" if kind == NO_BITS else data[start:start + length]


def fingerprint(path, root):
    """root: the copy of the tree, whose path may be in strings."""
    digest = hashlib.sha256()
    for name, kind, flags, contents in _sections(path.read_bytes()):
        if flags & ALLOCATED and kind not in (NOTE, NO_BITS):
            digest.update(name.encode() + b"\0" + contents.replace(str(root).encode(), b"@"))
    return digest.hexdigest()
