"""The verse model: a small decoder with the parts that current decoders have.

RMSNorm, rotary embedding (half-rotated), grouped-query attention, SwiGLU, tied embedding.
The same module serves training (no cache) and both exports, so that what is trained is what
is exported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Cache = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Config:
    """Sizes of the model; the defaults give about 0.95 M parameters."""

    vocab: int = 1024
    dim: int = 128
    layers: int = 5
    q_heads: int = 8
    kv_heads: int = 2
    hidden: int = 320
    rope_base: float = 10000.0
    eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.dim // self.q_heads


class RMSNorm(nn.Module):
    """x / rms(x) * weight, over the last axis."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rope_tables(positions: Tensor, cfg: Config) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every angle, [batch, 1, seq, head_dim], for positions [batch, seq]."""
    exponents = torch.arange(0, cfg.head_dim, 2, device=positions.device) / cfg.head_dim
    angles = positions[:, None, :, None].float() * cfg.rope_base ** (-exponents)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding in its half-rotated form (pairs are i and i + head_dim / 2)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    """Grouped-query attention: q_heads queries share kv_heads keys and values."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.cfg = cfg
        kv_dim = cfg.kv_heads * cfg.head_dim
        self.q = nn.Linear(cfg.dim, cfg.dim, bias=False)
        self.k = nn.Linear(cfg.dim, kv_dim, bias=False)
        self.v = nn.Linear(cfg.dim, kv_dim, bias=False)
        self.o = nn.Linear(cfg.dim, cfg.dim, bias=False)

    def heads(self, x: Tensor) -> Tensor:
        """[batch, seq, heads * head_dim] -> [batch, heads, seq, head_dim]."""
        return x.unflatten(-1, (-1, self.cfg.head_dim)).transpose(1, 2)

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor | None, past: tuple | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        q = rotate(self.heads(self.q(x)), *rope)
        k = rotate(self.heads(self.k(x)), *rope)
        v = self.heads(self.v(x))
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        group = self.cfg.q_heads // self.cfg.kv_heads
        y = F.scaled_dot_product_attention(
            q,
            k.repeat_interleave(group, dim=1),
            v.repeat_interleave(group, dim=1),
            attn_mask=mask,
            is_causal=mask is None,
        )
        return self.o(y.transpose(1, 2).flatten(2)), (k, v)


class Block(nn.Module):
    """Attention and SwiGLU, each behind a norm and around a residual."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.norm1 = RMSNorm(cfg.dim, cfg.eps)
        self.attention = Attention(cfg)
        self.norm2 = RMSNorm(cfg.dim, cfg.eps)
        self.gate = nn.Linear(cfg.dim, cfg.hidden, bias=False)
        self.up = nn.Linear(cfg.dim, cfg.hidden, bias=False)
        self.down = nn.Linear(cfg.hidden, cfg.dim, bias=False)

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], mask: Tensor | None, past: tuple | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        y, present = self.attention(self.norm1(x), rope, mask, past)
        x = x + y
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y)), present


class Verse(nn.Module):
    """The whole decoder; the output projection is the embedding, transposed."""

    def __init__(self, cfg: Config = Config()) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed = nn.Embedding(cfg.vocab, cfg.dim)
        self.blocks = nn.ModuleList(Block(cfg) for _ in range(cfg.layers))
        self.norm = RMSNorm(cfg.dim, cfg.eps)
        self.apply(self.init)

    def init(self, module: nn.Module) -> None:
        """Normal weights; what writes to the residual stream starts smaller."""
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.04)
        if isinstance(module, Block):
            for last in (module.attention.o, module.down):
                nn.init.normal_(last.weight, std=0.04 / math.sqrt(2 * self.cfg.layers))

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor | None = None,
        mask: Tensor | None = None,
        past: Cache | None = None,
    ) -> tuple[Tensor, Cache]:
        """Logits [batch, seq, vocab] and each layer's keys and values. No mask means causal."""
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        rope = rope_tables(position_ids, self.cfg)
        x = self.embed(input_ids)
        presents: Cache = []
        for i, block in enumerate(self.blocks):
            x, present = block(x, rope, mask, None if past is None else past[i])
            presents.append(present)
        return F.linear(self.norm(x), self.embed.weight), presents
