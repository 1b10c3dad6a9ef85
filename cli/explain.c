/* explain.c - see explain.h. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

static explain_count *count_of(explain_count **list, size_t *n, const char *name, size_t length)
{
    for (size_t i = 0; i < *n; i++)
        if (!strncmp((*list)[i].name, name, length) && !(*list)[i].name[length])
            return &(*list)[i];
    *list = cli_grow(*list, *n + 1, sizeof **list);
    explain_count *added = &(*list)[(*n)++];
    *added = (explain_count){.name = cli_format("%.*s", (int)length, name)};
    return added;
}

static bool has_count(const explain_count *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return true;
    return false;
}

static void read_sites(explain_facts *f)
{
    size_t n = heed_session_get_site_count(f->session);
    f->sites = cli_alloc(n ? n : 1, sizeof *f->sites);
    for (size_t i = 0; i < n; i++) {
        f->sites[f->n_sites].size = sizeof *f->sites;
        f->n_sites += !heed_session_get_site(f->session, i, &f->sites[f->n_sites]);
    }
}

/* Nothing is told of caches that could not be looked for: the rest is still of use. */
static void read_caches(explain_facts *f)
{
    size_t n = 0;
    if (heed_session_find_caches(f->session, &n))
        return;
    f->caches = cli_alloc(n ? n : 1, sizeof *f->caches);
    for (size_t i = 0; i < n; i++) {
        f->caches[f->n_caches].size = sizeof *f->caches;
        f->n_caches += !heed_session_get_cache(f->session, i, &f->caches[f->n_caches]);
    }
}

static bool is_site_operator(const explain_facts *f, const char *op)
{
    for (size_t i = 0; i < f->n_sites; i++)
        if (f->sites[i].flags & HEED_SITE_FUSED && !strcmp(f->sites[i].op, op))
            return true;
    return false;
}

/* By pass, zeros too; then operators of the domain "heed" that no pass accounts for. Attention is
 * told by its sites. */
static void read_fusions(explain_facts *f)
{
    size_t told = heed_session_get_fusion_count(f->session);
    for (size_t i = 0; i < told; i++) {
        heed_fusion fusion = {.size = sizeof fusion};
        if (!heed_session_get_fusion(f->session, i, &fusion))
            count_of(&f->fusions, &f->n_fusions, fusion.name, strlen(fusion.name))->n +=
                fusion.count;
    }
    size_t by_pass = f->n_fusions;
    size_t n = heed_session_get_placement_count(f->session);
    for (size_t i = 0; i < n; i++) {
        heed_placement place = {.size = sizeof place};
        if (heed_session_get_placement(f->session, i, &place) || strcmp(place.domain, "heed") ||
            is_site_operator(f, place.op))
            continue;
        if (!has_count(f->fusions, by_pass, place.op))
            count_of(&f->fusions, &f->n_fusions, place.op, strlen(place.op))->n++;
    }
}

/* Lines such as "fold: 12". */
static void read_passes(explain_facts *f)
{
    const char *line;
    for (size_t i = 0; (line = heed_session_get_pass_report(f->session, i)); i++) {
        size_t length = strcspn(line, ":");
        if (line[length])
            count_of(&f->passes, &f->n_passes, line, length)->n +=
                strtoul(line + length + 1, NULL, 10);
    }
}

void explain_read(explain_facts *out, const char *path, heed_session *session)
{
    heed_session_stats stats = {.size = sizeof stats};
    heed_session_get_stats(session, &stats);
    *out = (explain_facts){.path = path,
                           .session = session,
                           .nodes_before = stats.nodes_imported,
                           .nodes_after = stats.nodes};
    read_sites(out);
    read_caches(out);
    read_fusions(out);
    read_passes(out);
}

static void free_counts(explain_count *counts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(counts[i].name);
    free(counts);
}

void explain_free(explain_facts *f)
{
    free_counts(f->fusions, f->n_fusions);
    free_counts(f->passes, f->n_passes);
    free(f->sites);
    free(f->caches);
}

/* ---- Sites ---------------------------------------------------------------------------------- */

bool explain_is_attention(const heed_site *s) { return s->flags & HEED_SITE_ATTENTION; }
bool explain_is_fused(const heed_site *s) { return s->flags & HEED_SITE_FUSED; }

size_t explain_count_sites(const explain_facts *f, bool (*has)(const heed_site *s))
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_sites; i++)
        n += has(&f->sites[i]);
    return n;
}
