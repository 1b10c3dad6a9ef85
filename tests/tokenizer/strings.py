"""Strings to try a tokenizer with: prose, code, all kinds of scripts, and what is seldom right.

Strings of one seed are the same in every run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROSE = [
    "Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch.",
    "Être ou ne pas être, voilà la question; ça n'est pas l'œuvre d'un seul été.",
    "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "人之初，性本善。性相近，习相远。２０２４年，共１２３个字。",
    "나랏말싸미 듕귁에 달아 문자와로 서르 사맛디 아니할쎄",
    "बहुत समय पहले की बात है, एक गाँव में एक किसान रहता था।",
    "كان يا ما كان، في قديم الزمان، ٣٢١ مَدِينَةٌ كَبِيرَةٌ",
    "בְּרֵאשִׁית בָּרָא אֱלֹהִים אֵת הַשָּׁמַיִם וְאֵת הָאָרֶץ",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ และมีวรรณยุกต์",
    "Tiếng Việt có nhiều dấu: ắ ằ ẳ ẵ ặ, ấ ầ ẩ ẫ ậ",
    "Ἄνδρα μοι ἔννεπε, Μοῦσα, πολύτροπον, ὃς μάλα πολλὰ",
    "İstanbul'da ılık bir gün; ŞİŞLİ, ığdır, ǅ ǆ",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ 1️⃣ 🩷🫨",
]

# Where characters are drawn from: (first, behind the last).
BLOCKS = [
    (0x00, 0x20), (0x20, 0x7F), (0x7F, 0x100), (0x100, 0x250), (0x250, 0x370), (0x370, 0x530),
    (0x530, 0x700), (0x700, 0x900), (0x900, 0xC00), (0xC00, 0xE00), (0xE00, 0x1000),
    (0x1000, 0x1200), (0x1200, 0x1700), (0x1700, 0x1900), (0x1900, 0x1E00), (0x1E00, 0x2000),
    (0x2000, 0x2070), (0x2070, 0x2200), (0x2200, 0x2700), (0x2700, 0x3000), (0x3000, 0x3400),
    (0x3400, 0xA000), (0xA000, 0xAC00), (0xAC00, 0xD7B0), (0xF900, 0xFB00), (0xFB00, 0xFE00),
    (0xFE00, 0x10000), (0x10000, 0x11000), (0x11000, 0x12000), (0x1D000, 0x1D800),
    (0x1F000, 0x1FB00), (0x20000, 0x2A6DF), (0x2F800, 0x2FA20), (0xE0000, 0xE0200),
]  # fmt: skip

# What regular expressions, special tokens and decoders look at.
PARTS = [
    " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\r", "\v", "\f", "\x85", "\xa0",
    "\u2003", "\u2028", "\u3000", "\u180e", "\u200b", "\u200d", "\u00ad", "\ufeff",
    "\ufffd", "\0", "a", "B", "the", " the", "Hello", "ing", "1", "12", "123", "1234",
    "½", "²", "٣", "Ⅷ", ".", "...", ",", "!?", "--", "'", "’", "'s", "'S", "'ll", "'LL",
    "'re", "'ſ", "n't", " n't", "do not", " .", "é", "e\u0301", "ﬁ", "ß", "İ",
    "\u0301\u0323", "한", "\u1112\u1161\u11ab", "中", "文字", "の", "🙂", "👍🏽", "_", "▁", "▁▁",
    "Ġ", "Ċ", "##", "##a", "@@", "</w>", "<0x41>", "<0xE4>", "<unk>", "<s>", "</s>",
    "<pad>", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "<|endoftext|>",
    "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|", "|>", "<", ">", "(", ")",
    "[", "]", "{", "}", "$", "€", "+", "=", "#", "\\", "/", "https://a.b/c?d=e&f",
    "CamelCase", "snake_case", "    return x;", "\u0344", "\u2126", "\u212b", "ﷺ", "㍿",
    "\U0001d400",
]  # fmt: skip


def sources() -> str:
    """Text of this repository: English and C."""
    names = ["README.md", "core/README.md", "core/run/execute.c", "tests/README.md"]
    return "\n".join((ROOT / name).read_text() for name in names)


def _character(r: random.Random) -> str:
    return chr(r.randrange(*r.choice(BLOCKS)))


def strings(n: int, seed: int = 1, more: list[str] | None = None) -> Iterator[str]:
    """n strings. more: parts that this tokenizer has a meaning for."""
    r = random.Random(seed)
    text = sources()
    words = text.split()
    parts = PARTS + (more or []) * 4
    yield from ["", " ", "\n", "a", "a" * 300, " " * 300, "中" * 200, "\u0301" * 70][:n]
    for _ in range(max(0, n - 8)):
        kind = r.randrange(6)
        if kind == 0:
            start = r.randrange(len(text) - 200)
            yield text[start : start + r.randrange(200)]
        elif kind == 1:
            block = r.choice(BLOCKS)
            yield "".join(chr(r.randrange(*block)) for _ in range(r.randrange(30)))
        elif kind == 2:
            yield "".join(_character(r) for _ in range(r.randrange(30)))
        elif kind == 3:
            yield "".join(r.choice(parts) for _ in range(r.randrange(24)))
        elif kind == 4:
            prose = r.choice(PROSE)
            start = r.randrange(len(prose))
            yield prose[start : start + r.randrange(60)] + r.choice(parts)
        else:
            yield " ".join(r.choice(words) for _ in range(r.randrange(20)))
