/* rotary_tables.c - pass: the standard's RotaryEmbedding picks the rows of its tables first, by
 * nodes that all layers share, and turns with heed.RotaryEmbedding, which backends compute.
 *
 * before: y = RotaryEmbedding(x, cos, sin, ids)
 * after:  y = heed.RotaryEmbedding(x, Unsqueeze(Gather(cos, ids)), Unsqueeze(Gather(sin, ids)))
 *
 * Before cleaning, which merges what queries, keys and layers pick alike. */
#include <string.h>

#include "ops/body.h"
#include "passes/pass.h"

enum { X, COS, SIN, IDS };

typedef struct geometry {
    bool flat;           /* [batch, length, heads * size], not [batch, heads, length, size] */
    int64_t heads, size; /* channels of a head */
    int64_t turned;      /* channels that turn */
} geometry;

/* Channels of a head of a flat input; -1 when the node does not say. */
static int64_t head_size(const ir_node *n, int64_t channels, int64_t turned)
{
    int64_t heads = ir_attr_int(n, "num_heads", 0);
    if (heads > 0)
        return channels % heads == 0 ? channels / heads : -1;
    return ir_attr_int(n, "rotary_embedding_dim", 0) > 0 ? -1 : turned;
}

static bool measure(const op_body *b, geometry *g)
{
    const ir_value *x = body_in(b, X), *table = body_in(b, COS);
    int64_t half = body_extent(b, table, -1), channels = body_extent(b, x, -1);
    int64_t said = ir_attr_int(b->node, "rotary_embedding_dim", 0);
    if (half <= 0 || channels <= 0 || (x->type.rank != 3 && x->type.rank != 4) ||
        table->type.rank != (body_in(b, IDS) ? 2 : 3))
        return false;
    g->flat = x->type.rank == 3;
    g->turned = 2 * half;
    g->size = g->flat ? head_size(b->node, channels, g->turned) : channels;
    if (g->size <= 0 || channels % g->size != 0 || (said > 0 ? said : g->size) != g->turned)
        return false;
    g->heads = channels / g->size;
    return g->turned <= g->size && body_extent(b, body_in(b, SIN), -1) == half;
}

/* Rows for each position, with an axis for the heads. */
static ir_value *rows_of(op_body *b, const geometry *g, uint32_t table)
{
    ir_value *rows = body_in(b, table), *at = body_in(b, IDS);
    if (at)
        rows = body_2(b, rows, at, "Gather axis=0");
    return body_unsqueeze(b, rows, g->flat ? "2" : "1");
}

static heed_status visit(pass_run *p, ir_node *n)
{
    geometry g = {0};
    bool taken = false;
    if (!pass_is(n, "RotaryEmbedding"))
        return HEED_OK;
    TRY(pass_taken(p, n, &taken));
    op_body b = pass_body(p, n);
    if (taken || !measure(&b, &g))
        return HEED_OK;
    ir_value *x = body_in(&b, X);
    if (g.flat)
        x = body_reshape(&b, x, "0,0,%lld,%lld", (long long)g.heads, (long long)g.size);
    ir_value *cosines = rows_of(&b, &g, COS), *sines = rows_of(&b, &g, SIN);
    ir_value *y = body_3(
        &b, x, cosines, sines, "heed.RotaryEmbedding interleaved=%d rotary_dim=%lld",
        ir_attr_int(n, "interleaved", 0) != 0, (long long)(g.turned == g.size ? 0 : g.turned));
    if (!b.status)
        TRY(pass_taken(p, b.last, &taken));
    if (g.flat)
        y = body_reshape(&b, y, "0,0,%lld", (long long)(g.heads * g.size));
    if (b.status == HEED_NOMEM)
        return b.status;
    if (!b.status && taken)
        return pass_bypass(p, n, y);
    pass_undo(&b); /* what does not fit is told by the node itself when it runs */
    err_clear();
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_rotary_tables = {
    .name = "rotary-tables",
    .purpose = "the standard's rotary embedding picks the rows of its tables first",
    .order = 71,
    .run = run,
};
