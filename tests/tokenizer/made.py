"""Tokenizers of every kind that heed reads, trained on the text of this repository.

`MADE` maps a name to a function that gives a finished `tokenizers.Tokenizer`. Their parts are those
of published tokenizers, in the combinations in which they are published, and each part in all of
its options.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre
from tokenizers import processors, trainers

from strings import PROSE, sources

MADE: dict[str, Callable[[], Tokenizer]] = {}
Maker = Callable[[], Tokenizer]

WORDS_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS_1 = WORDS_3.replace("{1,3}", "")
WORDS_CASE = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|"
    r"'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS_HAN = (
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}"
    r"\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}"
    r"\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = [
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?["
    r"\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]
# What Oniguruma and PCRE2 write or mean differently.
ODD = {
    "posix": r"[[:alpha:]]+|[[:digit:][:space:]]+|[^[:punct:]]",
    "properties": r"\p{Letter}+|\p{^L}|\p{Han}+|\P{Hiragana}",
    "word": r"\w+|\W",
    "boundary": r"\b",
    "hex": r"\h+|\H",
    "class": r"[a-z&&[^aeiou]]+|[[a-c][x-z]]|[^\s\S]|[]a]",
    "negated": r"[^a-z&&[^e]]+",
    "space": r"[^\S\n]+|\n",
    "interval": r"\p{N}{1,2}+|a{,2}b|l{2}?|x{1,}",
    "possessive": r"[a-z]++e|\s*+|(?>th)e",
    "flags": r"(?m:a.b)|(?i)THE|(?x: t h e )",
    "lines": r"^.|.$",
    "look": r"(?<=e)\w|(?<!\s)\d|o(?=\w)",
    "group": r"(?<q>['\"]).*?\k<q>",
    "backreference": r"(\w)\1",
    "escape": r"\u0041|\x42|\x{43}|\t|\v|\e|\-|\_|\!",
    "literal": r"{|}|a{|\]|x{y}",
    "empty": r"a*",
}
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def made(function: Maker) -> Maker:
    MADE[function.__name__] = function
    return function


def trained(tokenizer: Tokenizer, trainer: trainers.Trainer) -> Tokenizer:
    tokenizer.train_from_iterator(sources().split("\n") + PROSE * 3, trainer)
    return tokenizer


def bpe(size: int, **options: object) -> trainers.Trainer:
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)


@cache
def byte_model() -> str:
    """Byte-level BPE of 1,200 tokens, as JSON: what many of these share."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
    alphabet = pre.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|im_start|>"]
    trainer = bpe(1200, initial_alphabet=alphabet, special_tokens=special)
    return trained(tokenizer, trainer).to_str()


def byte_level(first: pre.PreTokenizer | None, **options: object) -> Tokenizer:
    tokenizer = Tokenizer.from_str(byte_model())
    last = pre.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre.Sequence([first, last]) if first else last
    tokenizer.decoder = decoders.ByteLevel()
    for name, value in options.items():
        setattr(tokenizer, name, value)
    return tokenizer


def regex(pattern: str, behavior: str = "isolated", invert: bool = False) -> pre.PreTokenizer:
    return pre.Split(Regex(pattern), behavior, invert)


# ---- As published -------------------------------------------------------------------------------


@made
def gpt2() -> Tokenizer:
    tokenizer = byte_level(None)
    tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


@made
def roberta() -> Tokenizer:
    tokenizer = byte_level(None)
    tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=True)
    tokenizer.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=True, special=True)])
    ends = ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>"))
    tokenizer.post_processor = processors.RobertaProcessing(*ends)
    return tokenizer


@made
def llama3() -> Tokenizer:
    tokenizer = byte_level(regex(WORDS_3))
    tokenizer.model.ignore_merges = True
    tokenizer.add_special_tokens(["<|begin_of_text|>"])
    begin = ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))
    template = processors.TemplateProcessing("<|begin_of_text|> $A", special_tokens=[begin])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), template])
    return tokenizer


@made
def qwen() -> Tokenizer:
    return byte_level(regex(WORDS_1), normalizer=normalizers.NFC())


@made
def deepseek() -> Tokenizer:
    return byte_level(pre.Sequence([regex(part) for part in SPLITS]))


@made
def case_words() -> Tokenizer:
    return byte_level(regex(WORDS_CASE))


@made
def han_words() -> Tokenizer:
    return byte_level(regex(WORDS_HAN))


@made
def smollm() -> Tokenizer:
    return byte_level(pre.Sequence([pre.Digits(individual_digits=True), pre.ByteLevel(False)]))


def bert(cased: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=not cased)
    tokenizer.pre_tokenizer = pre.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=1500, special_tokens=special, show_progress=False
    )
    trained(tokenizer, trainer)
    tokenizer.decoder = decoders.WordPiece(cleanup=not cased)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer


@made
def bert_uncased() -> Tokenizer:
    return bert(False)


@made
def bert_cased() -> Tokenizer:
    return bert(True)


@made
def bert_accents() -> Tokenizer:
    tokenizer = bert(True)
    tokenizer.normalizer = normalizers.BertNormalizer(False, False, True, False)
    return tokenizer


@made
def llama2() -> Tokenizer:
    model = models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    mark = normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), mark])
    bytes_ = ["<0x%02X>" % i for i in range(256)]
    trained(tokenizer, bpe(1500, special_tokens=["<unk>", "<s>", "</s>", *bytes_]))
    tokenizer = without_added(tokenizer, bytes_)
    template = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.post_processor = template
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)])
    return tokenizer


def without_added(tokenizer: Tokenizer, tokens: list[str]) -> Tokenizer:
    """Tokens that training made special become plain words of the model."""
    import json

    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] not in tokens]
    return Tokenizer.from_str(json.dumps(content))


@made
def clip() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    parts = [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    tokenizer.normalizer = normalizers.Sequence(parts)
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    split = regex(words, "removed", invert=True)
    tokenizer.pre_tokenizer = pre.Sequence([split, pre.ByteLevel(add_prefix_space=False)])
    special = ["<|startoftext|>", "<|endoftext|>"]
    alphabet = pre.ByteLevel.alphabet()
    options = {"end_of_word_suffix": "</w>", "initial_alphabet": alphabet}
    trained(tokenizer, bpe(1500, special_tokens=special, **options))
    tokenizer.decoder = decoders.BPEDecoder()
    tokenizer.post_processor = processors.RobertaProcessing((special[1], 1), (special[0], 0))
    return tokenizer


# ---- Models -------------------------------------------------------------------------------------


@made
def word_level() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["[UNK]"], show_progress=False)
    return trained(tokenizer, trainer)


@made
def word_piece_plain() -> Tokenizer:
    tokenizer = bert(True)
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre.WhitespaceSplit()
    tokenizer.decoder = None
    return tokenizer


def unknown(fuse: bool) -> Tokenizer:
    """Without bytes: what is not in the alphabet is unknown; words that continue have a prefix."""
    options = {"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"}
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", fuse_unk=fuse, **options))
    tokenizer.pre_tokenizer = pre.Whitespace()
    trainer = bpe(900, special_tokens=["[UNK]"], limit_alphabet=60, **options)
    return trained(tokenizer, trainer)


@made
def unknown_fused() -> Tokenizer:
    return unknown(True)


@made
def unknown_each() -> Tokenizer:
    return unknown(False)


@made
def unknown_lost() -> Tokenizer:
    """No token for what is unknown: it vanishes."""
    tokenizer = Tokenizer(models.BPE())
    return trained(tokenizer, bpe(900, limit_alphabet=50))


@made
def metaspace() -> Tokenizer:
    return metaspaced("always", True)


def metaspaced(scheme: str, split: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre.Metaspace(prepend_scheme=scheme, split=split)
    bytes_ = ["<0x%02X>" % i for i in range(200)]  # some bytes have none
    trained(tokenizer, bpe(1200, special_tokens=["<unk>", "<s>", *bytes_], limit_alphabet=80))
    tokenizer = without_added(tokenizer, bytes_)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return tokenizer


for scheme_ in ["first", "never", "always"]:
    for split_ in [True, False]:
        MADE["metaspace_%s_%d" % (scheme_, split_)] = (
            lambda scheme=scheme_, split=split_: metaspaced(scheme, split)
        )


@made
def metaspace_first_split() -> Tokenizer:
    """The mark comes where the text begins, and what begins it may be gone."""
    tokenizer = metaspaced("first", True)
    strip = normalizers.Strip()
    tokenizer.normalizer = normalizers.Sequence([strip, normalizers.Replace(Regex("[eE]+"), "i")])
    parts = [pre.Punctuation(), pre.Metaspace(prepend_scheme="first")]
    tokenizer.pre_tokenizer = pre.Sequence(parts)
    return tokenizer


# ---- Each part in its options -------------------------------------------------------------------

for behavior_ in BEHAVIORS:
    MADE["punctuation_" + behavior_] = lambda b=behavior_: byte_level(pre.Punctuation(b))
    for invert_ in [False, True]:
        MADE["split_%s_%d" % (behavior_, invert_)] = lambda b=behavior_, i=invert_: byte_level(
            pre.Sequence([regex(r"\w+", b, i), pre.Split("t", b, i)])
        )
MADE["digits"] = lambda: byte_level(pre.Digits())
MADE["delimiter"] = lambda: byte_level(pre.CharDelimiterSplit("e"))
MADE["fixed_length"] = lambda: byte_level(pre.FixedLength(7))
for name_, pattern_ in ODD.items():
    MADE["regex_" + name_] = lambda p=pattern_: byte_level(regex(p))

NORMALIZERS = {
    "nfd": normalizers.NFD,
    "nfkc": normalizers.NFKC,
    "nfkd": normalizers.NFKD,
    "lowercase": normalizers.Lowercase,
    "strip": normalizers.Strip,
    "strip_left": lambda: normalizers.Strip(left=True, right=False),
    "strip_right": lambda: normalizers.Strip(left=False, right=True),
    "nmt": normalizers.Nmt,
    "accents": lambda: normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
    "replace": lambda: normalizers.Replace(Regex(r"(\s)+|ss"), "_x_"),
    "replace_text": lambda: normalizers.Replace("..", "…"),
    "prepend": lambda: normalizers.Prepend("▁<"),
}
for name_, maker_ in NORMALIZERS.items():
    MADE["normalizer_" + name_] = lambda m=maker_: byte_level(
        pre.ByteLevel(False), normalizer=m()
    )


@made
def normalizer_bytes() -> Tokenizer:
    tokenizer = byte_level(None, normalizer=normalizers.ByteLevel())
    tokenizer.pre_tokenizer = regex(r"Ġ?\w+|\W")
    return tokenizer


@made
def added() -> Tokenizer:
    """Added tokens in all their options, over a normalizer that changes them."""
    tokenizer = byte_level(pre.ByteLevel(False), normalizer=normalizers.Lowercase())
    tokenizer.add_tokens([
        AddedToken("the", single_word=True, normalized=False),
        AddedToken("Hello", normalized=True),
        AddedToken("12", lstrip=True, normalized=False),
        AddedToken("123", rstrip=True, normalized=False),
        AddedToken("  ", normalized=True),
        AddedToken("中", lstrip=True, rstrip=True),
        AddedToken("a", single_word=True),
    ])
    tokenizer.add_special_tokens([AddedToken("[MASK]", lstrip=True, rstrip=True), "<s>"])
    return tokenizer


@made
def decoder_pieces() -> Tokenizer:
    """Decoders over pieces that are not bytes."""
    tokenizer = metaspaced("always", True)
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace(Regex("[▁e]"), "-"),
        decoders.Strip("-", 0, 1),
        decoders.WordPiece("t", True),
    ])
    return tokenizer


@made
def twice() -> Tokenizer:
    """The text twice."""
    tokenizer = bert(False)
    template = processors.TemplateProcessing("$A [SEP] $A", special_tokens=[("[SEP]", 3)])
    tokenizer.post_processor = template
    return tokenizer
