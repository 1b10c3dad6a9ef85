"""Writes beams_golden.h: what transformers' beam search gives, for test_beams.c and
test_beam_search.c. Run by hand, with torch and transformers 4.57:

    python3 tests/unit/generate/beams_golden.py
"""

from __future__ import annotations

import json
import random
import sys
import textwrap
from pathlib import Path

import torch
from transformers import (GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel,
                          PreTrainedTokenizerFast)
from transformers.modeling_outputs import CausalLMOutput

HERE = Path(__file__).parent
VERSE = HERE.parents[2] / "examples" / "verse"
TOKENS = 12  # of the tables
SPACE = "\\040"  # in texts: lines are filled


class Config(PretrainedConfig):
    model_type = "golden"

    def __init__(self, vocab_size: int = TOKENS, **more: object) -> None:
        super().__init__(**more)
        self.vocab_size = vocab_size
        self.num_hidden_layers = 1


class Model(PreTrainedModel, GenerationMixin):
    """Any function of tokens [batch, seq] that gives logits [batch, seq, vocab]."""

    config_class = Config

    def __init__(self, config: Config, function) -> None:
        super().__init__(config)
        self.function = function
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, **more):
        return {"input_ids": input_ids}

    def forward(self, input_ids, attention_mask=None, **more) -> CausalLMOutput:
        return CausalLMOutput(logits=self.function(input_ids))


def search(model: Model, prompt: list[int], width: int, tokens: int, penalty: float, early: bool,
           ends: list[int], least: int = 0) -> tuple[list[list[int]], list[float]]:
    config = GenerationConfig(
        num_beams=width, max_new_tokens=tokens, length_penalty=penalty, early_stopping=early,
        eos_token_id=ends or None, pad_token_id=0, do_sample=False, num_return_sequences=width,
        min_new_tokens=least or None, return_dict_in_generate=True, output_scores=True,
        use_cache=False)
    with torch.no_grad():
        ids = torch.tensor([prompt])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    results = []
    for i, row in enumerate(out.sequences):
        n = int((out.beam_indices[i] >= 0).sum())
        results.append(row[len(prompt):len(prompt) + n].tolist())
    return results, out.sequences_scores.tolist()


def entry(seed: int, i: int) -> float:
    """-4 to 4, so fine that no two sums are equal; test_beams.c has the same."""
    h = (seed + i * 2654435761) & 0xFFFFFFFF
    h = ((h ^ h >> 15) * 2246822519) & 0xFFFFFFFF
    return ((h ^ h >> 13) & 0xFFFFF) / 2**17 - 4


def lines(text: str) -> str:
    return textwrap.fill(text, 99, initial_indent="    ", subsequent_indent="     ")


def table_cases() -> list[str]:
    """Next tokens depend on the last one and on the length: logits are drawn at random."""
    rows = []
    rng = random.Random(6)
    for _ in range(60):
        seed = rng.randrange(1 << 30)
        width = rng.choice([2, 3, 4, 5, 5])
        tokens = rng.choice([1, 2, 4, 8, 12])
        penalty = rng.choice([0.0, 1.0, 1.0, 2.0, -1.0, 0.5])
        early = rng.random() < 0.4
        ends = rng.choice([[], [3], [3], [3, 7], [0, 5, 9]])
        table = torch.tensor([entry(seed, i) for i in range(TOKENS * TOKENS)])
        table = table.view(TOKENS, TOKENS)
        model = Model(Config(), lambda ids, t=table: t[ids] + t.T[
            (torch.arange(ids.shape[1]) * 5) % TOKENS] / 4)
        found, scores = search(model, [1], width, tokens, penalty, early, ends)
        rows.append(lines(
            f"{{.seed = {seed}u, .width = {width}, .tokens = {tokens}, .penalty = {penalty}f, "
            f".early = {int(early)}, .n_ends = {len(ends)}, "
            f".ends = {{{', '.join(map(str, ends)) or 0}}}, .n = {len(found)}, "
            f".lengths = {{{', '.join(str(len(f)) for f in found)}}}, "
            f".found = {{{', '.join('{' + ', '.join(map(str, f)) + '}' for f in found)}}}, "
            f".scores = {{{', '.join(f'{s:.6f}f' for s in scores)}}}}},"))
    return rows


def load_verse() -> torch.nn.Module:
    """The embedded model from the file beside its exports: the embedding, all norms, and then of
    each layer its products, transposed. Greedy tokens say whether that is right."""
    sys.path.insert(0, str(VERSE))
    from model import Verse  # noqa: PLC0415

    data = torch.frombuffer(bytearray((VERSE / "verse.weights").read_bytes()), dtype=torch.float32)
    verse, at = Verse(), 0

    def read(weight: torch.Tensor, transposed: bool) -> None:
        nonlocal at
        shape = weight.shape[::-1] if transposed else weight.shape
        values = data[at:at + weight.numel()].view(shape)
        weight.data = (values.T if transposed else values).clone()
        at += weight.numel()

    read(verse.embed.weight, False)
    for block in verse.blocks:
        read(block.norm1.weight, False)
        read(block.norm2.weight, False)
    read(verse.norm.weight, False)
    for block in verse.blocks:
        attention = block.attention
        for part in (attention.q, attention.k, attention.v, attention.o, block.gate, block.up,
                     block.down):
            read(part.weight, True)
    for case in json.loads((VERSE / "golden.json").read_text())["cases"]:
        ids = case["prompt_tokens"] + case["tokens"]
        with torch.no_grad():
            likeliest = verse(torch.tensor([ids]))[0][0].argmax(-1).tolist()
        assert likeliest[len(case["prompt_tokens"]) - 1:-1] == case["tokens"]
    return verse


def verse_cases() -> list[str]:
    verse = load_verse()
    model = Model(Config(vocab_size=verse.cfg.vocab), lambda ids: verse(ids)[0])
    rows = []
    for prompt, width, tokens, penalty, early, ends, least in (
            ([296, 303, 833], 4, 24, 1.0, False, [14], 0),
            ([296, 303, 833], 4, 24, 1.0, False, [14], 16),
            ([259, 816], 5, 40, 0.0, False, [14, 12], 0),
            ([259, 816, 345], 3, 32, 2.0, True, [14], 0),
            ([12], 6, 20, 1.0, False, [], 0),
            (list(range(300, 340)), 8, 16, 1.0, False, [14], 0)):
        found, scores = search(model, prompt, width, tokens, penalty, early, ends, least)
        rows.append(lines(
            f"{{.n_prompt = {len(prompt)}, .prompt = {{{', '.join(map(str, prompt))}}}, "
            f".width = {width}, .tokens = {tokens}, .penalty = {penalty}f, "
            f".early = {int(early)}, .least = {least}, .n_ends = {len(ends)}, "
            f".ends = {{{', '.join(map(str, ends)) or 0}}}, .n = {len(found[0])}, "
            f".found = {{{', '.join(map(str, found[0]))}}}}},"))
    return rows


def told_cases() -> list[str]:
    """Hypotheses that end with a text, and what output_scores says of each token: its own
    log-probability, and the two likeliest there."""
    verse = load_verse()
    model = Model(Config(vocab_size=verse.cfg.vocab), lambda ids: verse(ids)[0])
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(VERSE / "tokenizer.json"))
    rows = []
    for prompt, width, tokens, penalty, early, stops, repetition in (
            ([296, 303, 833], 4, 24, 1.0, False, [" LORD"], 1.0),
            ([259, 816], 5, 30, 0.0, False, ["God of", "saith the"], 1.0),
            ([259, 816, 345], 3, 32, 2.0, True, ["the LORD G"], 1.3),
            ([12], 6, 20, 1.0, False, ["hus", "zz"], 1.0),
            (list(range(300, 340)), 8, 16, -1.0, True, ["k", "the"], 1.1)):
        config = GenerationConfig(
            num_beams=width, max_new_tokens=tokens, length_penalty=penalty, early_stopping=early,
            stop_strings=stops, repetition_penalty=repetition, pad_token_id=0, do_sample=False,
            return_dict_in_generate=True, output_scores=True, use_cache=False)
        ids = torch.tensor([prompt])
        with torch.no_grad():
            out = model.generate(ids, attention_mask=torch.ones_like(ids), tokenizer=tokenizer,
                                 generation_config=config)
        n = int((out.beam_indices[0] >= 0).sum())
        found = out.sequences[0][len(prompt):len(prompt) + n].tolist()
        at = [out.scores[i][out.beam_indices[0][i]] for i in range(n)]
        others = [row.topk(2) for row in at]
        own = [row[token].item() for row, token in zip(at, found)]
        rows.append(lines(
            f"{{.n_prompt = {len(prompt)}, .prompt = {{{', '.join(map(str, prompt))}}}, "
            f".width = {width}, .tokens = {tokens}, .penalty = {penalty}f, "
            f".early = {int(early)}, .repetition = {repetition}f, .n_stops = {len(stops)}, "
            f".stops = {{{', '.join(json.dumps(s).replace(' ', SPACE) for s in stops)}}}, "
            f".n = {n}, .found = {{{', '.join(map(str, found))}}}, "
            f".own = {{{', '.join(f'{x:.5f}f' for x in own)}}}, "
            f".others = {{{', '.join(str(i) for o in others for i in o.indices.tolist())}}}, "
            f".chances = {{{', '.join(f'{x:.5f}f' for o in others for x in o.values.tolist())}}}}},"
        ))
        print(stops, repr(tokenizer.decode(found)))
    return rows


def main() -> None:
    text = "/* Made by beams_golden.py: what transformers' beam search gives. */\n"
    text += "// clang-format off\n"
    text += "#ifdef TABLE_CASES\n"
    text += "static const table_case table_cases[] = {\n" + "\n".join(table_cases()) + "\n};\n#endif\n"
    text += "#ifdef VERSE_CASES\n"
    text += "static const verse_case verse_cases[] = {\n" + "\n".join(verse_cases()) + "\n};\n"
    text += "static const told_case told_cases[] = {\n" + "\n".join(told_cases()) + "\n};\n"
    text += "#endif\n// clang-format on\n"
    (HERE / "beams_golden.h").write_text(text)


if __name__ == "__main__":
    main()
