"""What the corpus tests share: unpacking an archive once, running `heed test`, and lists of cases
that pass.

A list (expected_*.txt, one case a line) may only grow: a listed case that fails is a failure; one
that passes and is not listed is reported, and `--update` writes it into the list. `--update`
never removes a line.

As a program it unpacks every archive that is there, for tests that only want the files.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.realpath(os.environ.get("HEED_SOURCE") or os.path.join(HERE, "..", ".."))
BUILD = os.path.realpath(os.environ.get("HEED_BUILD") or os.path.join(ROOT, "build"))
HEED = os.path.join(BUILD, "heed")
SHARED = os.path.join(ROOT, "..", "shared")
SKIPPED = 77


def skip(reason):
    print("SKIPPED: " + reason)
    sys.exit(SKIPPED)


def extract(archive, folder):
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)


def unpacked(archive):
    """The folder in the build that has the content of an archive; filled when it is not there."""
    folder = os.path.join(BUILD, "data", os.path.basename(archive).split(".")[0])
    size = str(os.path.getsize(archive))
    stamp = os.path.join(folder, "archive-bytes")
    if os.path.exists(stamp):
        with open(stamp, encoding="ascii") as file:
            if file.read() == size:
                return folder
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    fresh = tempfile.mkdtemp(dir=os.path.dirname(folder))
    extract(archive, fresh)
    with open(os.path.join(fresh, "archive-bytes"), "w", encoding="ascii") as file:
        file.write(size)
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(fresh, folder)
    return folder


def transformers():
    """(name, folder, what case.json says) of each case of the corpus of tiny transformers."""
    archive = os.path.join(SHARED, "models", "corpus.tar.xz")
    if not os.path.exists(archive):
        skip("the corpus is not there: ../shared/models/corpus.tar.xz")
    root = unpacked(archive)
    for path in sorted(glob.glob(os.path.join(root, "*", "*", "case.json"))):
        folder = os.path.dirname(path)
        with open(path, encoding="utf-8") as file:
            yield os.path.relpath(folder, root), folder, json.load(file)


def decoders():
    """Those of them whose tokens read earlier tokens."""
    return (case for case in transformers()
            if "causal" in case[2]["features"] or "past" in case[2]["features"])


def tool(name, *words):
    """A program of tests/tools: (what it prints, its errors)."""
    done = subprocess.run([os.path.join(BUILD, "tests", name), *words], capture_output=True,
                          text=True, check=False)
    return done.stdout.strip(), done.stderr.strip()


def run(folder, *flags):
    """{case: row} of `heed test` over a folder; a row has status and reason."""
    command = [HEED, "test", folder, "--json", "--jobs", "2", *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    results = {}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        results[row["case"]] = row
    if not results:
        print("heed test ended with exit code %d and no case" % done.returncode)
        sys.exit(1)
    return results


def read_list(name):
    path = os.path.join(HERE, name)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line]


def write_list(name, cases):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        file.write("".join(case + "\n" for case in sorted(cases)))


def grow(name, expected, reached):
    """Lines that were reached and are not listed: they are told, or written with --update."""
    new = set(reached) - set(expected)
    if new and "--update" in sys.argv:
        write_list(name, {*expected, *reached})
    elif new:
        print("%d lines are right and not listed: run this with --update" % len(new))


def judge(name, runs, may_fail):
    """Compares runs ({label: results}) with a list and ends the test.

    A case that is listed must pass in every run; `may_fail(reason)` says which failures of others
    are fine."""
    listed = set(read_list(name))
    wrong, skipped = [], 0
    everything = set().union(*runs.values())
    passes = {case for case in everything
              if all(case in results and results[case]["status"] == "passed"
                     for results in runs.values())}
    for case in sorted(listed - everything):
        wrong.append("%s: listed, but it is not there" % case)
    for label, results in runs.items():
        for case, row in sorted(results.items()):
            if row["status"] == "passed":
                continue
            if case in listed or not may_fail(row["reason"]):
                wrong.append("%s (%s): %s" % (case, label, row["reason"]))
            else:
                skipped += 1
    new = passes - listed
    for case in sorted(new):
        print("passes and is not listed: " + case)
    if new and "--update" in sys.argv:
        write_list(name, listed | passes)
    elif new:
        print("%d new: run this with --update" % len(new))
    for line in wrong:
        print("FAILED " + line)
    count = sum(row["status"] == "passed" for rows in runs.values() for row in rows.values())
    print("%d passed, %d failed, %d skipped" % (count, len(wrong), skipped))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    for archive in glob.glob(os.path.join(SHARED, "*", "*.tar.xz")):
        print(unpacked(archive))
