/* ngram_hash.c - NGramHashMapping and VarlenNGramHashMapping of com.microsoft: numbers of the runs
 * of tokens that end at each token, by which rows of an embedding are found. */
#include "ops/loops.h"

/* Which input is which; 0: there is none. Both forms share the first three and past_ids. */
typedef struct form {
    uint32_t starts, past, offsets, eos, segments, past_segments, capture;
} form;

static const form batched = {.past = 3, .offsets = 4, .eos = 5, .segments = 6};
static const form varied = {.starts = 3,
                            .past = 4,
                            .offsets = 5,
                            .eos = 6,
                            .segments = 7,
                            .past_segments = 8,
                            .capture = 9};

typedef struct hasher {
    const form *form;
    int64_t n, heads, pad, missing; /* `missing` stands before the first token */
    bool has_eos, reset;
    int64_t eos;
    const int64_t *ids, *multipliers, *sizes, *offsets, *segments, *past, *past_segments;
    heed_dtype dtype;
    int64_t *row;         /* n - 1 tokens of the past, then a sequence */
    int64_t *row_segment; /* the same of segments; NULL without any */
} hasher;

static int64_t attr(const ir_node *n, const char *name) { return ir_attr_int(n, name, 0); }

static heed_status infer_ngram(op_infer *c)
{
    const form *f = c->op->data;
    int64_t n = attr(c->node, "max_ngram_size"), heads = attr(c->node, "n_head_per_ngram");
    int64_t room = attr(c->node, "state_update_capacity"), width;
    int32_t rank = f->starts ? 1 : 2;
    if (n < 2 || heads < 1 || room < 0 || __builtin_mul_overflow(n - 1, heads, &width))
        return infer_error(c, "a max_ngram_size of two or more and heads", "%lld and %lld",
                           (long long)n, (long long)heads);
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != rank)
        return infer_error(c, "input_ids of the right rank", "%d", infer_rank(c, 0));
    ir_dim hashes[3] = {infer_dim(c, 0, 0), f->starts ? width : infer_dim(c, 0, 1), width};
    ir_dim batch = f->starts ? infer_dim(c, f->starts, 0) : hashes[0];
    if (f->starts && batch != DIM_UNKNOWN)
        batch = dims_sub(c->dims, batch, 1);
    ir_dim state[2] = {batch, n - 1}, update[3] = {batch, room, n - 1};
    TRY(infer_set(c, 0, 0, rank + 1, hashes));
    TRY(infer_set(c, 1, 0, 2, state));
    if (!f->starts)
        return HEED_OK;
    TRY(infer_set(c, 2, HEED_INT32, 2, state));
    return infer_set(c, 3, 0, 3, update);
}

/* Input i as int64; it must have `count` elements (-1: any). */
static heed_status read_ints(op_call *c, uint32_t i, int64_t count, const int64_t **out)
{
    *out = NULL;
    if (!i || !call_has(c, i))
        return HEED_OK;
    if (count >= 0 && tensor_count(c->in[i]) != count)
        return call_error(c, HEED_INVALID, "input %u of %s has %lld elements for %lld", i,
                          c->node->op->name, (long long)tensor_count(c->in[i]), (long long)count);
    *out = call_ints(c, i);
    return *out ? HEED_OK : HEED_NOMEM;
}

static heed_status open_hasher(op_call *c, hasher *h, int64_t batch)
{
    const form *f = h->form;
    const int64_t *eos;
    int64_t total = tensor_count(c->in[0]), width = (h->n - 1) * h->heads;
    h->ids = call_ints(c, 0);
    if (!h->ids)
        return HEED_NOMEM;
    TRY(read_ints(c, 1, -1, &h->multipliers));
    TRY(read_ints(c, 2, width, &h->sizes));
    TRY(read_ints(c, f->past, batch * (h->n - 1), &h->past));
    TRY(read_ints(c, f->offsets, width, &h->offsets));
    TRY(read_ints(c, f->eos, 1, &eos));
    TRY(read_ints(c, f->segments, total, &h->segments));
    TRY(read_ints(c, f->past_segments, batch * (h->n - 1), &h->past_segments));
    if (tensor_count(c->in[1]) < h->n)
        return call_error(c, HEED_INVALID, "%lld multipliers for runs of %lld tokens",
                          (long long)tensor_count(c->in[1]), (long long)h->n);
    for (int64_t i = 0; i < width; i++)
        if (h->sizes[i] <= 0)
            return call_error(c, HEED_INVALID, "a vocabulary of %lld", (long long)h->sizes[i]);
    h->has_eos = eos != NULL;
    h->eos = eos ? eos[0] : 0;
    h->missing = eos ? h->eos : h->pad;
    size_t room = (size_t)(h->n + total) * sizeof(int64_t);
    h->row = call_scratch(c, room);
    h->row_segment = call_scratch(c, room);
    return h->row && h->row_segment ? HEED_OK : HEED_NOMEM;
}

/* Lays the past of sequence s and its tokens side by side. */
static void lay(const hasher *h, int64_t s, int64_t first, int64_t length)
{
    int64_t back = h->n - 1;
    for (int64_t i = 0; i < back; i++) {
        int64_t own = h->segments && length > 0 ? h->segments[first] : 0;
        h->row[i] = h->past ? h->past[s * back + i] : h->missing;
        h->row_segment[i] = h->past_segments ? h->past_segments[s * back + i] : own;
    }
    for (int64_t i = 0; i < length; i++) {
        h->row[back + i] = h->ids[first + i];
        h->row_segment[back + i] = h->segments ? h->segments[first + i] : 0;
    }
}

/* A run does not reach over the end of a text, nor into another segment: does it end between
 * row[at] and row[at - 1]? */
static bool ends(const hasher *h, int64_t at)
{
    if (h->reset && h->has_eos && h->row[at - 1] == h->eos)
        return true;
    return h->segments && h->row_segment[at] != h->row_segment[at - 1];
}

static uint64_t narrow(const hasher *h, uint64_t x)
{
    return h->dtype == HEED_INT32 ? (uint64_t)(int64_t)(int32_t)(uint32_t)x : x;
}

/* The hashes of the runs that end at row[at]. */
static void hash_token(const hasher *h, int64_t at, int64_t *out)
{
    uint64_t mix = 0;
    bool over = false;
    for (int64_t k = 0; k < h->n; k++) {
        over = over || (k > 0 && ends(h, at - k + 1));
        int64_t id = over ? h->missing : h->row[at - k];
        mix ^= narrow(h, (uint64_t)id * (uint64_t)h->multipliers[k]);
        for (int64_t j = 0; k > 0 && j < h->heads; j++) {
            int64_t head = (k - 1) * h->heads + j, size = h->sizes[head];
            int64_t rest = (int64_t)mix % size;
            rest += rest < 0 ? size : 0;
            uint64_t offset = h->offsets ? (uint64_t)h->offsets[head] : 0;
            out[head] = (int64_t)narrow(h, (uint64_t)rest + offset);
        }
    }
}

static void store(op_call *c, uint32_t o, int64_t first, int64_t n, const int64_t *values)
{
    if (call_out(c, o))
        loop_store(c->out[o], CLASS_I64, first, n, values);
}

static void run_sequence(op_call *c, const hasher *h, int64_t s, int64_t first, int64_t length,
                         int64_t *hashes)
{
    int64_t back = h->n - 1, width = back * h->heads;
    lay(h, s, first, length);
    for (int64_t i = 0; i < length; i++) {
        hash_token(h, back + i, hashes);
        store(c, 0, (first + i) * width, width, hashes);
    }
    store(c, 1, s * back, back, h->row + length);
    store(c, 2, s * back, back, h->row_segment + length);
}

/* The states after each of the first tokens, as many as capture_count says; pad_id elsewhere. */
static void capture(op_call *c, const hasher *h, int64_t s, int64_t length, int64_t count)
{
    int64_t back = h->n - 1, room = attr(c->node, "state_update_capacity");
    for (int64_t i = 0; i < room; i++)
        for (int64_t j = 0; j < back; j++) {
            bool there = i < count && i < length;
            store(c, 3, (s * room + i) * back + j, 1, there ? &h->row[i + 1 + j] : &h->pad);
        }
}

static heed_status run_ngram(op_call *c)
{
    hasher h = {.form = c->node->op->data,
                .n = attr(c->node, "max_ngram_size"),
                .heads = attr(c->node, "n_head_per_ngram"),
                .pad = attr(c->node, "pad_id"),
                .reset = attr(c->node, "reset_on_eos") != 0,
                .dtype = c->in[0]->dtype};
    const int64_t *starts, *counts;
    int64_t total = tensor_count(c->in[0]);
    int64_t batch = c->in[0]->dims[0], length = h.form->starts ? 0 : c->in[0]->dims[1];
    if (h.form->starts)
        batch = tensor_count(c->in[h.form->starts]) - 1;
    if (batch < 0)
        return call_error(c, HEED_INVALID, "cumulative_sequence_length is empty");
    TRY(open_hasher(c, &h, batch));
    TRY(read_ints(c, h.form->starts, batch + 1, &starts));
    TRY(read_ints(c, h.form->capture, batch, &counts));
    int64_t *hashes = call_scratch(c, (size_t)((h.n - 1) * h.heads) * sizeof(*hashes));
    if (!hashes)
        return HEED_NOMEM;
    for (int64_t s = 0; s < batch; s++) {
        int64_t first = starts ? starts[s] : s * length,
                end = starts ? starts[s + 1] : first + length;
        if (first < 0 || end < first || end > total)
            return call_error(c, HEED_INVALID, "tokens %lld to %lld of %lld", (long long)first,
                              (long long)end, (long long)total);
        run_sequence(c, &h, s, first, end - first, hashes);
        if (call_out(c, 3))
            capture(c, &h, s, end - first, counts ? counts[s] : 0);
    }
    return HEED_OK;
}

// clang-format off
static const op_def ngram_hash = {
    .domain = "com.microsoft", .name = "NGramHashMapping", .since = 1, .data = &batched,
    .signature = "input_ids:M, multipliers:M, vocab_sizes:M, past_ids:M?, head_offsets:M?, "
                 "eos_token_id:M?, segment_ids:int32? -> hash_ids:M, present_ids:M?",
    .types = "M=int32|int64",
    .attrs = "max_ngram_size:int! n_head_per_ngram:int! pad_id:int! reset_on_eos:int=0",
    .infer = infer_ngram, .run = run_ngram};
static const op_def varlen_ngram_hash = {
    .domain = "com.microsoft", .name = "VarlenNGramHashMapping", .since = 1, .data = &varied,
    .signature = "input_ids:M, multipliers:M, vocab_sizes:M, cumulative_sequence_length:int32, "
                 "past_ids:M?, head_offsets:M?, eos_token_id:M?, segment_ids:int32?, "
                 "past_segment_ids:int32?, capture_count:int32? -> "
                 "hash_ids:M, present_ids:M?, present_segment_ids:S?, state_update:M?",
    .types = "M=int32|int64 S=int32",
    .attrs = "max_ngram_size:int! n_head_per_ngram:int! pad_id:int! reset_on_eos:int=0 "
             "state_update_capacity:int=0",
    .infer = infer_ngram, .run = run_ngram};

const op_def *const ops_ngram_hash[] = {&ngram_hash, &varlen_ngram_hash, NULL};
// clang-format on
