"""What a command writes: asked for before the work begins whose result it is to hold, and named when it fails."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

PROBE_BYTES = 4096  # what a full file system has not


@contextmanager
def naming(path):
    """An OSError from here names the file: one of write() or close(), such as of a full disk, does not by itself."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from None
        raise


def _try_file(path):
    if path.is_file():
        path.open("ab").close()
    elif not os.access(path, os.W_OK):  # a device or a pipe, which opening might disturb
        raise PermissionError(13, os.strerror(13), str(path))


def writable(path):
    """Raises an OSError that names the place unless the file, or a file in the folder, can be written. What is not
    there yet is asked of the nearest folder above. A trial: access() allows root what no file system does."""
    place = Path(os.path.abspath(path))
    if os.path.exists(place) and not os.path.isdir(place):
        return _try_file(place)
    while not os.path.exists(place) and place != place.parent:  # Path.exists() raises where it may not look
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(PROBE_BYTES))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno), str(place)) from None


def replace(path, text):
    """As write, or the file stays as it was."""
    scratch = path.with_name(path.name + ".new")
    try:
        write(scratch, text)
        shutil.copymode(path, scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write(path, text):
    """Text or bytes; folders above are made."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
