/* sites.h - what a session remembers of each softmax: the verdicts of recognition, and after
 * placement who computes what was fused. */
#ifndef HEED_RUN_SITES_H
#define HEED_RUN_SITES_H

#include "heed/heed.h"
#include "passes/pass.h"
#include "plan/place.h"

typedef struct site_record {
    heed_site told;
    const ir_node *made; /* the fused node; it may be gone since */
} site_record;

typedef struct site_list {
    arena memory;
    site_record *items;
    size_t n, capacity;
} site_list;

/* For pass_options.verdict: copies what the verdict says. */
heed_status sites_add(site_list *list, const pass_verdict *v);
/* Fills in operators and backends. */
void sites_place(site_list *list, const place_table *places);
void sites_free(site_list *list);

#endif
