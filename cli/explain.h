/* explain.h - everything that `heed explain` tells, read from a session at once. */
#ifndef HEED_CLI_EXPLAIN_H
#define HEED_CLI_EXPLAIN_H

#include "cli.h"
#include "json.h"

typedef struct explain_count {
    char *name;
    size_t n;
} explain_count;

typedef struct explain_facts {
    const char *path;
    heed_session *session;
    size_t nodes_before, nodes_after;
    heed_site *sites;
    heed_cache *caches;
    explain_count *fusions, *passes; /* by name, zeros too; rewrites of each pass */
    size_t n_sites, n_caches, n_fusions, n_passes;
} explain_facts;

void explain_read(explain_facts *out, const char *path, heed_session *session);
void explain_free(explain_facts *facts);

bool explain_is_attention(const heed_site *site);
bool explain_is_fused(const heed_site *site);
size_t explain_count_sites(const explain_facts *facts, bool (*has)(const heed_site *site));

/* What a feature of a site means, in a few words; NULL for a name that has no row. */
const char *explain_meaning(const char *feature);

/* What a form of a cache means; "" for a name that has no row. */
const char *explain_form_meaning(const char *form);
void explain_print_caches(const explain_facts *facts);

/* The members of the object that `--json` prints. */
void explain_write_members(json_out *out, const explain_facts *facts);
/* One self-contained HTML file: the graph before and after, sites coloured. An exit code. */
int explain_write_page(const explain_facts *facts, const char *path);

#endif
