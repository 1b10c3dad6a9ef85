"""heed generate: prompts, sampling, what is printed, how it ends. On the embedded model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import command  # noqa: E402
from command import FOLDER, HEED, ROOT, heed, linear, tiny_decoder, write  # noqa: E402

VERSE = ROOT / "examples" / "verse"
MODEL, PAST = VERSE / "verse.onnx", VERSE / "verse-past.onnx"
GOLDEN = json.loads((VERSE / "golden.json").read_text())["cases"]
CASE = GOLDEN[0]
IDS = ",".join(map(str, CASE["prompt_tokens"]))
FORMS = (MODEL, PAST)


def generate(*words: object, model: Path = MODEL, **options: object) -> dict:
    return json.loads(heed("generate", model, *words, "--json", **options)[0])


def alone() -> Path:
    """The model in a folder without a tokenizer, or one above it."""
    folder = FOLDER / "alone" / "model"
    if not folder.exists():
        folder.mkdir(parents=True)
        for name in ("verse.onnx", "verse-past.onnx", "verse.weights"):
            shutil.copy(VERSE / name, folder)
    return folder / "verse.onnx"


# ---- Golden tokens ------------------------------------------------------------------------------


def test_golden_tokens_of_both_exports() -> None:
    for model in FORMS:
        for case in GOLDEN:
            got = generate("--prompt", case["prompt"], "--max-tokens", 64, model=model)
            assert got["tokens"] == case["tokens"], (model.name, case["prompt"], got)
            assert case["prompt"] + got["text"] == case["text"]
            assert got["prompt_tokens"] == len(case["prompt_tokens"])


def test_golden_tokens_of_a_batch_and_every_setting() -> None:
    prompts = [w for case in GOLDEN for w in ("--prompt", case["prompt"])]
    want = [case["tokens"] for case in GOLDEN]
    for flags in ((), ("--page-tokens", 1), ("--page-tokens", 7), ("--step-tokens", 2),
                  ("--no-sharing",), ("--no-pages",), ("--backends", "reference"),
                  ("--attention", "off"), ("--threads", 1), ("--kv-memory", "200K")):
        got = generate(*prompts, "--max-tokens", 64, *flags)
        assert [s["tokens"] for s in got["sequences"]] == want, flags
        paged = flags not in (("--no-pages",), ("--attention", "off"))
        assert got["cache"]["paged"] == paged, (flags, got["cache"])
        assert (got["cache"]["preemptions"] > 0) == (flags[:1] == ("--kv-memory",)), got["cache"]


def test_kv_types() -> None:
    for kv in ("fp32", "bf16", "fp16", "int8"):
        got = generate("--prompt", CASE["prompt"], "--max-tokens", 16, "--kv", kv)
        assert len(got["tokens"]) == 16, kv
        assert kv != "fp32" or got["tokens"] == CASE["tokens"][:16]


# ---- What is printed ----------------------------------------------------------------------------


def test_text_is_on_stdout_and_speed_on_stderr() -> None:
    out, err = heed("generate", MODEL, "--prompt", CASE["prompt"], "--max-tokens", 64)
    assert CASE["prompt"] + out == CASE["text"] + "\n"
    assert "64 tokens at" in err and "tokens/s" in err and "first after" in err
    assert "end: length" in err
    out, _ = heed("generate", MODEL, "--prompt", CASE["prompt"], "--max-tokens", 64, "--echo")
    assert out == CASE["text"] + "\n"
    _, err = heed("generate", MODEL, "--prompt", "a", "--max-tokens", 2, "--stats")
    assert "form 'none' in pages of 16 tokens" in err, err


def test_json_has_the_promised_fields() -> None:
    got = generate("--prompt", CASE["prompt"], "--max-tokens", 5)
    assert got["text"] and got["tokens"] == CASE["tokens"][:5] and got["prompt_tokens"] == 3
    assert got["time_to_first_token_s"] > 0 and got["tokens_per_s"] > 0
    assert got["finish"] == "length" and got["total_s"] >= got["time_to_first_token_s"]
    assert {"form", "paged", "page_tokens", "pages_peak"} <= set(got["cache"])
    one = generate("--prompt", CASE["prompt"], "--max-tokens", 1)
    assert len(one["tokens"]) == 1 and one["tokens_per_s"] > 0


def test_several_prompts_come_in_order() -> None:
    words = ["--prompt", GOLDEN[1]["prompt"], "--prompt", CASE["prompt"], "--tokens", IDS]
    out, err = heed("generate", MODEL, *words, "--max-tokens", 8)
    heads = [line for line in out.splitlines() if line.startswith("== ")]
    assert heads == [f"== 1 of 3: {GOLDEN[1]['prompt']}", f"== 2 of 3: {CASE['prompt']}",
                     f"== 3 of 3: {IDS}"]
    assert "24 tokens" in err and "length 3" in err
    got = generate(*words, "--max-tokens", 8)
    assert [s["prompt"] for s in got["sequences"]] == [0, 1, 2] and got["generated_tokens"] == 24
    assert got["sequences"][1]["tokens"] == got["sequences"][2]["tokens"] == CASE["tokens"][:8]


def test_prompts_from_files() -> None:
    lines = write("prompts.txt", "\n".join(c["prompt"] for c in GOLDEN).encode() + b"\n\n")
    got = generate("--prompt-file", lines, "--each-line", "--max-tokens", 4)
    assert [s["tokens"] for s in got["sequences"]] == [c["tokens"][:4] for c in GOLDEN]
    one = write("prompt.txt", CASE["prompt"].encode() + b"\n")
    assert generate("--prompt-file", one, "--max-tokens", 4)["tokens"] == CASE["tokens"][:4]
    done = subprocess.run([HEED, "generate", MODEL, "--prompt-file", "-", "--max-tokens", "4",
                           "--json"], input=one.read_bytes(), capture_output=True, check=True)
    assert json.loads(done.stdout)["tokens"] == CASE["tokens"][:4]
    assert "No such file" in heed("generate", MODEL, "--prompt-file", FOLDER / "no", code=2)[1]


def test_tokens_without_a_tokenizer_are_numbers() -> None:
    out, _ = heed("generate", alone(), "--tokens", IDS, "--max-tokens", 64)
    assert [int(t) for t in out.split(",")] == CASE["tokens"]
    got = generate("--tokens", IDS, "--max-tokens", 64, model=alone())
    assert got["tokens"] == CASE["tokens"] and got["text"] == ""
    with_one = generate("--tokens", IDS, "--max-tokens", 64, "--tokenizer",
                        VERSE / "tokenizer.json", model=alone())
    assert CASE["prompt"] + with_one["text"] == CASE["text"]


def test_a_tokenizer_in_the_folder_above_is_found() -> None:
    shutil.copy(VERSE / "tokenizer.json", alone().parents[1])
    try:
        got = generate("--prompt", CASE["prompt"], "--max-tokens", 4, model=alone())
    finally:
        (alone().parents[1] / "tokenizer.json").unlink()
    assert got["tokens"] == CASE["tokens"][:4] and got["text"]


def test_the_folder_of_a_model_stands_for_it() -> None:
    folder = FOLDER / "whole"
    folder.mkdir(exist_ok=True)
    shutil.copy(MODEL, folder / "model.onnx")
    for name in ("verse.weights", "tokenizer.json"):
        shutil.copy(VERSE / name, folder)
    got = generate("--prompt", CASE["prompt"], "--max-tokens", 4, model=folder)
    assert got["tokens"] == CASE["tokens"][:4] and got["text"]


def test_text_is_always_utf8_and_streams_whole_characters() -> None:
    words = ["--prompt", "a", "--temperature", 20, "--seed", 3, "--max-tokens", 200, "--ignore-end"]
    out, _ = heed("generate", MODEL, *words)  # decodes strictly
    assert out == generate(*words)["text"] + "\n"
    with subprocess.Popen([HEED, "generate", MODEL, *map(str, words)], stderr=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as child:
        while part := os.read(child.stdout.fileno(), 1 << 16):
            part.decode()  # what is written at once ends between characters


def test_logprobs() -> None:
    got = generate("--prompt", CASE["prompt"], "--max-tokens", 6, "--logprobs", 3)
    for row, token in zip(got["logprobs"], CASE["tokens"]):
        best = row["alternatives"]
        assert row["token"] == token == best[0]["token"] and len(best) == 3
        assert 0 >= row["logprob"] == best[0]["logprob"] >= best[1]["logprob"]
    assert len(got["logprobs"]) == 6
    none = generate("--prompt", CASE["prompt"], "--max-tokens", 2, "--logprobs", 0)["logprobs"]
    assert [row["alternatives"] for row in none] == [[], []]
    out, _ = heed("generate", MODEL, "--prompt", CASE["prompt"], "--max-tokens", 6, "--logprobs", 1)
    assert [int(line.split()[0]) for line in out.splitlines()] == CASE["tokens"][:6]


# ---- How tokens are chosen ----------------------------------------------------------------------


def test_greedy_is_the_default_and_wins() -> None:
    want = CASE["tokens"][:16]
    words = ["--prompt", CASE["prompt"], "--max-tokens", 16]
    for flags in ((), ("--greedy",), ("--greedy", "--temperature", 2, "--top-k", 9),
                  ("--temperature", 0), ("--top-k", 1), ("--temperature", 2, "--top-k", 1)):
        assert generate(*words, *flags)["tokens"] == want, flags
    assert generate(*words, "--greedy", env={"HEED_TEMPERATURE": "3"})["tokens"] == want


def test_seeds() -> None:
    words = ["--prompt", CASE["prompt"], "--max-tokens", 24, "--temperature", 1.5]
    first = generate(*words, "--seed", 1)["tokens"]
    assert first == generate(*words, "--seed", 1)["tokens"]
    assert first != generate(*words, "--seed", 2)["tokens"]
    assert generate(*words)["tokens"] == generate(*words, "--seed", 0)["tokens"]
    assert generate(*words[:4], "--seed", 1)["tokens"] != CASE["tokens"][:24], "a seed means draws"


def test_samples_of_a_prompt() -> None:
    words = ["--prompt", CASE["prompt"], "--max-tokens", 12, "--seed", 7]
    got = generate(*words, "--n", 4)["sequences"]
    each = [generate(*words[:-1], 7 + i)["tokens"] for i in range(4)]
    assert [s["tokens"] for s in got] == each
    assert len({tuple(t) for t in each}) > 1 and all(s["prompt"] == 0 for s in got)


def test_samples_and_equal_prompts_share_pages() -> None:
    prompt = ",".join(str(5 + i % 90) for i in range(100))
    words = ["--tokens", prompt, "--max-tokens", 4, "--n", 8]
    got = generate(*words)
    assert [s["shared_tokens"] for s in got["sequences"]] == [0] + [99] * 7, got
    alone = generate(*words, "--no-sharing")
    assert all(s["shared_tokens"] == 0 for s in alone["sequences"])
    assert got["cache"]["pages_peak"] < alone["cache"]["pages_peak"] / 2
    assert [s["tokens"] for s in got["sequences"]] == [s["tokens"] for s in alone["sequences"]]


def test_flags_of_steps_and_pages_are_heard() -> None:
    words = ["--tokens", ",".join(["5"] * 100), "--max-tokens", 4]
    assert generate(*words)["steps"] == 4 and generate(*words, "--step-tokens", 10)["steps"] == 13
    assert generate(*words, "--page-tokens", 7)["cache"]["page_tokens"] == 7
    assert generate(*words, "--kv-memory", "300K")["cache"]["pages_limit"] == 15


def test_penalties_and_beams_change_what_comes() -> None:
    words = ["--prompt", CASE["prompt"], "--max-tokens", 48]
    plain = generate(*words)["tokens"]
    for flag in ("repetition-penalty", "presence-penalty", "frequency-penalty"):
        assert generate(*words, f"--{flag}", 5)["tokens"] != plain, flag
    assert generate(*words, "--frequency-penalty", "-50")["tokens"][-1] in plain
    got = generate(*words, "--beams", 3)
    assert len(got["tokens"]) == 48 and got["text"]
    assert "draws nothing" in heed("generate", MODEL, *words, "--beams", 3, "--top-k", 2, code=2)[1]


# ---- Ends ---------------------------------------------------------------------------------------


def test_stops() -> None:
    words = ["--prompt", CASE["prompt"], "--max-tokens", 64]
    got = generate(*words, "--stop", "LORD")
    assert got["finish"] == "stop" and "LORD" not in got["text"]
    assert (CASE["prompt"] + got["text"]) == CASE["text"].split("LORD")[0]
    assert heed("generate", MODEL, *words, "--stop", "zzz", "--stop", "RD,")[0].endswith("the LO\n")
    stop = CASE["tokens"][3]
    got = generate("--tokens", IDS, "--max-tokens", 64, "--stop-tokens", f"{stop},9999",
                   model=alone())
    assert got["finish"] == "stop" and got["tokens"][:3] == CASE["tokens"][:3]
    assert len(got["tokens"]) <= 4


def test_deadline() -> None:
    words = ["--prompt", "a", "--max-tokens", 100000, "--ignore-end"]
    out, err = heed("generate", MODEL, *words, "--deadline-ms", 300, code=6)
    assert out.strip() and "deadline" in err


def test_interrupt_keeps_what_came() -> None:
    words = [HEED, "generate", MODEL, "--prompt", CASE["prompt"], "--max-tokens", "100000",
             "--ignore-end"]
    for more in ([], ["--json"]):
        with subprocess.Popen([*words, *more], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as child:
            first = os.read(child.stdout.fileno(), 1) if not more else b""
            try:
                child.wait(1 if more else 0.2)
                raise AssertionError("it ended by itself")
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
        out = (first + out).decode()
        assert child.returncode == 6, (child.returncode, err)
        assert b"end: cancelled" in err, err
        if more:
            got = json.loads(out)
            assert got["finish"] == "cancelled"
            out = got["text"]
        want = CASE["text"].removeprefix(CASE["prompt"])
        assert out and (want.startswith(out.rstrip("\n")) or out.startswith(want)), out


# ---- Errors -------------------------------------------------------------------------------------


def test_usage_errors() -> None:
    assert "needs a model" in heed("generate", code=2)[1]
    assert "--prompt TEXT" in heed("generate", MODEL, code=2)[1]
    assert "one word too many" in heed("generate", MODEL, "hello", "--prompt", "a", code=2)[1]
    assert "No such file" in heed("generate", FOLDER / "no.onnx", "--prompt", "a", code=2)[1]
    for flag, bad in (("max-tokens", "-1"), ("temperature", "-1"), ("temperature", "hot"),
                      ("top-p", "1.5"), ("min-p", "2"), ("n", "0"), ("kv", "fp8"), ("seed", "x"),
                      ("kv-memory", "lots"), ("page-tokens", "0"), ("logprobs", "21"),
                      ("beams", "0"), ("stop-tokens", "a")):
        err = heed("generate", MODEL, "--prompt", "a", f"--{flag}={bad}", code=2)[1]
        assert flag in err and bad in err, err
    assert "--stop" in heed("generate", MODEL, "--prompt", "a", "--stop", "", code=2)[1]
    for flag in ("--kv=bf16", "--kv-memory=1M", "--page-tokens=8"):
        err = heed("generate", MODEL, "--prompt", "a", "--no-pages", flag, code=2)[1]
        assert "--no-pages" in err and flag.split("=")[0] in err, err
    err = heed("generate", MODEL, "--prompt", "a", "--decoder-tokens", 1, code=2)[1]
    assert "encoder" in err, err
    assert "did you mean --prompt" in heed("generate", MODEL, "--promt", "a", code=2)[1]


def test_prompts_that_cannot_be_served() -> None:
    err = heed("generate", MODEL, "--prompt", "", code=2)[1]
    assert "empty" in err, err
    err = heed("generate", MODEL, "--prompt", "abc\udcff", code=2)[1]
    assert "UTF-8" in err and "3" in err, err
    err = heed("generate", MODEL, "--prompt", "a", "--prompt", "b\udcff", code=2)[1]
    assert "prompt 2, 'b?'" in err, err
    err = heed("generate", MODEL, "--tokens", "1,2,5000", code=2)[1]
    assert "5000" in err, err
    err = heed("generate", alone(), "--prompt", "a", code=2)[1]
    assert "no tokenizer" in err and str(alone().parent) in err and "--tokens" in err
    many = ",".join(["5"] * 4000)
    err = heed("generate", MODEL, "--tokens", many, "--kv-memory", "1M", code=2)[1]
    assert "4000" in err, err


def test_a_model_of_few_positions() -> None:
    path = write("tiny.onnx", tiny_decoder(8))
    got = generate("--tokens", "1,2,3", "--max-tokens", 0, model=path)
    assert got["finish"] == "length" and 3 + len(got["tokens"]) in (8, 9), got
    err = heed("generate", path, "--tokens", "1,2,3,4,5,6,7,8,9", code=2)[1]
    assert "9 tokens" in err and "8 positions" in err, err
    assert len(generate("--tokens", "1,2,3,4,5,6,7,8", model=path)["tokens"]) == 1


def test_memory_that_runs_out() -> None:
    heed("generate", MODEL, "--prompt", "a", "--mem-limit", "2M", code=5)
    err = heed("generate", MODEL, "--prompt", "a", "--kv-memory", "64", code=5)[1]
    assert "page" in err, err
    out, err = heed("generate", MODEL, "--prompt", CASE["prompt"], "--kv-memory", "30K",
                    "--max-tokens", 500, "--ignore-end", code=5)
    assert out.strip() and CASE["text"].startswith(CASE["prompt"] + out[:10]), (out, err)


def test_models_and_tokenizers_that_do_not_fit() -> None:
    err = heed("generate", write("linear.onnx", linear()), "--tokens", "1", code=4)[1]
    assert "linear.onnx" in err
    broken = write("broken/tokenizer.json", b'{"model": {')
    err = heed("generate", MODEL, "--prompt", "a", "--tokenizer", broken, code=4)[1]
    assert "tokenizer.json" in err
    (alone().parent / "tokenizer.json").write_bytes(b"{")
    try:
        got = generate("--tokens", IDS, "--max-tokens", 4, model=alone())
        assert got["tokens"] == CASE["tokens"][:4]
        err = heed("generate", alone(), "--prompt", "a", code=2)[1]
        assert "tokenizer.json" in err and "byte" in err, err
    finally:
        (alone().parent / "tokenizer.json").unlink()
    other = json.loads((VERSE / "tokenizer.json").read_text())
    other["added_tokens"].append({"id": 1024, "content": "<far>", "special": False,
                                  "single_word": False, "lstrip": False, "rstrip": False,
                                  "normalized": False})
    wide = write("wide/tokenizer.json", json.dumps(other).encode())
    got = generate("--prompt", CASE["prompt"], "--max-tokens", 4, "--tokenizer", wide)
    assert got["tokens"] == CASE["tokens"][:4]
    err = heed("generate", MODEL, "--prompt", "a <far> b", "--tokenizer", wide, code=2)[1]
    assert "1024" in err and "tokenizer" in err, err


if __name__ == "__main__":
    sys.exit(command.main(globals()))
