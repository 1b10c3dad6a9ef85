/* explain.h - everything that `heed explain` tells, read from a session at once. */
#ifndef HEED_CLI_EXPLAIN_H
#define HEED_CLI_EXPLAIN_H

#include "cli.h"

typedef struct explain_count {
    char *name;
    size_t n;
} explain_count;

typedef struct explain_facts {
    const char *path;
    const heed_session *session;
    size_t nodes_before, nodes_after;
    heed_site *sites;
    explain_count *fusions, *passes; /* by name, zeros too; rewrites of each pass */
    size_t n_sites, n_fusions, n_passes;
} explain_facts;

void explain_read(explain_facts *out, const char *path, const heed_session *session);
void explain_free(explain_facts *facts);

#endif
