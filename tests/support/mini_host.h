/* The smallest host that can drive one backend plugin: loads it with dlopen, owns tensors, and
 * takes one node through accepts, prepare, measure, run and release. For tests and benchmarks of
 * kernels; it shares no code with the runtime's own host. */
#ifndef MINI_HOST_H
#define MINI_HOST_H

#include "heed/plugin.h"

enum { MINI_RANK = 8, MINI_ARGS = 12, MINI_ATTRS = 16 };

/* One node with its operands. */
typedef struct mini_node {
    const char *op;
    uint32_t n_attrs, n_in, n_out;
    heed_attribute attrs[MINI_ATTRS];
    DLTensor *in[MINI_ARGS], *out[MINI_ARGS];
    uint32_t constants; /* bit i: input i is known at load */
} mini_node;

/* Loads NAME.so from the first folder of HEED_PLUGIN_PATH and opens device 0. Returns NULL, or
 * what went wrong. */
const char *mini_open(const char *name, const char *options);
const heed_backend *mini_backend(void);
void mini_threads(unsigned n); /* of later runs; 1 at first */
/* Later runs use this pool instead of threads of their own: for benchmarks of several threads,
 * which also say with mini_threads how many it has. */
typedef void mini_pool(void (*body)(void *arg, uint32_t i), void *arg, uint32_t n);
void mini_use_pool(mini_pool *pool);
const char *mini_message(void); /* of the last failure on this thread */
size_t mini_live_bytes(void);   /* allocated by the plugin and not given back */

/* A zeroed tensor with a byte_offset and a guard behind it; mini_free returns 0 when the guard
 * was overwritten. Large ones lie in huge pages where the system has them, as the runtime's do. */
DLTensor *mini_tensor(heed_dtype dtype, int rank, const int64_t *dims);
int mini_free(DLTensor *tensor);
void *mini_data(const DLTensor *tensor);
size_t mini_count(const DLTensor *tensor);
size_t mini_bytes(const DLTensor *tensor);

void mini_int(mini_node *node, const char *name, int64_t value);
void mini_float(mini_node *node, const char *name, double value);
void mini_string(mini_node *node, const char *name, const char *value);
void mini_ints(mini_node *node, const char *name, const int64_t *values, size_t n);

/* All verbs in order; the first status that is not HEED_OK. */
heed_status mini_run(const mini_node *node);

/* The same in two halves, for benchmarks: prepare once, run often. */
typedef struct mini_ready mini_ready;
mini_ready *mini_prepare(const mini_node *node);
heed_status mini_again(mini_ready *ready);
/* Runs have the workspace of another node of the same shapes, which they do not share in time. */
void mini_borrow(mini_ready *ready, const mini_ready *owner);
void mini_release(mini_ready *ready);

#endif
