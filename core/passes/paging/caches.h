/* caches.h - which inputs of a decoder come out again, grown or written: its cache, in whatever
 * form the file has it. Before anything is inferred; never by a name. */
#ifndef HEED_PASSES_PAGING_CACHES_H
#define HEED_PASSES_PAGING_CACHES_H

#include "passes/paging/roles.h"

enum {
    CACHE_CONCAT,         /* comes out longer: Concat, the standard's Attention with a past */
    CACHE_BUFFER,         /* comes out longer, by an operator of com.microsoft */
    CACHE_STATIC,         /* places of it are written: scatters, Where */
    CACHE_TENSOR_SCATTER, /* places of it are written, by TensorScatter */
    CACHE_STATE,          /* says nothing of its length: convolutions, recurrences */
    CACHE_ROLLING,        /* keys or values of the newest tokens, which push the oldest out */
    CACHE_CROSS,          /* an encoder's keys or values: the same in each step */
};
#define CACHE_NONE UINT32_MAX

typedef struct cache_pair {
    uint32_t input;  /* of the main graph */
    uint32_t output; /* CACHE_NONE: it is only given */
    int form;
    int32_t axis;          /* of the tokens, in the input; -1: there is none, or it is not known */
    bool branch;           /* the file has a form without it, in a branch */
    const ir_node *update; /* what grows or writes it; NULL: nothing */
} cache_pair;

typedef struct cache_map {
    cache_pair *pairs; /* in the order of the inputs */
    uint32_t n;
    uint32_t result;  /* the first output that is none of them */
    bool cached_when; /* of the switch: which truth means "with a past" */
    const char *form; /* of all: "concat", "buffer", "static", "tensor_scatter", "state",
                         "rolling",
                         "merged", or "none" */
} cache_map;

/* roles_find went before, and found a main input; what is learned of roles is added. */
heed_status caches_find(decoder_roles *r, cache_map *out);
const char *cache_form_name(int form);

/* convolutions.c: the state of a convolution, its newest inputs. */
bool cache_is_newest_inputs(const ir_graph *g, const cache_pair *pair);

#endif
