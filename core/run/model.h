/* model.h - a loaded model: the mapped files, the graph as imported, and facts about it. Immutable
 * once loaded, so any number of sessions and threads may read it. */
#ifndef HEED_RUN_MODEL_H
#define HEED_RUN_MODEL_H

#include <stdatomic.h>

#include "base/file.h"
#include "graph/builder.h"

typedef struct model_file {
    struct model_file *next;
    const char *location;
    file_map map;
} model_file;

struct heed_model {
    atomic_uint references;
    atomic_bool warned; /* model_warn was called */
    file_map file;      /* of load; empty for load_memory */
    file_folder folder; /* where external data may lie */
    model_file *files;  /* external data, mapped once each */
    ir_model *ir;
    const ir_fact *facts;
    size_t n_facts;
    heed_value_info *inputs, *outputs;
    heed_op_count *ops;
    size_t n_ops;
    heed_weight_count *weights;
    size_t n_weights;
    uint64_t load_ns;
    arena memory;
};

/* The tables of heed_model_get_*: model_facts.c. */
heed_status model_describe(heed_model *m);
/* Tells the log, once a model, what its file hardly means and these options leave as it is. */
void model_warn(heed_model *m, bool no_dropout);

#endif
