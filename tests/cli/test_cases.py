"""heed test: cases found, run and compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import FOLDER, heed, identity, write  # noqa: E402
from onnx_writer import FLOAT, INT64, model, node, tensor, value  # noqa: E402


def add_case(name: str, content: bytes, sets: list[tuple[list[bytes], list[bytes]]]) -> None:
    write(f"{name}/model.onnx", content)
    for i, (given, wanted) in enumerate(sets):
        for kind, files in (("input", given), ("output", wanted)):
            for k, raw in enumerate(files):
                write(f"{name}/test_data_set_{i}/{kind}_{k}.pb", raw)


def three(*values: float) -> bytes:
    return tensor("", FLOAT, [3], list(values))


def make_cases(root: str) -> None:
    same = identity(FLOAT, [3])
    add_case(f"{root}/a/good", same, [([three(1, 2, 3)], [three(1, 2, 3)])] * 2)
    add_case(f"{root}/a/nan", same, [([three(1, float("nan"), float("inf"))],
                                      [three(1, float("nan"), float("inf"))])])
    add_case(f"{root}/b/close", same, [([three(1, 2, 1000)], [three(1, 2, 1000.9)])])
    add_case(f"{root}/b/off", same, [([three(1, 2, 3)], [three(1, 2, 3)]),
                                     ([three(1, 2, 3)], [three(1, 2.5, 4)])])
    add_case(f"{root}/b/shape", same, [([three(1, 2, 3)], [tensor("", FLOAT, [1, 3], [1, 2, 3])])])
    add_case(f"{root}/b/dtype", same, [([three(1, 2, 3)], [tensor("", INT64, [3], [1, 2, 3])])])
    add_case(f"{root}/c/none", same, [])
    unknown = model([node("Frobnicate", ["x"], ["y"])], [value("x", FLOAT, [3])],
                    [value("y", FLOAT, [3])])
    add_case(f"{root}/c/unknown", unknown, [([three(1, 2, 3)], [three(1, 2, 3)])])
    add_case(f"{root}/c/loose", same, [([three(1, 2, 3)], [three(1.0009, 2, 3)])])
    write(f"{root}/c/loose/case.json", b'{"features": ["x", {"dtype": "no"}], "dtype": "fp32"}')
    add_case(f"{root}/c/half", same, [([three(1, 2, 3)], [three(1.01, 2, 3)])])
    write(f"{root}/c/half/case.json", b'{"dtype": "fp16"}')


WANTED = {
    "a/good": "passed", "a/nan": "passed", "b/close": "passed", "b/off": "failed",
    "b/shape": "failed", "b/dtype": "failed", "c/none": "skipped", "c/unknown": "failed",
    "c/loose": "passed", "c/half": "passed",
}


def test_cases_as_text() -> None:
    make_cases("cases")
    out, err = heed("test", FOLDER / "cases", code=1)
    lines = out.splitlines()
    assert lines[-1] == "5 passed, 4 failed, 1 skipped" and err == "", out
    assert len(lines) == 6
    off = next(line for line in lines if line.startswith("failed b/off: "))
    assert 'test_data_set_1: output "y" element [1] of 3: expected 2.5, got 2 ' in off
    assert "2 of 3 differ" in off
    assert "expected shape 1x3, got 3" in out and "expected int64, got float32" in out
    assert "Frobnicate not supported" in out


def test_cases_as_json() -> None:
    make_cases("cases")
    for jobs in (1, 3):
        out, err = heed("test", FOLDER / "cases", "--json", "--jobs", jobs, code=1)
        rows = [json.loads(line) for line in out.splitlines()]
        assert {r["case"]: r["status"] for r in rows} == WANTED
        assert [r["case"] for r in rows] == sorted(WANTED)
        assert err == "5 passed, 4 failed, 1 skipped\n"
        by_name = {r["case"]: r for r in rows}
        assert set(rows[0]) == {"case", "status", "reason", "max_abs", "max_rel", "ms"}
        assert by_name["b/off"]["max_abs"] == 1 and by_name["c/none"]["max_abs"] is None


def test_tolerances_can_be_given() -> None:
    make_cases("cases")
    out, _ = heed("test", FOLDER / "cases/b/close", "--rtol=1e-6", code=1)
    assert "failed close: " in out and "off by 0.9" in out
    heed("test", FOLDER / "cases/b/off", "--atol=2")
    heed("test", FOLDER / "cases/c/half", "--rtol=1e-3", code=1)


def test_single_cases_several_folders_and_none() -> None:
    make_cases("cases")
    assert heed("test", FOLDER / "cases/a")[0] == "2 passed, 0 failed, 0 skipped\n"
    both = heed("test", FOLDER / "cases/a", FOLDER / "cases/b/close", "--json")[0]
    assert len({json.loads(line)["case"] for line in both.splitlines()}) == 3
    assert "No such file" in heed("test", FOLDER / "nowhere", code=2)[1]
    assert "model.onnx" in heed("test", write("blank/file", b"").parent, code=2)[1]
    heed("test", code=2)
    heed("test", FOLDER / "cases/a", "--backends", "nowhere", code=3)


def test_data_without_the_inputs_that_have_a_default() -> None:
    """Old models list initialisers as inputs; data sets number all of them, or the others."""
    inputs = [value("w", FLOAT, [3]), value("x", FLOAT, [3])]
    old = model([node("Add", ["x", "w"], ["y"])], inputs, [value("y", FLOAT, [3])],
                [tensor("w", FLOAT, [3], [1.0, 1.0, 1.0])])
    add_case("old/short", old, [([three(1, 2, 3)], [three(2, 3, 4)])])
    add_case("old/whole", old, [([three(5, 5, 5), three(1, 2, 3)], [three(6, 7, 8)])])
    assert heed("test", FOLDER / "old")[0] == "2 passed, 0 failed, 0 skipped\n"


if __name__ == "__main__":
    sys.exit(command.main(globals()))
