/* ngram.c - what decoding loops of com.microsoft do with runs of tokens: NGramRepeatBlock forbids
 * those that were there, BifurcationDetector finds where a draft leaves its source. */
#include <math.h>
#include <string.h>

#include "ops/loops.h"

/* ---- NGramRepeatBlock ----------------------------------------------------------------------- */

static heed_status infer_repeat(op_infer *c)
{
    for (uint32_t i = 0; i < 2; i++)
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 2)
            return infer_error(c, "[batch, sequence] and [batch, words]", "rank %d",
                               infer_rank(c, i));
    ir_dim a = infer_dim(c, 0, 0), b = infer_dim(c, 1, 0);
    if (dim_known(a) && dim_known(b) && a != b)
        return infer_error(c, "ids and scores of one batch", "%lld and %lld", (long long)a,
                           (long long)b);
    if (ir_attr_int(c->node, "ngram_size", 1) < 1)
        return infer_error(c, "an ngram_size of one or more", "%lld",
                           (long long)ir_attr_int(c->node, "ngram_size", 1));
    return infer_set_like(c, 0, 1);
}

/* After the last n - 1 tokens, what has followed them before gets no chance. */
static heed_status forbid(op_call *c, const int64_t *ids, int64_t length, int64_t n, int64_t row)
{
    int64_t words = c->in[1]->dims[1];
    const double never = -HUGE_VAL;
    const int64_t *tail = ids + length - (n - 1);
    for (int64_t i = 0; i + n <= length; i++) {
        int64_t next = ids[i + n - 1];
        if (memcmp(ids + i, tail, (size_t)(n - 1) * sizeof(*ids)) != 0)
            continue;
        if (next < 0 || next >= words)
            return call_error(c, HEED_INVALID, "token %lld of %lld", (long long)next,
                              (long long)words);
        loop_store(c->out[0], CLASS_F64, row * words + next, 1, &never);
    }
    return HEED_OK;
}

static heed_status run_repeat(op_call *c)
{
    int64_t n = ir_attr_int(c->node, "ngram_size", 1), length = c->in[0]->dims[1];
    const int64_t *ids = call_ints(c, 0);
    if (!ids)
        return HEED_NOMEM;
    TRY(tensor_copy_content(c->out[0], c->in[1]));
    for (int64_t row = 0; n <= length && row < c->in[0]->dims[0]; row++)
        TRY(forbid(c, ids + row * length, length, n, row));
    return HEED_OK;
}

/* ---- BifurcationDetector --------------------------------------------------------------------- */

static heed_status infer_fork(op_infer *c)
{
    ir_dim unknown = DIM_UNKNOWN;
    for (uint32_t i = 0; i < c->n_in; i++)
        if (i != 2 && infer_rank(c, i) > 1)
            return infer_error(c, "tokens in a row", "rank %d", infer_rank(c, i));
    TRY(infer_set(c, 0, 0, 1, &unknown));
    return infer_set(c, 1, 0, 0, NULL);
}

typedef struct tokens {
    int64_t n;
    const int64_t *at;
} tokens;

static tokens tokens_of(op_call *c, uint32_t i)
{
    tokens t = {0, NULL};
    if (call_has(c, i)) {
        t.n = tensor_count(c->in[i]);
        t.at = call_ints(c, i);
    }
    return t;
}

/* Where `what` stands in `in`, from `first` on; -1 when nowhere. */
static int64_t find(tokens in, tokens what, int64_t first)
{
    for (int64_t i = first; i + what.n <= in.n; i++)
        if (memcmp(in.at + i, what.at, (size_t)what.n * sizeof(*what.at)) == 0)
            return i;
    return -1;
}

/* Behind the only place of the shortest tail of `all` that stands in the source once. */
static int64_t match_tail(const op_call *c, tokens source, tokens all)
{
    int64_t most = ir_attr_int(c->node, "max_ngram_size", 3);
    int64_t n = ir_attr_int(c->node, "min_ngram_size", 1);
    for (n = n < 1 ? 1 : n; n <= most && n <= all.n; n++) {
        tokens tail = {n, all.at + all.n - n};
        int64_t first = find(source, tail, 0);
        if (first < 0)
            return -1;
        if (find(source, tail, first + 1) < 0)
            return first + n;
    }
    return -1;
}

static heed_status run_fork(op_call *c)
{
    tokens source = tokens_of(c, 0), now = tokens_of(c, 1), draft = tokens_of(c, 3);
    if (!source.at || !now.at || (call_has(c, 3) && !draft.at) || tensor_count(c->in[2]) != 1)
        return call_error(c, HEED_INVALID, "BifurcationDetector without a place to begin");
    int64_t start = tensor_get_int(c->in[2], 0), same = 0;
    if (draft.at && (start < 0 || start > source.n || draft.n != source.n + 1 - start))
        return call_error(c, HEED_INVALID, "%lld predicted tokens from token %lld of %lld",
                          (long long)draft.n, (long long)start, (long long)source.n);
    while (draft.at && same < source.n - start && draft.at[same] == source.at[start + same])
        same++;
    int64_t taken = draft.at ? same + 1 : 0, total = now.n + taken;
    TRY(call_output(c, 0, HEED_INT64, 1, &total));
    int64_t *all = call_scratch(c, sizeof(*all) * (size_t)total + 1);
    if (!all)
        return HEED_NOMEM;
    memcpy(all, now.at, sizeof(*all) * (size_t)now.n);
    if (taken)
        memcpy(all + now.n, draft.at, sizeof(*all) * (size_t)taken);
    int64_t match = match_tail(c, source, (tokens){total, all});
    TRY(call_output(c, 1, HEED_INT64, 0, NULL));
    if (call_out(c, 0))
        loop_store(c->out[0], CLASS_I64, 0, total, all);
    if (call_out(c, 1))
        loop_store(c->out[1], CLASS_I64, 0, 1, &match);
    return HEED_OK;
}

// clang-format off
static const op_def repeat = {
    .domain = "com.microsoft", .name = "NGramRepeatBlock", .since = 1,
    .signature = "input_ids:I, scores:T -> scores_out:T", .types = "T=float I=int32|int64",
    .attrs = "ngram_size:int!",
    .infer = infer_repeat, .run = run_repeat};
static const op_def bifurcation = {
    .domain = "com.microsoft", .name = "BifurcationDetector", .since = 1, .flags = OP_DATA_SHAPE,
    .signature = "src_tokens:T, cur_tokens:T, prev_suffix_match_idx:T, pred_tokens:T? -> "
                 "tokens:T, suffix_match_idx:T",
    .types = "T=int64", .attrs = "max_ngram_size:int=3 min_ngram_size:int=1",
    .infer = infer_fork, .run = run_fork};

const op_def *const ops_ngram[] = {&repeat, &bifurcation, NULL};
// clang-format on
