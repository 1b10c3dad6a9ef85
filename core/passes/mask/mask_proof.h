/* mask_proof.h - what was proved of the masks of one attention, before it is written down. */
#ifndef HEED_PASSES_MASK_PROOF_H
#define HEED_PASSES_MASK_PROOF_H

#include "passes/mask/mask.h"

enum {
    MASK_Q,
    MASK_K,
    MASK_V,
    MASK_BIAS,
    MASK_LENGTHS,
    MASK_OFFSETS,
    MASK_SINKS,
    MASK_SEEN,
    MASK_FACTOR,
    MASK_INPUTS,
};

/* A bound on the keys by position: an atom that every visible place has as true, or as false. */
typedef struct mask_bound {
    bool found;
    uint32_t atom;
    ir_dim at; /* key <= query + at, key >= query + at, key < at */
} mask_bound;

typedef struct mask_proof {
    mask *m;
    const ir_node *n;
    ir_value *bias_in, *seen_in, *factor_in; /* inputs of the node */
    bool adds;                               /* a float bias */
    bool masks;                              /* a mask that is true and false */
    bool factors;                            /* scores are multiplied by what is read */
    mask_form bias, seen, factor;
    bool possible[MASK_CASES]; /* cases that can occur */
    bool visible[MASK_CASES];
    uint16_t rest[MASK_CASES]; /* what is added where the key is visible; MASK_NONE: nothing */
    bool absorbed;             /* the bias hides keys by itself, by adding the fill */
    bool sums;                 /* hidden keys get the fill together with what is added */
    bool zeroed;               /* ... and the factor makes 0 of their scores, and does no more */
    double fill;
    mask_bound right, left, length;
    uint32_t taken, taken_as; /* atoms that bounds have spoken of, as bits, and how */
    bool keeps;               /* what bounds leave over stays as it is in the graph */
    bool relative;            /* the bias goes by distance */
} mask_proof;

/* Reads tables of all cases; false: nothing is known. */
bool mask_read(mask_proof *p);
/* Which bounds every visible place obeys. */
void mask_find_bounds(mask_proof *p);
/* key - query + constant */
bool mask_is_diagonal(const mask_proof *p, const mask_affine *a);
/* A window to both sides of the query: query + left <= key <= query + right. */
bool mask_is_two_sided(const mask_proof *p, int64_t *left, int64_t *right);
/* mask_sum.c: bounds beyond which a fill is added to what is added anyway. */
bool mask_find_sum(mask_proof *p);
/* ... and a fill that hides by being added, but absorbs nothing, beside no other bias. */
bool mask_find_pair(mask_proof *p);
/* mask_factor.c: the factor is 0 where the fill is added, and 1 elsewhere. */
bool mask_factor_is_fill(const mask_proof *p);
/* Cases that obey the bounds. */
static inline bool mask_obeys(const mask_proof *p, uint32_t c)
{
    return p->possible[c] && (c & p->taken) == p->taken_as;
}

/* mask_rest.c: what the bounds leave over. */
bool mask_rest_needed(const mask_proof *p);      /* some place within the bounds is hidden */
unsigned mask_rest_depends(const mask_proof *p); /* on which axes, as bits */
unsigned mask_bias_depends(const mask_proof *p);
bool mask_bias_needed(const mask_proof *p);
ir_value *mask_emit_rest(const mask_proof *p, mask_emission *e);
ir_value *mask_emit_bias(const mask_proof *p, mask_emission *e, heed_dtype dtype);

/* It is a function of the head, and of how far the key is from the query. */
bool mask_bias_relative(const mask_proof *p);
/* Calls visit for what is added to scores of visible keys, case by case, while it gives true. */
bool mask_each_bias(const mask_proof *p, bool (*visit)(const mask_proof *p, void *self, uint16_t l),
                    void *self);

/* mask_text.c: the proof in words. */
const char *mask_proof_text(const mask_proof *p);
/* mask_kinds.c: names of what it is, "alibi,padding"; of a proof that could not be read, what is
 * seen of the tensors. */
const char *mask_proof_kinds(const mask_proof *p, bool read);
/* mask_tables.c: the same of a tensor that is no function of positions, as far as one can tell. */
const char *mask_table_kind(const ir_value *v);

#endif
