"""Help, flags, exit codes, inspect, plugin and doctor."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import FOLDER, HEED, decoder, heed, linear, run_json, write  # noqa: E402
from onnx_writer import FLOAT, model, node, value  # noqa: E402


def heed_fails(*words: object, code: int) -> str:
    """For calls whose stderr is no single line of ours."""
    done = subprocess.run([HEED, *map(str, words)], capture_output=True, timeout=60)
    assert done.returncode == code, done
    return done.stderr.decode()


def test_help_of_all_verbs_fits_a_screen() -> None:
    verbs = re.findall(r"^  ([a-z]+) ", heed("--help")[0], re.M)
    assert {"run", "test", "inspect", "plugin", "doctor"} <= set(verbs), verbs
    for verb in verbs:
        text = heed(verb, "--help")[0]
        assert text.startswith(f"heed {verb}") and text == heed("help", verb)[0]
        lines = text.splitlines()
        assert len(lines) <= 40 and max(map(len, lines)) <= 100, verb


def test_version_names_the_build() -> None:
    out, _ = heed("--version")
    assert re.match(r"heed \d+\.\d+\.\d+\n.+", out)


def test_no_verb_and_unknown_verbs_are_usage_errors() -> None:
    assert heed_fails(code=2).count("\n") > 5
    err = heed("rnu", code=2)[1]
    assert "unknown verb 'rnu'; did you mean 'run'?" in err and "inspect" in err
    assert "did you mean" not in heed("frobnicate", code=2)[1]


def test_unknown_flags_name_the_nearest() -> None:
    path = write("linear.onnx", linear())
    assert "did you mean --threads?" in heed("run", path, "--thraeds", 2, code=2)[1]
    assert "heed run --help" in heed("run", path, "--zzzzzz", code=2)[1]
    assert "two dashes" in heed("run", path, "-t", code=2)[1]
    assert "needs a value" in heed("run", path, "--threads", code=2)[1]


def test_both_forms_of_a_flag_and_its_environment_variable() -> None:
    path = write("linear.onnx", linear())
    assert run_json(path, "--threads=1")["threads"] == 1
    assert run_json(path, "--threads", "1")["threads"] == 1
    assert run_json(path, env={"HEED_THREADS": "1"})["threads"] == 1
    assert run_json(path, "--threads=2", env={"HEED_THREADS": "1"})["threads"] == 2
    assert json.loads(heed("run", path, env={"HEED_JSON": "1"})[0])
    assert json.loads(heed("run", path, env={"HEED_FORMAT": "json"})[0])
    assert heed("run", path, env={"HEED_JSON": "0"})[0].startswith("output")


def test_bad_values_of_flags() -> None:
    path = write("linear.onnx", linear())
    for flag, bad in (("threads", "two"), ("threads", "-1"), ("repeat", "0"), ("mem-limit", "2X"),
                      ("attention", "fast"), ("attention", "paged"), ("precision", "bf16"),
                      ("format", "xml"),
                      ("deadline-ms", "soon"), ("log", "loud"), ("json", "maybe")):
        assert bad in heed("run", path, f"--{flag}={bad}", code=2)[1], flag
    for mode in ("off", "auto"):
        heed("run", path, "--attention", mode)
    heed("run", path, "--precision", "fp32")


def test_flags_that_contradict_each_other() -> None:
    path = write("linear.onnx", linear())
    for verb in ("run", "bench"):
        assert "--json and --format csv" in heed(verb, path, "--json", "--format=csv", code=2)[1]
    assert heed("run", path, "--format=text", env={"HEED_JSON": "1"})[0].startswith("output")
    assert json.loads(heed("run", path, "--json", env={"HEED_FORMAT": "text"})[0])


def test_outputs_that_cannot_be_written_are_refused_before_the_work() -> None:
    path = write("linear.onnx", linear())
    for verb, flag in (("run", "output"), ("bench", "output"), ("explain", "html")):
        for bad, why in ((FOLDER, "Is a directory"), (FOLDER / "none/x", "No such file")):
            out, err = heed(verb, path, f"--{flag}", bad, code=2)
            assert not out and f"--{flag} {bad}: {why}" in err, err


def test_words_too_many_and_folders_without_models() -> None:
    assert "'extra'" in heed("doctor", "extra", code=2)[1]
    assert "heed plugin info cpu" in heed("plugin", "list", "cpu", code=2)[1]
    empty = FOLDER / "no-models"
    empty.mkdir(exist_ok=True)
    for verb, *flags in (("run",), ("generate", "--tokens=1"), ("embed", "--tokens=1")):
        assert "no file in it ends with .onnx" in heed(verb, empty, *flags, code=2)[1], verb


def test_bad_models() -> None:
    assert "No such file" in heed("run", FOLDER / "none.onnx", code=2)[1]
    assert "No such file" in heed("inspect", FOLDER / "none.onnx", code=2)[1]
    heed("run", code=2)
    for verb in ("run", "inspect"):
        heed(verb, write("garbage.onnx", b"\xff" * 100), code=4)
        heed(verb, write("empty.onnx", b""), code=4)
        heed(verb, write("cut.onnx", linear()[:-20]), code=4)
        unknown = model([node("Frobnicate", ["x"], ["y"])], [value("x", FLOAT, [1])],
                        [value("y", FLOAT, None)])
        err = heed(verb, write("unknown.onnx", unknown), code=4)[1]
        assert "Frobnicate not supported" in err and "unknown.onnx: " in err, err
        assert err.count("\n") == 1


# ---- inspect, plugin, doctor --------------------------------------------------------------------


def test_inspect() -> None:
    path = write("decoder.onnx", decoder())
    out, _ = heed("inspect", path)
    for part in ("ids", "past", "opset ai.onnx", "Identity", "3 nodes"):
        assert part in out, (part, out)
    row = json.loads(heed("inspect", path, "--json")[0])
    assert [i["name"] for i in row["inputs"]] == ["ids", "mask", "cache"]
    batch, both = row["inputs"][1]["shape"]
    assert batch == "batch" and sorted(both.split(" + ")) == ["past", "seq"]
    assert row["opsets"]["ai.onnx"] == "18" and row["nodes"] == 3
    assert row["operators"] == [{"domain": "ai.onnx", "op": "Identity", "nodes": 3}]
    row = json.loads(heed("inspect", write("linear.onnx", linear()), "--json")[0])
    assert row["weights"] == [{"dtype": "float32", "tensors": 1, "elements": 6, "bytes": 24}]


def test_plugins() -> None:
    out, _ = heed("plugin", "list")
    for part in ("reference", "onnx", "importer", "backend"):
        assert part in out, out
    rows = {p["name"]: p for p in json.loads(heed("plugin", "list", "--json")[0])["plugins"]}
    assert rows["reference"]["kind"] == "backend" and rows["reference"]["offers"] > 20
    assert rows["onnx"]["kind"] == "importer" and rows["onnx"]["abi"] == 1
    assert "MatMul" in heed("plugin", "info", "reference")[0]
    assert "MatMul" in heed("plugin", "list", "--verbose")[0]
    assert "did you mean" in heed("plugin", "info", "referense", code=3)[1]
    heed("plugin", "frob", code=2)
    heed("plugin", "info", code=2)


def test_doctor() -> None:
    out, _ = heed("doctor")
    assert "self-test  reference: ok" in out and "result     ready" in out
    row = json.loads(heed("doctor", "--json")[0])
    assert row["ready"] and all(t["passed"] and t["nodes"] > 0 for t in row["self_tests"])


def test_doctor_reports_a_refused_plugin() -> None:
    folder = write("plugins/broken.so", b"not a shared object").parent
    path = f"{folder}:{os.environ.get('HEED_PLUGIN_PATH', '')}"
    done = subprocess.run([HEED, "doctor"], capture_output=True,
                          env=os.environ | {"HEED_PLUGIN_PATH": path}, timeout=60)
    out = done.stdout.decode()
    assert done.returncode == 3 and re.search("^refused .*broken.so: .+", out, re.M), out


if __name__ == "__main__":
    sys.exit(command.main(globals()))
