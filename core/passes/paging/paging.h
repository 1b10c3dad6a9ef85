/* paging.h - a decoder's graph for many sequences at once, with its cache in pages.
 *
 * A decoder comes with past and present tensors, with none, or with both forms in one. All become
 * one form first (inputs.c): the whole sequence at once, one batch, no past, nothing masked. Then
 * every value is followed (flow.c): a row of it must depend on its own token, on its position, and
 * through causal attention on the tokens before. Where that holds, attention becomes
 * heed.PagedAttention and positions become an input (pages.c): the graph takes any tokens of any
 * sequences, [1, T], and gives what the model gives for each of them.
 *
 * New inputs stand behind those that stay, all with "heed." before their names: rows int64 [R], the
 * tokens whose outputs are wanted; starts int32 [n + 1], past int32 [n], table int32 [n, p]; for
 * each attention key_pages.N and value_pages.N, whose outputs of the same name come last; and where
 * something asks for them positions int64 [T] and reach int64 [1], the most tokens of a sequence.
 *
 * What depends on side inputs alone (keys and values of an encoder's results, or the encoder itself
 * where the file has it) is the same in all steps. It is a graph of its own (split.c), whose
 * outputs side.N are inputs of the steps. */
#ifndef HEED_PASSES_PAGING_H
#define HEED_PASSES_PAGING_H

#include "passes/pass.h"

enum {
    PAGING_KEPT,      /* the graph still reads it: tokens, embeddings; rows along axis 1 */
    PAGING_TOKENS,    /* kept, and the indices of the first table of embeddings */
    PAGING_POSITIONS, /* kept: where each token stands */
    PAGING_MASK,      /* was taken for ones */
    PAGING_PAST,      /* was taken for empty */
    PAGING_SWITCH,    /* chose between a form with and without past: without */
    PAGING_SIDE,      /* the same for all tokens: what an encoder gives */
    PAGING_START,     /* the number of tokens before: was taken for 0 */
    PAGING_TOTAL,     /* the number of all tokens */
    PAGING_LAST,      /* one less than that */
    PAGING_ROLES
};

/* Which of the two graphs. */
enum {
    PAGING_STEPS, /* tokens, pages, and side.N */
    PAGING_ONCE,  /* from side inputs to side.N; without outputs where there are none */
};

typedef struct paging_input {
    const char *name;
    int role;
    int32_t axis; /* of the tokens, of a past that grows; -1 */
} paging_input;

typedef struct paging_layer {
    const char *node; /* the attention that has these pages */
    heed_dtype dtype;
    int64_t heads, key_dim, value_dim;
    int64_t window; /* tokens before its own that a token sees, -1: all */
} paging_layer;

/* What became of it; arrays and names live as long as the graph. */
struct pass_paging {
    int part;             /* asked for: PAGING_STEPS, PAGING_ONCE */
    heed_dtype kv_dtype;  /* asked for: of keys and values in pages; HEED_UNDEFINED: as computed */
    paging_input *inputs; /* of the file, in its order */
    uint32_t n_inputs;
    paging_layer *layers;
    uint32_t n_layers;
    int64_t most;       /* tokens of a sequence that the file says something of; 0: any number */
    uint32_t n_side;    /* heed.side.0 to heed.side.(n - 1) */
    bool positions;     /* there is an input of this name that the file does not have */
    const char *reason; /* why there are no pages; NULL: there are */
    char at[128];       /* the name of the node that stands in the way, or "" */
};

/* No pages, for this reason: HEED_UNSUPPORTED, and the graph is of no use any more. `at` may be
 * NULL. */
heed_status paging_stop(pass_run *p, const char *reason, const ir_node *at);

/* The file says nothing of sequences of more tokens than this. */
void paging_limit(pass_run *p, int64_t most);
/* The extent of the tokens, in the input that has them. */
ir_dim paging_tokens(const pass_run *p);
/* What could be done about it, or "". */
const char *paging_help(const char *reason);

/* What an operator that moves elements does (moves.c). */
enum {
    MOVE_KEEPS = 1 << 0, /* all of them, in other extents, in another order, each maybe often */
    MOVE_CUTS = 1 << 1,
    MOVE_PICKS = 1 << 2, /* by indices */
    MOVE_JOINS = 1 << 3,
    MOVE_REPEATS = 1 << 4,
    MOVE_PADS = 1 << 5,
    MOVE_NEGATES = 1 << 6,
    MOVE_SCALES = 1 << 7,
    MOVE_PACKS = 1 << 8, /* into few bits, and back */
    MOVE_WRITES = 1 << 9,
    /* of those that keep all: */
    MOVE_COPIES = 1 << 10, /* each where it is */
    MOVE_FOLDS = 1 << 11,  /* in their order, in other extents */
};

/* It is one of the operators that do one of these, and no more. */
bool paging_moves(const ir_node *n, unsigned may);

#endif
