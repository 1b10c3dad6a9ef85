/* select.c - pass: heed.Attention becomes the operator that computes it.
 *
 * before: y = heed.Attention(q, k, v)      after: y = heed.FlashAttention(q, k, v)
 *
 * The user's mode names one, or leaves it to us: then the first that a backend has a kernel for:
 * Flash keeps no scores, so where somebody reads them it is the next one that computes them. What
 * nobody has a kernel for is decomposed afterwards (lower.c), which is the way without any mode. */
#include <string.h>

#include "passes/pass.h"

static const struct {
    const char *mode, *op;
    bool automatic;
} rows[] = {
    {"flash", "FlashAttention", true},
    {"gqa", "GroupedQueryAttention", true},
    {"mha", "MultiHeadAttention", false},
};

static bool wanted(const pass_options *o, size_t i)
{
    bool automatic = !o->attention || strcmp(o->attention, "auto") == 0;
    return automatic ? rows[i].automatic : strcmp(o->attention, rows[i].mode) == 0;
}

/* Scores that nobody reads are not asked for: most kernels do not keep them. */
static void drop_unread(ir_node *n)
{
    for (uint32_t o = 1; o < n->n_out; o++)
        if (n->out[o] && !ir_value_used(n->out[o]))
            n->out[o] = NULL;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    const op_def *general = n->op;
    bool taken = false;
    if (strcmp(general->domain, "heed") != 0 || strcmp(general->name, "Attention") != 0)
        return HEED_OK;
    drop_unread(n);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && !taken; i++) {
        if (!wanted(p->options, i))
            continue;
        n->op = op_find("heed", rows[i].op);
        TRY(pass_taken(p, n, &taken));
    }
    if (taken)
        p->rewrites++;
    else
        n->op = general;
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_select = {
    .name = "select",
    .purpose = "heed.Attention becomes the operator that computes it",
    .order = 65,
    .run = run,
};
