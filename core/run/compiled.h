/* compiled.h - a graph that was optimised, placed, and prepared: what a session runs.
 *
 * Passes trust the names of dims: two inputs with a dim "seq" agree in it. Where a caller's inputs
 * do not (exporters give such names by hand), the session compiles a second form in which every
 * symbolic dim of an input is a symbol of its own. */
#ifndef HEED_RUN_COMPILED_H
#define HEED_RUN_COMPILED_H

#include "passes/pass.h"
#include "run/execute.h"
#include "run/model.h"
#include "run/sites.h"

typedef struct compiled {
    ir_model *ir;
    place_table *places;
    program **programs; /* [0] is the main graph */
    uint32_t n_programs;
    plan_store *store;
    const char *const *report;
    size_t n_report;
    site_list sites;
    heed_fusion *fusions; /* in memory of the ir */
    size_t n_fusions;
    uint64_t passes_ns, prepare_ns;
} compiled;

typedef struct compile_options {
    const char *backends;
    const char *attention; /* NULL: auto */
    const char *without;   /* NULL: no pass is left out */
    uint64_t plan_limit;
    bool optimize, check, named_dims, no_dropout;
    pass_paging *paging; /* the form with pages, about which this says all; NULL: as it is */
} compile_options;

heed_status compiled_new(const heed_model *m, const compile_options *options, compiled **out);
void compiled_free(compiled *c);

/* Do these inputs agree with the graph's symbols? In the order of the graph's inputs. */
bool compiled_agrees(const compiled *c, const heed_tensor *const *in);

#endif
