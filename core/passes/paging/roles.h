/* roles.h - what the inputs and outputs of a decoder are, told by what happens to them.
 *
 * Before anything is inferred (but for the axis of the tokens: tokens_axis.c), and never by a name:
 * - past: reaches a Concat along one of its open axes, in front, through what moves elements; or an
 *   operator's input of that meaning; or comes out again with the sequence's new tokens in it
 *   (caches.h);
 * - tokens: integers that look up a constant table whose rows are summed to the hidden state; of
 *   several such inputs that which the result tells (tokens.c). Where nothing tells, there is no
 *   main input, and errors say which two are meant;
 * - positions: what is summed to it beside them; what becomes angles (a sine, an operator that
 *   turns, a table whose rows are factors of what is computed); what is compared in order with
 *   itself or with 0, 1, 2, ...; and what says which places of a cache are written;
 * - a mask: integers or booleans that reach a Softmax without passing a product or such a table,
 *   and floats that hide or show (polarity.c), or are added to scores as they are;
 * - a switch: a boolean that decides an If;
 * - lengths: what operators with a cache are told of it. */
#ifndef HEED_PASSES_PAGING_ROLES_H
#define HEED_PASSES_PAGING_ROLES_H

#include "passes/paging/paging.h"

typedef struct decoder_roles {
    const ir_model *model;
    const ir_graph *g; /* the main graph */
    arena *memory;
    uint32_t n;
    int *role;     /* PAGING_*, by input */
    int64_t *rows; /* of the table that an input looks up, 0: none */
    const ir_value **table;
    const ir_node **lookup; /* the node that reads it */
    int32_t *axis;          /* the axis of a past's tokens; -1 */
    bool *added;            /* a mask of floats is added to scores: 0 is "visible" */
    bool *hides;            /* a mask: true, or 1, is "hidden" */
    bool *writes;           /* positions say which places of a cache are written */
    bool *ordered;          /* integers that are compared with places */
    bool *reaches;          /* what it looks up becomes rows of the first result */
    uint32_t main;       /* the input that has the tokens, or their embeddings; UINT32_MAX: none */
    int32_t tokens_axis; /* of the main input: 1, or 0 where it has no other or [tokens, batch] */
    uint32_t unclear[2]; /* two that could have them alike, and nothing tells which; UINT32_MAX */
} decoder_roles;

/* HEED_NOMEM alone. */
heed_status roles_find(const ir_model *m, arena *memory, decoder_roles *out);

/* A value that some run must be given. */
static inline bool roles_is_given(const ir_value *v) { return v->is_input && !v->constant; }
/* Why there is no main input: HEED_UNSUPPORTED. */
heed_status roles_fail(const decoder_roles *r);
/* How many sequences an input may have; 1 where that is no axis. */
ir_dim roles_batch(const decoder_roles *r);
/* The extents of the tokens and of the sequences in the main input; the latter may be no axis. */
ir_dim roles_tokens(const decoder_roles *r);
int32_t roles_batch_axis(const decoder_roles *r);
/* The axis of the tokens in an input that may be the main one, as far as inputs alone tell. */
int32_t roles_tokens_axis(const decoder_roles *r, const ir_type *type);
/* Input i has them first, as the main one has: [tokens, batch, ...]. */
bool roles_tokens_first(const decoder_roles *r, uint32_t i);
/* A mask has a row for each query: the last axis but one. */
bool roles_has_queries(const decoder_roles *r, uint32_t i);

/* ---- Where an input leads: search.c ----------------------------------------------------------
 */

enum {
    SEES_TABLE = 1 << 0,   /* indices of a constant table, whose rows are summed */
    SEES_ANGLE = 1 << 1,   /* a sine or cosine; an operator that turns by angles; indices of a table
                              whose rows turn what is computed from others */
    SEES_SOFTMAX = 1 << 2, /* through sums and comparisons alone */
    SEES_BRANCH = 1 << 3,  /* decides an If */
    SEES_PLACE = 1 << 4,   /* says where a cache is written */
    SEES_START = 1 << 5,   /* an operator's number of tokens before */
    SEES_TOTAL = 1 << 6,   /* an operator's number of tokens with the new ones */
    SEES_LAST = 1 << 7,    /* one less than that */
    SEES_SCORES = 1 << 8,  /* is added to what a Softmax gets, as it is */
    SEES_HIDES = 1 << 9,   /* where it is true, scores become a number far below all others */
    SEES_SHOWS = 1 << 11,  /* where it is not */
    SEES_ORDER = 1 << 10,  /* is compared in order with itself, or with 0, 1, 2, ... */
};

typedef struct roles_search {
    unsigned found;
    const ir_value *table; /* the first whose rows are summed */
    const ir_node *lookup; /* that reads it */
    int64_t rows;          /* of it */
    int64_t turn_rows;     /* of a table of angles; 0: none */
} roles_search;

/* `updates`: nodes that write a cache, or NULL. */
heed_status roles_search_from(const decoder_roles *r, const ir_value *v,
                              const ir_node *const *updates, uint32_t n_updates, roles_search *out);

/* polarity.c: which of SEES_HIDES and SEES_SHOWS a mask is seen to do. */
heed_status polarity_find(const decoder_roles *r, const ir_value *mask, unsigned *found);

/* The constant table of which the input of a node picks rows; or NULL. */
const ir_value *roles_table_of(const ir_use *use);
/* The input of an operator that turns by angles, where it takes their sines or cosines. */
bool roles_is_angles_slot(const ir_use *use);

/* ---- What becomes of rows: rows.c ------------------------------------------------------------
 */

enum {
    ROWS_SUM = 1 << 0,  /* the hidden state, or a part of a sum that is one */
    ROWS_TURN = 1 << 1, /* factors of what is computed from other rows: sines and cosines */
};

/* Of those that a node looks up. */
heed_status rows_become(const decoder_roles *r, const ir_node *lookup, unsigned *out);
/* Rows of both get into one value before rows of different tokens meet: they are summed. */
heed_status rows_meet(const decoder_roles *r, const ir_node *a, const ir_node *b, bool *out);
/* Do rows become rows of the first result, by other ways than attention? */
heed_status rows_reach_result(const decoder_roles *r, const ir_node *lookup, bool *out);

/* ---- Who has the tokens: tokens.c ------------------------------------------------------------
 */

/* Of the inputs that look up a table of summed rows (PAGING_KEPT): the main one, and what the
 * others are. */
heed_status tokens_find(decoder_roles *r);
/* The result has a row for each token of this input: it says so by the name of an extent. */
bool tokens_in_result(const decoder_roles *r, uint32_t i);

/* tokens_axis.c: sets the axis of the tokens in the main input. HEED_NOMEM alone. */
heed_status tokens_axis_find(decoder_roles *r);

/* ---- The past: growth.c ----------------------------------------------------------------------
 */

/* The operator calls this input a past, and does without. */
bool growth_is_past_slot(const ir_use *use);
/* The axis of a float input that a Concat grows, or an operator that has a past; -1: there is
 * none. */
int32_t growth_axis(const ir_value *v);
/* Name of input or output `slot` in an operator's signature; its length is 0 where there is none.
 */
const char *growth_slot_name(const struct op_def *op, bool output, uint32_t slot, size_t *length);
/* The input of this name in an operator's signature; UINT32_MAX: there is none. */
uint32_t growth_slot_find(const struct op_def *op, const char *wanted);

#endif
