"""`heed bench`: configurations, sweeps, formats, errors of outputs, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import sys
import time
import xml.dom.minidom
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import FOLDER, HEED, heed, write  # noqa: E402
from onnx_writer import FLOAT, INT64, model, node, tensor, value  # noqa: E402

QUICK = ("--rounds", 2, "--warmup", 1)
WIDTH = 8


def attention() -> Path:
    """Embedded ids, attention of one head over them, a mask of floats as an input."""
    weights = [tensor("table", FLOAT, [4, WIDTH], [0.1 * (i % 7) - 0.3 for i in range(4 * WIDTH)]),
               tensor("w", FLOAT, [WIDTH, WIDTH], [0.05 * (i % 5) for i in range(WIDTH * WIDTH)])]
    nodes = [node("Gather", ["table", "ids"], ["e"]), node("Add", ["e", "noise"], ["x"]),
             node("MatMul", ["x", "w"], ["q"]), node("Transpose", ["x"], ["k"], perm=[0, 2, 1]),
             node("MatMul", ["q", "k"], ["s"]), node("Softmax", ["s"], ["p"], axis=-1),
             node("MatMul", ["p", "x"], ["y"])]
    inputs = [value("ids", INT64, ["b", "tokens"]), value("noise", FLOAT, ["b", "tokens", WIDTH])]
    return write("bench.onnx", model(nodes, inputs, [value("y", FLOAT, None)], weights))


def bench(*flags: object) -> dict:
    return json.loads(heed("bench", attention(), *QUICK, "--json", *flags)[0])


def test_one() -> None:
    told = bench()
    cell, = told["cells"]
    assert cell["runs"] == len(cell["samples_ms"]) >= 2 and cell["rounds"] == 2
    times = cell["time_ms"]
    assert 0 < times["min"] <= times["median"] <= times["p90"] <= times["p99"]
    assert times["ci95"]["low"] <= times["median"] <= times["ci95"]["high"]
    assert cell["memory_bytes"] > 0 and cell["tokens"] == 128 and "ratio" not in cell
    assert len(told["sha256"]) == 64 and told["nodes_imported"] == 7 and told["command"]
    assert told["weight_bytes"] == 4 * (4 * WIDTH + WIDTH * WIDTH)


def test_fusions() -> None:
    told = bench("--fusion", "on,off,each,on", "--seq", 16)
    configs = told["configurations"]
    labels = [c["label"] for c in configs]
    assert labels[:2] == ["on", "off"] and "without Attention" in labels and labels[-1] == "on"
    assert configs[0]["fusions"]["Attention"] == 1 and configs[1]["fusions"]["Attention"] == 0
    assert configs[1]["nodes"] == 7
    assert told["ratio_to"] == "on" and told["errors_to"] == "off"
    cells = told["cells"]
    assert "ratio" not in cells[0] and all(c["ratio"]["median"] > 0 for c in cells[1:])
    assert cells[1]["max_abs_error"] == 0 and all(c["max_abs_error"] < 1e-5 for c in cells)
    assert cells[0]["max_abs_error"] == cells[-1]["max_abs_error"]
    named = bench("--fusion", "on,Attention")["configurations"]
    assert named[1]["label"] == "without Attention"


def test_errors_of_the_same_are_zero() -> None:
    told = bench("--fusion", "on,on")
    assert [c["max_abs_error"] for c in told["cells"]] == [0, 0]
    assert [c["max_rel_error"] for c in told["cells"]] == [0, 0]


def test_sweeps() -> None:
    told = bench("--seq", "8,16", "--sweep", "threads=1,2", "--attention", "off,flash")
    assert [c["label"] for c in told["configurations"]] == ["attention off", "attention flash"]
    points = [(c["point"]["seq"], c["point"]["threads"], c["threads"]) for c in told["cells"][::2]]
    assert points == [(8, 1, 1), (8, 2, 2), (16, 1, 1), (16, 2, 2)]
    assert [c["tokens"] for c in told["cells"][::4]] == [8, 16]
    told = bench("--sweep", "batch=3", "tokens=5")
    assert told["cells"][0]["inputs"] == "ids 3x5, noise 3x5x8"
    told = bench("--sweep", "tokens=4,6", "--sweep", "b=2")
    assert [c["inputs"] for c in told["cells"]] == ["ids 2x4, noise 2x4x8", "ids 2x6, noise 2x6x8"]


def test_formats() -> None:
    flags = (attention(), *QUICK, "--fusion", "on,off", "--seq", "8,32")
    rows = list(csv.DictReader(io.StringIO(heed("bench", *flags, "--format", "csv")[0])))
    assert [(r["seq"], r["configuration"]) for r in rows] == [
        ("8", "on"), ("8", "off"), ("32", "on"), ("32", "off")]
    assert all(float(r["median_ms"]) > 0 and r["failed"] == "0" for r in rows)
    assert all(None not in r and None not in r.values() for r in rows)
    lines = heed("bench", *flags, "--format", "md")[0].splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 6 and len({line.count("|") for line in table}) == 1
    picture = FOLDER / "bench.svg"
    assert heed("bench", *flags, "--format", "svg", "--output", picture)[0] == ""
    svg = xml.dom.minidom.parse(str(picture))
    assert len(svg.getElementsByTagName("polyline")) == 2 * 2 + 2  # two panels, and the legend
    assert not re.search(r"href|url\(|<script", picture.read_text())
    numbers = [float(n) for tag in ("line", "text", "path") for e in svg.getElementsByTagName(tag)
               for n in re.findall(r"-?[\d.]+", e.getAttribute("y1") + " " + e.getAttribute("y"))]
    assert numbers and 0 <= min(numbers) and max(numbers) <= float(
        svg.documentElement.getAttribute("height"))
    bars = heed("bench", attention(), *QUICK, "--fusion", "on,off", "--format", "svg")[0]
    assert len(xml.dom.minidom.parseString(bars).getElementsByTagName("polyline")) == 0
    text = heed("bench", *flags)[0]
    assert "configuration" in text and "machine" in text and "sha256" in text


def refused(*flags: object) -> str:
    return heed("bench", attention(), *QUICK, *flags, code=2)[1]


def test_refusals() -> None:
    assert re.search("'quantum'; there are on,off,each,.*Attention",
                     refused("--fusion", "on,quantum"))
    assert "auto, off, mha" in refused("--attention", "off,sideways")
    assert "no symbol 'length'; --sweep can name threads, b, tokens" in refused(
        "--sweep", "length=1,2")
    assert "no open axis of the inputs is a sequence axis" in refused("--seq", 4, "tokens=2")
    assert "NAME=VALUE" in refused("--sweep", "length")
    assert "whole numbers" in refused("--seq", "12,x")
    assert "given twice" in refused("--sweep", "tokens=1", "tokens=2")
    assert "md, csv, json or svg" in refused("--format", "pdf")
    assert "there are" in refused("--without", "nonsense")
    assert heed("bench", code=2) and heed("bench", FOLDER / "none.onnx", code=2)


def test_failures_are_rows() -> None:
    """A point without memory is told; what could be measured stays."""
    out, err = heed("bench", attention(), *QUICK, "--attention", "off,flash", "--seq", "8,3000",
                    "--mem-limit", "24M", "--json", code=5)
    cells = json.loads(out)["cells"]
    assert "memory" in cells[2]["failed"] and cells[2]["runs"] == 0, err
    assert [c["runs"] >= 2 for c in cells] == [True, True, False, True]


def test_interrupt() -> None:
    command_line = [str(HEED), "bench", str(attention()), "--time", "60", "--fusion", "on,off"]
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 6 and "heed: stopped" in err, err
    assert ("measured so far" in err) == ("configuration" in out), out


if __name__ == "__main__":
    sys.exit(command.main(globals()))
