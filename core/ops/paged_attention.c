/* paged_attention.c - heed.PagedAttention: causal attention of many sequences at once, with keys
 * and values in pages (Kwon 2023, arXiv 2309.06180).
 *
 * Q, K and V are heed.Attention's, of one batch: the tokens of n sequences, one after the other
 * (paged.h). Sequence b has the tokens from starts[b] to starts[b + 1], which stand behind past[b]
 * others. K and V are written to the pages that the sequence's row of `table` names, and its
 * queries see all keys of the sequence up to their own, in a window: p - left_window and later.
 *
 *   key_pages, value_pages    [pages, Hkv, tokens a page, D or Dv]: what a head reads of a page
 * lies side by side. The outputs of the same name may, and should, lie in the same memory starts [n
 * + 1], past [n], table [n, most pages of a sequence] sinks                     [Hq]: a logit that
 * joins the denominator only key_scales, value_scales  [pages, Hkv, tokens a page]: of pages of
 * int8, one a token and head: x is stored as round(127 x / m) beside m / 127, m its largest
 * magnitude
 *
 * Hkv divides Hq: query head h reads key head h / (Hq / Hkv). scale, softcap and the layouts are
 * those of heed.Attention; scale = 0 is 1 / sqrt(D). Pages of another float type than K's hold K
 * rounded to it. Pages that no table names are not read or written. */
#include <string.h>

#include "ops/attend.h"
#include "ops/paged.h"

enum {
    Q,
    K,
    V,
    KEY_PAGES,
    VALUE_PAGES,
    STARTS,
    PAST,
    TABLE,
    SINKS,
    KEY_SCALES,
    VALUE_SCALES,
    BIAS
};

/* ---- Inference ------------------------------------------------------------------------------ */

static const char *const layout_names[] = {"q_layout", "k_layout", "v_layout", "y_layout"};

static heed_status check_rank(const op_infer *c, uint32_t input, int32_t rank)
{
    int32_t have = infer_has(c, input) ? infer_rank(c, input) : -1;
    return have < 0 || have == rank ? HEED_OK
                                    : infer_error(c, "pages and tables of the right rank",
                                                  "rank %d of input %u", have, input);
}

static heed_status check_pages(const op_infer *c)
{
    const char *by = ir_attr_string(c->node, "bias_by", "distance");
    static const int32_t ranks[] = {4, 4, 1, 1, 2, 1, 3, 3, 2};
    for (uint32_t i = KEY_PAGES; i <= BIAS; i++)
        TRY(check_rank(c, i, ranks[i - KEY_PAGES]));
    if (strcmp(by, "distance") != 0 && strcmp(by, "key") != 0)
        return infer_error(c, "a bias by distance or key", "%s", by);
    bool narrow = infer_has(c, KEY_PAGES) && c->in[KEY_PAGES]->dtype == HEED_INT8;
    if (narrow != infer_has(c, KEY_SCALES) || narrow != infer_has(c, VALUE_SCALES))
        return infer_error(c, "scales with pages of int8, and none with others", "%s",
                           narrow ? "none" : "scales");
    return HEED_OK;
}

static heed_status infer_paged(op_infer *c)
{
    ir_dim scores[4];
    heads_layout layouts[4];
    for (size_t i = 0; i < 4; i++)
        if (!heads_layout_read(c->node, layout_names[i], &layouts[i]))
            return infer_error(c, "a layout of the letters b, h, s, d", "%s", layout_names[i]);
    TRY(heads_infer_in(c, layouts, &layouts[3], true, scores));
    if (dim_known(scores[0]) && scores[0] != 1)
        return infer_error(c, "the tokens of all sequences in one batch", "a batch of %lld",
                           (long long)scores[0]);
    TRY(check_pages(c));
    static const uint32_t like[] = {KEY_PAGES, VALUE_PAGES, KEY_SCALES, VALUE_SCALES};
    for (uint32_t o = 1; o < c->n_out; o++) {
        if (!infer_has(c, like[o - 1]))
            return infer_error(c, "no scales of pages that have none", "output %u", o);
        TRY(infer_set_like(c, o, like[o - 1]));
    }
    return HEED_OK;
}

/* ---- Body ----------------------------------------------------------------------------------- */

/* Input i, of one batch, as [T, heads, D]. */
static ir_value *tokens_of(op_body *b, uint32_t i)
{
    heads_layout layout;
    heads_layout_read(b->node, layout_names[i], &layout); /* inference has checked it */
    ir_value *x = heads_from(b, body_in(b, i), &layout);
    return attend_pick(b, body_transpose(b, x, "0,2,1,3"), 0);
}

/* x / scale for x [T, heads, D], rounded, as int8; *scale is [T, heads]. */
static ir_value *narrowed(op_body *b, ir_value *x, heed_dtype type, ir_value **scale)
{
    ir_value *last = body_ints(b, 1, (int64_t[]){-1});
    x = body_cast(b, x, type);
    ir_value *most = body_2(b, body_1(b, x, "Abs"), last, "ReduceMax keepdims=1");
    ir_value *zero = body_2(b, most, body_like(b, 0, most), "Equal");
    ir_value *safe = body_3(b, zero, body_like(b, 1, most), most, "Where");
    ir_value *each = body_2(b, body_like(b, 127, x), safe, "Div");
    *scale = body_2(b, body_2(b, most, last, "Squeeze"), body_like(b, 127, x), "Div");
    return body_cast(b, body_1(b, body_2(b, x, each, "Mul"), "Round"), HEED_INT8);
}

/* As paged.h has pages, [pages, tokens a page, heads, D]; and back. */
static ir_value *tokens_first(op_body *b, ir_value *pages)
{
    return body_transpose(b, pages, "0,2,1,3");
}

/* Writes x [T, heads, D] into the pages of input `i` and gives what sequences read,
 * [n, heads, rows, D]. Outputs lie two inputs before their pages. */
static ir_value *through_pages(op_body *b, const paged *p, ir_value *x, uint32_t i)
{
    ir_value *pages = tokens_first(b, body_in(b, i)), *table = body_in(b, TABLE);
    ir_value *scales = body_in(b, KEY_SCALES + i - KEY_PAGES), *scale = NULL;
    heed_dtype type = x->type.dtype;
    ir_value *slots = paged_slots(b, p, table, body_dim(b, pages, 1));
    x = scales ? narrowed(b, x, scales->type.dtype, &scale) : body_cast(b, x, pages->type.dtype);
    pages = paged_write(b, pages, slots, x);
    body_set(b, 1 + i - KEY_PAGES, tokens_first(b, pages));
    ir_value *rows = body_cast(b, paged_read(b, pages, table), scales ? scales->type.dtype : type);
    if (!scales)
        return rows;
    ir_value *wide = tokens_first(b, body_unsqueeze(b, scales, "3"));
    wide = paged_write(b, wide, slots, body_unsqueeze(b, scale, "2"));
    scales = body_2(b, wide, body_ints(b, 1, (int64_t[]){3}), "Squeeze");
    body_set(b, 3 + i - KEY_PAGES, body_transpose(b, scales, "0,2,1"));
    rows = body_2(b, rows, paged_read(b, wide, table), "Mul");
    return body_cast(b, rows, type);
}

/* What is added to the scores [n, Hq, S, rows], S being the most tokens of a sequence. */
static ir_value *bias_of(op_body *b, const paged *p, ir_value *q, ir_value *k)
{
    ir_value *bias = body_in(b, BIAS);
    bool distance = strcmp(ir_attr_string(b->node, "bias_by", "distance"), "distance") == 0;
    if (!bias || b->status)
        return NULL;
    ir_value *last = body_2(b, body_size(b, bias, 1), body_int(b, 1), "Sub");
    ir_value *at = body_range(b, body_size(b, k, 2)); /* of keys */
    if (distance) {
        ir_value *rows = body_unsqueeze(b, body_range(b, body_size(b, q, 2)), "0");
        ir_value *query = body_2(b, body_unsqueeze(b, p->past, "1"), rows, "Add");
        at = body_2(b, body_2(b, at, body_unsqueeze(b, query, "2"), "Sub"), last, "Add");
    }
    at = body_3(b, at, body_int(b, 0), last, "Clip");
    bias = body_2(b, bias, at, "Gather axis=1");
    return distance ? body_transpose(b, bias, "1,0,2,3") : body_unsqueeze(b, bias, "0,2");
}

/* [T, heads * Dv] as output 0 has it. */
static ir_value *as_output(op_body *b, ir_value *y, ir_value *v, int64_t axis)
{
    heads_layout layout;
    heads_layout_read(b->node, layout_names[3], &layout);
    ir_value *dims[] = {body_ints(b, 1, (int64_t[]){1}), body_dim(b, y, 0),
                        body_ints(b, 1, (int64_t[]){-1}), body_dim(b, v, (int32_t)axis)};
    y = body_reshape_to(b, y, 4, dims);
    return heads_to(b, body_transpose(b, y, "0,2,1,3"), &layout);
}

static void decompose_paged(op_body *b)
{
    for (uint32_t i = Q; i <= VALUE_PAGES; i++)
        if (body_rank(b, body_in(b, i)) != 4)
            return;
    ir_value *q = tokens_of(b, Q), *k = tokens_of(b, K), *v = tokens_of(b, V);
    if (b->status)
        return;
    paged p = paged_place(b, body_size(b, q, 0), body_in(b, STARTS), body_in(b, PAST));
    attend a = {.q = paged_pad(b, &p, q),
                .k = through_pages(b, &p, k, KEY_PAGES),
                .v = through_pages(b, &p, v, VALUE_PAGES),
                .offsets = p.past,
                .lengths = body_2(b, p.past, p.fresh, "Add"),
                .sinks = body_in(b, SINKS),
                .scale = ir_attr_float(b->node, "scale", 0),
                .softcap = ir_attr_float(b->node, "softcap", 0),
                .left = ir_attr_int(b->node, "left_window", -1) + 1,
                .causal = true};
    a.bias = bias_of(b, &p, a.q, a.k);
    if (!b->status)
        body_set(b, 0, as_output(b, paged_unpad(b, &p, attend_run(b, &a)), v, 2));
}

// clang-format off
static const op_def paged_op = {
    .domain = "heed", .name = "PagedAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "Q:T, K:T, V:T, key_pages:C, value_pages:C, starts:I, past:I, table:I, sinks:T?, "
                 "key_scales:S?, value_scales:S?, bias:B? "
                 "-> Y:T, key_pages_out:C?, value_pages_out:C?, key_scales_out:S?, value_scales_out:S?",
    .types = "T=float C=float|int8 I=int32|int64 S=float B=float",
    .attrs = "scale:float=0 softcap:float=0 left_window:int=-1 bias_by:string=distance q_layout:string=bhsd "
             "k_layout:string=bhsd v_layout:string=bhsd y_layout:string=bhsd",
    .infer = infer_paged, .decompose = decompose_paged};

const op_def *const ops_paged_attention[] = {&paged_op, NULL};
// clang-format on
