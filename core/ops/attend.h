/* attend.h - what the bodies of attention operators share: heads, caches, and the call of
 * heed.Attention. Layouts are in letters: B sequences, H heads, S or T rows, D channels. */
#ifndef HEED_OPS_ATTEND_H
#define HEED_OPS_ATTEND_H

#include "ops/heads.h"

typedef struct attend {
    ir_value *q, *k, *v;                 /* [B, H, S, D], [B, Hkv, T, D], [B, Hkv, T, Dv] */
    ir_value *bias;                      /* added, or boolean: true attends; NULL: none */
    ir_value *lengths, *offsets, *sinks; /* as heed.Attention has them; NULL: none */
    double scale, softcap, fill;         /* fill: 0 is -inf */
    bool causal;
    int64_t left;   /* rows to the left that are visible, itself not counted, plus 1; 0: all */
    bool keep;      /* are the scores wanted too? */
    int64_t scores; /* ... at which stage */
    ir_value *kept; /* the scores */
} attend;

/* The result, [B, H, S, Dv]. */
ir_value *attend_run(op_body *b, attend *a);

/* [B, S, heads * D] to [B, heads, S, D]; fails when it is not so. */
ir_value *attend_split(op_body *b, ir_value *x, int64_t heads);
/* Queries, keys and values that lie one after the other in `axis`, head by head: parts[3]. */
void attend_cut(op_body *b, ir_value *all, int32_t axis, int64_t heads, int64_t kv_heads,
                ir_value **parts);
/* Queries, keys and values from inputs 0 to 2, or all three from input 0, in num_heads and
 * kv_num_heads heads; false: the body has failed. */
bool attend_read_grouped(op_body *b, attend *a);
/* Rotary embedding of x [B, heads, S, D] at positions [B, S], of as many channels as the tables
 * have; the node's rotary_interleaved says which. */
ir_value *attend_turn(op_body *b, ir_value *x, ir_value *cosines, ir_value *sines, ir_value *at);
/* The attribute `name`, which counts heads: at least 1; fails otherwise and gives 1. */
int64_t attend_heads(op_body *b, const char *name);
/* The same while shapes are inferred, for heads of queries (`name`) and of keys. */
heed_status attend_infer_heads(op_infer *c, const char *name, int64_t *heads, int64_t *kv_heads);

/* x + y, where y may be left out. */
ir_value *attend_add(op_body *b, ir_value *x, ir_value *y);
/* Any integer tensor of one element as int64 [1], and of any shape as int64 [n]. */
ir_value *attend_number(op_body *b, ir_value *x);
ir_value *attend_list(op_body *b, ir_value *x);
/* The int64 [1] or [B] `x`, once for each sequence of `like`: [B]. */
ir_value *attend_each(op_body *b, ir_value *x, ir_value *like);
/* x[index] of the first axis. */
ir_value *attend_pick(op_body *b, ir_value *x, int64_t index);

/* The rows of `fresh` [B, H, L, D] behind those of `past` (NULL: there are none): all of them, or
 * with `at` (int64 [1] or [B]) written over the rows from there on. */
ir_value *attend_append(op_body *b, ir_value *past, ir_value *fresh, ir_value *at);

/* Beams: key t of sequence s comes from row `from[s / beams][s % beams][t]` of its group; `from` is
 * [groups, beams, M], x is [groups * beams, H, T, D]. Keys from `past` on are a sequence's own. */
ir_value *attend_follow(op_body *b, ir_value *x, ir_value *from, ir_value *past);

#endif
