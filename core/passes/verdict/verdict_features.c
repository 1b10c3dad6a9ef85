/* verdict_features.c - what a fused attention shows: one row for each thing that a report names.
 *
 * Everything is read from the node itself: what the walks proved of a mask stands there as an
 * attribute or an input, so a proof that is new needs a row only when it has a new name. */
#include <math.h>
#include <string.h>

#include "passes/verdict/verdict.h"

/* Inputs of heed.Attention, in its order. */
enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, MASK, FACTOR };

/* heed.AdditiveAttention has the mask at another place, and no more of them. */
static bool additive(const ir_node *n) { return strcmp(n->op->name, "AdditiveAttention") == 0; }

static const ir_value *find_input(const ir_node *n, uint32_t i)
{
    enum { ADDITIVE_BIAS = 4, ADDITIVE_MASK };
    if (!additive(n) || i <= V)
        return ir_input(n, i);
    return i == BIAS ? ir_input(n, ADDITIVE_BIAS) : i == MASK ? ir_input(n, ADDITIVE_MASK) : NULL;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

/* One key and value head for all queries (Shazeer 2019). */
static bool multi_query(const pass_verdict *v)
{
    return v->k_heads == 1 && v->v_heads == 1 && v->q_heads > 1;
}

/* Some queries share a key and value head (Ainslie 2023). */
static bool grouped_query(const pass_verdict *v)
{
    return v->k_heads > 1 && v->k_heads == v->v_heads && v->q_heads > v->k_heads;
}

/* Keys are shared otherwise than values (Cordonnier 2020). */
static bool other_heads(const pass_verdict *v)
{
    return v->k_heads > 0 && v->v_heads > 0 && v->k_heads != v->v_heads;
}

static bool other_channels(const pass_verdict *v)
{
    return v->head_dim > 0 && v->v_head_dim > 0 && v->head_dim != v->v_head_dim;
}

/* Channels attend to each other, summing over positions (El-Nouby 2021). */
static bool over_channels(const pass_verdict *v) { return v->over_channels; }

static const struct {
    const char *name;
    bool (*has)(const pass_verdict *v);
} head_rows[] = {
    {"mqa", multi_query},
    {"gqa", grouped_query},
    {"k-v-heads-differ", other_heads},
    {"v-head-dim-differs", other_channels},
    {"over-channels", over_channels},
};

/* ---- Masks, and what else is done to scores -------------------------------------------------- */

static bool is_listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    const char *at = strstr(list, name);
    return at && (at == list || at[-1] == ',') && (at[n] == 0 || at[n] == ',');
}

/* Proved of a mask, whether it became a bound or stayed a tensor. */
static bool is_proved(const ir_node *n, const char *kind)
{
    return is_listed(ir_attr_string(n, "mask_kinds", ""), kind);
}

static bool causal(const ir_node *n)
{
    return ir_attr_int(n, "causal", 0) || is_proved(n, "causal");
}

static bool window(const ir_node *n)
{
    return ir_attr_int(n, "left_window", -1) >= 0 || ir_attr_int(n, "right_window", -1) >= 0 ||
           is_proved(n, "window");
}

/* A tensor over sequences and keys, or keys alone, that is no constant. */
static bool is_of_keys(const ir_value *v)
{
    if (!v || v->type.rank < 1 || (v->constant && !v->is_input))
        return false;
    for (int32_t i = 0; i + 1 < v->type.rank; i++)
        if (v->type.dims[i] != 1 && (v->type.rank != 4 || i != 0))
            return false;
    return true;
}

static bool relative(const ir_node *n) { return ir_attr_int(n, "relative", 0) != 0; }

/* Keys are hidden by sequence: by a length, a mask or a bias. */
static bool padding(const ir_node *n)
{
    if (relative(n))
        return find_input(n, LENGTHS) || is_of_keys(find_input(n, MASK));
    return find_input(n, LENGTHS) || is_of_keys(find_input(n, BIAS)) ||
           is_of_keys(find_input(n, MASK));
}
static bool offset(const ir_node *n) { return find_input(n, OFFSETS) != NULL; }
static bool sinks(const ir_node *n) { return find_input(n, SINKS) != NULL; }

static bool bias(const ir_node *n)
{
    const ir_value *v = find_input(n, BIAS);
    return v && dtype_is_float(v->type.dtype);
}

/* True and false for each score; proved to be nothing simpler. */
static bool mask(const ir_node *n)
{
    const ir_value *v = find_input(n, BIAS);
    return find_input(n, MASK) || (v && !dtype_is_float(v->type.dtype));
}

static bool softcap(const ir_node *n) { return ir_attr_float(n, "softcap", 0) > 0; }

static bool bounded(const ir_node *n)
{
    double most = ir_attr_float(n, "scores_max", (double)INFINITY);
    return most < (double)INFINITY ||
           ir_attr_float(n, "scores_min", -(double)INFINITY) > -(double)INFINITY;
}

/* Scores are multiplied with a tensor. */
static bool factor(const ir_node *n) { return find_input(n, FACTOR) != NULL; }

/* Weights that are not numbers are made 0. */
static bool guard(const ir_node *n)
{
    return strcmp(ir_attr_string(n, "empty", "zero"), "guard") == 0;
}

static bool upcast(const ir_node *n) { return ir_attr_int(n, "softmax_precision", 0) != 0; }

/* Scores or weights are a result of their own. */
static bool scores(const ir_node *n)
{
    const ir_value *v = ir_output(n, 1);
    return v && ir_value_used(v);
}

static const struct {
    const char *name;
    bool (*has)(const ir_node *n);
} rows[] = {
    {"additive", additive}, {"causal", causal},
    {"window", window},     {"padding", padding},
    {"offset", offset},     {"bias", bias},
    {"mask", mask},         {"sinks", sinks},
    {"softcap", softcap},   {"bounded", bounded},
    {"factor", factor},     {"guard", guard},
    {"upcast", upcast},     {"weights-are-read", scores},
};

/* What a proof left as it was is said by the node itself. */
const char *verdict_mask(const ir_node *made)
{
    const char *proof = ir_attr_string(made, "proof", "");
    if (*proof || (!find_input(made, BIAS) && !find_input(made, MASK)))
        return *proof ? proof : causal(made) ? "causal, as the operator says" : "";
    if (padding(made))
        return "a mask for each sequence and key, as the graph has it";
    return mask(made) ? "a mask as the graph has it" : "a bias as the graph has it";
}

/* Names that the proof of a mask found, "alibi,lengths"; the constants that they are. */
static const char *const kinds[] = {
    "alibi",      "block-diagonal", "constant-bias", "constant-mask", "input-bias",
    "input-mask", "left-padding",   "lengths",       "prefix-lm",     "relative-position-bias",
};

uint32_t verdict_features(const pass_verdict *v, const char *out[VERDICT_FEATURES])
{
    enum {
        ROWS = sizeof(rows) / sizeof(*rows),
        HEAD_ROWS = sizeof(head_rows) / sizeof(*head_rows)
    };
    uint32_t n = 0;
    _Static_assert(ROWS + HEAD_ROWS <= VERDICT_FEATURES, "room for all of them");
    for (size_t i = 0; i < HEAD_ROWS; i++)
        if (head_rows[i].has(v))
            out[n++] = head_rows[i].name;
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].has(v->made))
            out[n++] = rows[i].name;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && n < VERDICT_FEATURES; i++)
        if (is_proved(v->made, kinds[i]))
            out[n++] = kinds[i];
    return n;
}
