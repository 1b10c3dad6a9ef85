/* mask_text.c - the proof of a mask in words, for reports: "causal (key <= query + past)". */
#include <stdio.h>
#include <string.h>

#include "passes/mask/mask_proof.h"

enum { TEXT = 512 };

/* "query + past", "query", "query - 3". */
static const char *beside_query(const mask_proof *p, ir_dim at, char *text, size_t size)
{
    char dim[200];
    int64_t x;
    if (dims_value(p->m->dims, at, &x) && x == 0)
        snprintf(text, size, "query");
    else if (dims_value(p->m->dims, at, &x) && x < 0)
        snprintf(text, size, "query - %lld", (long long)-x);
    else
        snprintf(text, size, "query + %s", dims_text(p->m->dims, at, dim, sizeof(dim)));
    return text;
}

static void join(char *text, const char *piece, const char *by)
{
    size_t n = strlen(text);
    snprintf(text + n, TEXT - n, "%s%s", n ? by : "", piece);
}

static void put(char *text, const char *piece) { join(text, piece, "; "); }

/* What stays: "mask for each sequence and key" of [B, 1, 1, T]. */
static void put_rest(char *text, const char *what, unsigned bits)
{
    static const char *const names[] = {"sequence", "head", "query"};
    char piece[96];
    int n = snprintf(piece, sizeof(piece), "%s for each", what);
    unsigned left = bits & 7;
    for (int i = 0; i < 3; i++) {
        if (!(bits & 1u << i))
            continue;
        left &= ~(1u << i);
        n += snprintf(piece + n, sizeof(piece) - (size_t)n, " %s%s", names[i], left ? "," : " and");
    }
    snprintf(piece + n, sizeof(piece) - (size_t)n, " key");
    put(text, piece);
}

const char *mask_proof_text(const mask_proof *p)
{
    char text[TEXT] = "", piece[300], at[240];
    int64_t left, right;
    bool both = mask_is_two_sided(p, &left, &right);
    if (p->right.found) {
        snprintf(piece, sizeof(piece), both ? "window: key <= %s" : "causal: key <= %s",
                 beside_query(p, p->right.at, at, sizeof(at)));
        put(text, piece);
    }
    if (p->left.found) {
        snprintf(piece, sizeof(piece), both ? "key >= %s" : "window: key >= %s",
                 beside_query(p, p->left.at, at, sizeof(at)));
        join(text, piece, both ? ", " : "; ");
    }
    if (p->length.found)
        put(text, "padding: key < length of the sequence");
    if (p->keeps)
        put(text, "the mask as the graph has it");
    else if (mask_rest_needed(p))
        put_rest(text, "mask", mask_rest_depends(p));
    if (p->relative)
        put(text, mask_bias_depends(p) & 1u << MASK_H ? "bias by distance, for each head"
                                                      : "bias by distance");
    else if (!p->keeps && mask_bias_needed(p))
        put_rest(text, "bias", mask_bias_depends(p));
    if (!*text)
        put(text, "a mask that hides nothing");
    const char *kept = arena_string(p->m->scratch, text);
    return kept ? kept : "";
}
