"""`heed explain`: attention that is fused, that is not, and softmaxes of something else."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import FOLDER, heed, linear, write  # noqa: E402
from onnx_writer import FLOAT, model, node, tensor, value  # noqa: E402

HEADS, CHANNELS = 2, 4


def graph(*extra: bytes, mixed: bool = False, outputs: list | None = None) -> bytes:
    """softmax(q k^T / 2 + bias) v with heads in front; `mixed`: heads are mixed before the softmax,
    which no fused operator computes."""
    q, k, v = (value(n, FLOAT, ["batch", HEADS, length, CHANNELS])
               for n, length in (("q", "seq"), ("k", "keys"), ("v", "keys")))
    bias = value("bias", FLOAT, ["batch", 1, "seq", "keys"])
    weights = [tensor("half", FLOAT, [], [0.5]), tensor("mix", FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0]),
               tensor("w", FLOAT, [4, 3], [0.5] * 12)]
    nodes = [node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
             node("MatMul", ["q", "kt"], ["s"]), node("Mul", ["s", "half"], ["scaled"])]
    if mixed:
        nodes += [node("Transpose", ["scaled"], ["last"], perm=[0, 2, 3, 1]),
                  node("MatMul", ["last", "mix"], ["talked"]),
                  node("Transpose", ["talked"], ["scores"], perm=[0, 3, 1, 2])]
    else:
        nodes += [node("Add", ["scaled", "bias"], ["scores"])]
    nodes += [node("Softmax", ["scores"], ["p"], axis=-1), node("MatMul", ["p", "v"], ["y"])]
    nodes += extra
    return model(nodes, [q, k, v] + ([] if mixed else [bias]),
                 [value("y", FLOAT, None)] + (outputs or []), weights)


def router() -> tuple[bytes, ...]:
    return node("MatMul", ["q", "w"], ["logits"]), node("Softmax", ["logits"], ["routed"], axis=-1)


def explain(content: bytes, *flags: object) -> dict:
    return json.loads(heed("explain", write("explain.onnx", content), "--json", *flags)[0])


def test_fused() -> None:
    told = explain(graph())
    attention = told["attention"]
    assert attention["sites"] == attention["fused"] == len(attention["list"]) == 1
    site = attention["list"][0]
    assert site["node"] == "Softmax_p" and site["fused"] and site["attention"]
    assert site["operator"] == "heed.FlashAttention" and site["backend"] == "cpu"
    assert (site["q_heads"], site["k_heads"], site["v_heads"]) == (HEADS,) * 3
    assert site["head_dim"] == site["v_head_dim"] == CHANNELS and "bias" in site["features"]
    assert site["nodes"] == ["Transpose_kt", "MatMul_s", "Mul_scaled", "Add_scores", "Softmax_p",
                             "MatMul_y"]
    assert told["nodes_before"] == 6 and told["nodes_after"] == 1
    assert told["placement"] == {"cpu": 1} and told["caches"] == []
    assert told["passes"]["recognise"] == 1


def test_decomposed() -> None:
    site = explain(graph(), "--backends", "reference")["attention"]["list"][0]
    assert site["fused"] and site["decomposed"] and site["operator"] == "heed.Attention"
    assert site["backend"] == "reference"


def test_switched_off() -> None:
    attention = explain(graph(), "--attention", "off")["attention"]
    assert (attention["sites"], attention["fused"]) == (1, 0)
    assert "switched off" in attention["list"][0]["reason"] and attention["list"][0]["help"]


def test_not_fused_says_where_and_what_would_help() -> None:
    attention = explain(graph(mixed=True))["attention"]
    assert (attention["sites"], attention["fused"]) == (1, 0)
    site = attention["list"][0]
    assert site["attention"] and site["at"] == "MatMul_talked" and site["at_operator"] == "MatMul"
    assert site["reason"] and site["help"]


def test_a_router_is_no_attention() -> None:
    routed = value("routed", FLOAT, None)
    attention = explain(graph(*router(), outputs=[routed]))["attention"]
    assert (attention["sites"], attention["fused"]) == (1, 1)
    others = [s for s in attention["list"] if not s["fused"]]
    assert len(others) == 1 and not others[0]["attention"] and others[0]["help"] == ""
    assert others[0]["node"] == "Softmax_routed" and others[0]["at"] == "MatMul_logits"


def test_text() -> None:
    content = graph(*router(), outputs=[value("routed", FLOAT, None)])
    out, err = heed("explain", write("explain.onnx", content))
    assert not err and "attention: 1 found, 1 fused, 0 not fused" in out
    for part in ("heed.FlashAttention", "Softmax_p", "softmax that is no attention (1)",
                 "(at MatMul MatMul_logits)", "why: ", "placement: cpu "):
        assert part in out, out
    out, _ = heed("explain", write("explain.onnx", graph(mixed=True)))
    assert "not fused (1)" in out and "what would help: " in out
    assert "attention: none found" in heed("explain", write("linear.onnx", linear()))[0]


def caches_of(name: str) -> list[dict]:
    verse = Path(__file__).resolve().parents[2] / "examples" / "verse"
    return json.loads(heed("explain", verse / name, "--json")[0])["caches"]


def test_caches() -> None:
    past = caches_of("verse-past.onnx")
    assert [c["layer"] for c in past] == list(range(len(past))) and past
    for c in past:
        assert c["form"] == "concat" and c["paged"] and c["proof"] and not c["reason"]
        names = [c[n] for n in ("past_key", "present_key", "past_value", "present_value")]
        assert all(names) and len(set(names)) == 4
    none = caches_of("verse.onnx")
    assert len(none) == len(past)
    assert all(c["form"] == "none" and c["paged"] and not c["past_key"] for c in none)


def grown(*, fixed: bool) -> bytes:
    """A product with keys that a past is joined to; nothing hides later ones."""
    tokens = 3 if fixed else "seq"
    shape = ["batch", HEADS, "past", CHANNELS]
    inputs = [value("x", FLOAT, ["batch", tokens, CHANNELS]), value("old", FLOAT, shape),
              value("older", FLOAT, shape)]
    ones = tensor("ones", 7, [1], [1])
    nodes = [node("Unsqueeze", ["x", "ones"], ["q"]),
             node("Concat", ["old", "q2"], ["k"], axis=2),
             node("Concat", ["older", "q2"], ["v"], axis=2),
             node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
             node("MatMul", ["q2", "kt"], ["s"]), node("Softmax", ["s"], ["p"], axis=-1),
             node("MatMul", ["p", "v"], ["y"])]
    nodes.insert(1, node("Concat", ["q", "q"], ["q2"], axis=1))
    return model(nodes, inputs, [value(n, FLOAT, None) for n in ("y", "k", "v")], [ones])


def test_caches_without_pages() -> None:
    for fixed in (False, True):
        cache, = explain(grown(fixed=fixed))["caches"]
        assert (cache["past_key"], cache["present_key"]) == ("old", "k")
        assert (cache["past_value"], cache["present_value"]) == ("older", "v")
        assert cache["form"] == "concat" and not cache["paged"] and not cache["proof"]
        assert cache["reason"] and cache["help"]
    assert "fixed in the file" in cache["reason"]
    out, _ = heed("explain", write("explain.onnx", grown(fixed=False)))
    for part in ("cache of earlier tokens", "keys: old -> k", "no pages: ", "what would help: "):
        assert part in out, out


def test_errors() -> None:
    heed("explain", code=2)
    heed("explain", FOLDER / "none.onnx", code=2)
    path = write("explain.onnx", graph())
    heed("explain", path, path, code=2)
    heed("explain", path, "--format", "xml", code=2)
    heed("explain", path, "--attention", "sideways", code=2)
    heed("explain", path, "--backends", "nowhere", code=3)
    heed("explain", write("bad.onnx", b"no model"), code=4)


def page(content: bytes) -> str:
    target = FOLDER / "explain.html"
    heed("explain", write("explain.onnx", content), "--html", target)
    return target.read_text(encoding="utf-8")


def test_page_has_both_graphs_and_needs_no_network() -> None:
    text = page(graph(*router()))
    for address in re.findall(r"https?://[^\s\"']+", text):
        assert address == "http://www.w3.org/2000/svg", address  # a name, nothing that is loaded
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])
    before, after = data["graphs"]["before"], data["graphs"]["after"]
    assert [n["op"] for n in before["nodes"]][:2] == ["Transpose", "MatMul"]
    fused = next(n for n in after["nodes"] if n["op"] == "FlashAttention")
    assert fused["site"] == 0 and data["attention"]["list"][0]["fused"]
    assert "scale=0.5" in fused["attributes"] and fused["backend"] == "cpu"
    q = before["values"][before["nodes"][1]["inputs"][0]]
    assert q == {"name": "q", "type": "float32 [batch, 2, seq, 4]"}


def test_names_cannot_end_the_data() -> None:
    evil = "</script><script>alert(1)</script>"
    x = value("x", FLOAT, [2])
    text = page(model([node("Neg", ["x"], [evil])], [x], [value(evil, FLOAT, None)], []))
    assert evil not in text and text.count("</script>") == 2


def test_page_that_cannot_be_written() -> None:
    _, message = heed("explain", write("explain.onnx", graph()), "--html", "/no/such/folder/p.html",
                      code=2)
    assert "/no/such/folder/p.html" in message


if __name__ == "__main__":
    sys.exit(command.main(globals()))
