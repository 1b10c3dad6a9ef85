"""Every malformed model ends with exit code 4 and one line that says where, what and what to do.

    python3 tests/malformed/test_malformed.py             compare with golden.txt
    python3 tests/malformed/test_malformed.py --update    write golden.txt
    python3 tests/malformed/test_malformed.py CASE...     show what these say

The models are written to build/malformed/cases/CASE/model.onnx, and once more to
build/malformed/models/CASE.onnx, which are seeds of the fuzzer.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import cases  # noqa: E402
import external  # noqa: E402,F401
import graphs  # noqa: E402,F401
import tensors  # noqa: E402,F401
import wire  # noqa: E402,F401

GOLDEN = HERE / "golden.txt"
BUILD = Path(os.environ.get("HEED_BUILD", HERE.parent.parent / "build")).resolve()
EXIT_MODEL, SECONDS, SKIPPED = 4, 60, 77
FORM = re.compile(r"heed: model\.onnx: \S.*")
LEAKS = re.compile(r"(/tmp|/home|/root|\.c:\d|0x[0-9a-f]{6,})")


def write_case(name: str) -> Path:
    folder, seeds = BUILD / "malformed" / "cases" / name, BUILD / "malformed" / "models"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    seeds.mkdir(exist_ok=True)
    content = cases.CASES[name](folder)
    (folder / "model.onnx").write_bytes(content)
    (seeds / f"{name}.onnx").write_bytes(content)
    return folder


def run_case(name: str) -> tuple[int, str]:
    folder = write_case(name)
    environment = {**os.environ, "HEED_PLUGIN_PATH": os.environ.get(
        "HEED_PLUGIN_PATH", str(BUILD / "lib/heed/plugins-1"))}
    try:
        done = subprocess.run([BUILD / "heed", "run", "model.onnx"], cwd=folder, timeout=SECONDS,
                              capture_output=True, text=True, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return -1, f"still running after {SECONDS} seconds"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return done.returncode, lines[-1] if lines else ""


def faults(code: int, line: str) -> list[str]:
    """What is wrong with an answer, whatever the golden text says."""
    found = []
    if code != EXIT_MODEL:
        found.append(f"exit code {code} instead of {EXIT_MODEL}")
    if not FORM.fullmatch(line):
        found.append("not of the form 'heed: MODEL: element: what'")
    if " at byte " not in line and "known format" not in line:
        found.append("no byte offset")
    if LEAKS.search(line):
        found.append("shows internals")
    return found


def read_golden() -> dict[str, str]:
    golden, name = {}, ""
    for line in GOLDEN.read_text().splitlines():
        if line.startswith("== "):
            name = line[3:].split(":")[0]
        elif line and name:
            golden[name] = line
    return golden


def golden_text(answers: dict[str, tuple[int, str]]) -> str:
    parts = ["What heed says about each malformed model (test_malformed.py --update)."]
    parts += [f"== {name}: {cases.WHAT[name]}\n{line}" for name, (_, line) in answers.items()]
    return "\n\n".join(parts) + "\n"


def show(names: list[str]) -> int:
    for name in names:
        print(name, *run_case(name))
    return 0


def compare(answers: dict[str, tuple[int, str]]) -> int:
    golden, failed = read_golden(), 0
    for name, (code, line) in answers.items():
        found = faults(code, line)
        if line != golden.get(name):
            found.append("another message")
        if found:
            failed += 1
            print(f"failed {name}: {', '.join(found)}")
            print(*difflib.ndiff([golden.get(name, "")], [line]), sep="\n")
    for name in golden.keys() - answers.keys():
        failed += 1
        print(f"failed {name}: in golden.txt, but no such case")
    print(f"{len(answers) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def main() -> int:
    if not (BUILD / "heed").exists():
        print("there is no heed in the build folder")
        return SKIPPED
    arguments = sys.argv[1:]
    if arguments and arguments != ["--update"]:
        return show(arguments)
    answers = {name: run_case(name) for name in cases.CASES}
    if arguments:
        GOLDEN.write_text(golden_text(answers))
        wrong = {name: faults(*answer) for name, answer in answers.items() if faults(*answer)}
        for name, found in wrong.items():
            print(f"{name}: {', '.join(found)}: {answers[name][1]}")
        return 1 if wrong else 0
    return compare(answers)


if __name__ == "__main__":
    sys.exit(main())
