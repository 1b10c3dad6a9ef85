"""Small encoder-decoders with random weights, as Optimum exports them, and what transformers'
generate says of each: greedy tokens and the best of four beams.

One folder each: encoder_model.onnx, decoder_model.onnx, decoder_with_past_model.onnx,
decoder_model_merged.onnx, and golden.json, a list of requests: `tokens` of the encoder, or `dims`
and `seed` of its features, `start` of the decoder, and `greedy` and `beams` without it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
import transformers as tf

from common import make

VOCABULARY, END, NEW, REQUESTS = 120, 2, 24, 3
SMALL = {"vocab_size": VOCABULARY, "d_model": 32, "eos_token_id": END, "pad_token_id": 1,
         "tie_word_embeddings": False}
BART = SMALL | {"encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
                "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
                "max_position_embeddings": 64, "decoder_start_token_id": 3,
                "forced_bos_token_id": None, "forced_eos_token_id": None}
WHISPER = BART | {"num_mel_bins": 8, "max_source_positions": 1500, "max_target_positions": 64}
SPOKEN = BART | {"max_source_positions": 32, "max_target_positions": 64}


def t5(**more: object) -> tf.PreTrainedModel:
    return tf.T5ForConditionalGeneration(tf.T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        eos_token_id=END, pad_token_id=0, decoder_start_token_id=0,
        relative_attention_num_buckets=8, relative_attention_max_distance=20, **more))


def whisper() -> tf.PreTrainedModel:
    return tf.WhisperForConditionalGeneration(tf.WhisperConfig(
        **WHISPER, suppress_tokens=None, begin_suppress_tokens=None, bos_token_id=3))


def speech() -> tf.PreTrainedModel:
    return tf.Speech2TextForConditionalGeneration(tf.Speech2TextConfig(
        **SPOKEN, input_feat_per_channel=8, conv_channels=16, conv_kernel_sizes=(3, 3)))


def moonshine() -> tf.PreTrainedModel:
    return tf.MoonshineForConditionalGeneration(tf.MoonshineConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, encoder_num_hidden_layers=2,
        decoder_num_hidden_layers=2, encoder_num_attention_heads=4, decoder_num_attention_heads=4,
        eos_token_id=END, pad_token_id=1, decoder_start_token_id=3, bos_token_id=3,
        tie_word_embeddings=False))


def vit_gpt2() -> tf.PreTrainedModel:
    vit = tf.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                       intermediate_size=64, image_size=16, patch_size=8)
    gpt2 = tf.GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64,
                         bos_token_id=3, eos_token_id=END, tie_word_embeddings=False)
    return start_at_three(tf.VisionEncoderDecoderModel(
        tf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(vit, gpt2)))


def trocr() -> tf.PreTrainedModel:
    vit = tf.ViTConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                       intermediate_size=64, image_size=16, patch_size=8)
    text = tf.TrOCRConfig(vocab_size=VOCABULARY, d_model=32, decoder_layers=2,
                          decoder_attention_heads=4, decoder_ffn_dim=64,
                          max_position_embeddings=64, bos_token_id=3, eos_token_id=END,
                          cross_attention_hidden_size=32, tie_word_embeddings=False)
    return start_at_three(tf.VisionEncoderDecoderModel(
        tf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(vit, text)))


def start_at_three(model: tf.PreTrainedModel) -> tf.PreTrainedModel:
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id = 3
        config.eos_token_id = END
        config.pad_token_id = 1
    return model


TEXT, SEEN, HEARD = "text2text-generation", "image-to-text", "automatic-speech-recognition"
MODELS = {
    "t5": (t5, TEXT, None),
    "t5-gated": (lambda: t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False), TEXT, None),
    "bart": (lambda: tf.BartForConditionalGeneration(tf.BartConfig(**BART)), TEXT, None),
    "marian": (lambda: tf.MarianMTModel(tf.MarianConfig(**BART)), TEXT, None),
    "pegasus": (lambda: tf.PegasusForConditionalGeneration(tf.PegasusConfig(**BART)), TEXT, None),
    "m2m": (lambda: tf.M2M100ForConditionalGeneration(tf.M2M100Config(**BART)), TEXT, None),
    "whisper": (whisper, HEARD, [8, 3000]),
    "speech": (speech, HEARD, [24, 8]),
    "moonshine": (moonshine, HEARD, [1600]),
    "vit-gpt2": (vit_gpt2, SEEN, [3, 16, 16]),
    "trocr": (trocr, SEEN, [3, 16, 16]),
}


def enlarge(model: tf.PreTrainedModel) -> None:
    """Random weights of the usual size say the same whatever they are told."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "embed_positions" not in name:
                parameter.mul_(6)


def features(dims: list[int], seed: int) -> torch.Tensor:
    """Numbers that any language makes alike."""
    count = math.prod(dims)
    return (((torch.arange(count) * 7919 + seed * 104729) % 257 - 128) / 64).reshape(dims)


def request(number: int, dims: list[int] | None) -> dict:
    """The encoder's input; prompts differ in length."""
    if dims is None:
        torch.manual_seed(number)
        tokens = torch.randint(4, VOCABULARY, (1, 5 + 4 * number))
        return {"tokens": tokens[0].tolist()}
    return {"dims": [1, *dims], "seed": number}


def generate(model: tf.PreTrainedModel, asked: dict, beams: int) -> list[int]:
    if "tokens" in asked:
        given = torch.tensor([asked["tokens"]])
    else:
        given = features(asked["dims"], asked["seed"])
    # not the model's own: Whisper's takes what is said around it away
    made = tf.GenerationMixin.generate(model, given, do_sample=False, num_beams=beams,
                                       max_new_tokens=NEW, length_penalty=1.0,
                                       early_stopping=False)
    return made[0].tolist()


def golden(model: tf.PreTrainedModel, dims: list[int] | None) -> list[dict]:
    """Requests whose answers have no padding: where positions count other tokens, the cache of
    transformers takes it for one of them, and the model without a cache does not."""
    requests, number = [], 0
    start = model.generation_config.decoder_start_token_id
    assert start is not None
    while len(requests) < REQUESTS:
        asked = request(number, dims)
        number += 1
        for name, beams in (("greedy", 1), ("beams", 4)):
            tokens = generate(model, asked, beams)
            assert tokens[0] == start
            asked[name] = tokens[1:]
        if model.generation_config.pad_token_id not in asked["greedy"] + asked["beams"]:
            requests.append(asked | {"start": [start]})
    return requests


def export(folder: Path, name: str) -> None:
    from optimum.exporters.onnx import onnx_export_from_model

    build, task, dims = MODELS[name]
    torch.manual_seed(11)
    model = build().eval()
    enlarge(model)
    config = model.generation_config
    config.eos_token_id, config.max_length = END, 64
    told = {"end": END, "max_tokens": NEW, "input": model.get_encoder().main_input_name,
            "requests": golden(model, dims)}
    onnx_export_from_model(model, folder, task=task + "-with-past", do_validation=False)
    (folder / "golden.json").write_text(json.dumps(told))


def main() -> None:
    for name in MODELS:
        make("tiny-" + name, lambda folder, name=name: export(folder, name))


if __name__ == "__main__":
    main()
