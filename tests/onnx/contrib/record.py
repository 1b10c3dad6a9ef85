#!/usr/bin/env python3
"""Writes recorded.tar.xz: 200 of the cases that test_contrib.py draws, evenly over operators,
with what they must give. tests/onnx/test_recorded.py runs them where there is no ONNX Runtime.

    tests/onnx/contrib/record.py

The same cases give the same bytes.
"""
import io
import lzma
import os
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from contrib.generate import make_row
from contrib.table import load

WANTED = 200
LARGEST = 24 << 10  # bytes of a case; larger ones are left to test_contrib.py
ARCHIVE = os.path.join(HERE, "recorded.tar.xz")


def shares(rows):
    """How many cases each operator gives: as many as any other, but for the rest, which goes to
    operators that lie evenly in the list."""
    each, rest = divmod(WANTED, len(rows))
    more = {i * len(rows) // rest for i in range(rest)}
    return [each + (i in more) for i in range(len(rows))]


def size_of(folder):
    return sum(os.path.getsize(os.path.join(path, name))
               for path, _, names in os.walk(folder) for name in names)


def record(row, count, folder):
    """Folders of `count` cases that lie evenly among the row's."""
    made = make_row(row, folder)
    fit = sorted(os.path.join(tolerance, name) for name, tolerance in made.cases.items()
                 if size_of(os.path.join(folder, tolerance, name)) <= LARGEST)
    fit.sort(key=lambda path: path.rpartition("-")[2])
    assert len(fit) >= count, row.op
    return [fit[i * len(fit) // count] for i in range(count)]


def files_of(folder, cases):
    for case in sorted(cases):
        for path, folders, names in os.walk(os.path.join(folder, case)):
            folders.sort()
            for name in sorted(names):
                yield os.path.relpath(os.path.join(path, name), folder)


def pack(folder, cases):
    """The bytes of a tar file without owners and times."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in files_of(folder, cases):
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return lzma.compress(out.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def main():
    rows = list(load().values())
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for row, count in zip(rows, shares(rows)):
            cases += record(row, count, folder)
        data = pack(folder, cases)
    with open(ARCHIVE, "wb") as file:
        file.write(data)
    print("%d cases of %d operators, %d bytes" % (len(cases), len(rows), len(data)))


if __name__ == "__main__":
    main()
