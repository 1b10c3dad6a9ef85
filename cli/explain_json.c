/* explain_json.c - what `heed explain` tells, as members of one JSON object: for --json, and for
 * the page of --html. */
#include "explain.h"
#include "print.h"
#include "session.h"

static void json_number(json_out *out, const char *key, int64_t number)
{
    if (number < 0)
        json_null(out, key);
    else
        json_int(out, key, number);
}

static void json_fused(json_out *out, const heed_site *s)
{
    char op[PRINT_SIZE];
    snprintf(op, sizeof op, "%s.%s", s->domain, s->op);
    json_text(out, "operator", op);
    json_bool(out, "decomposed", s->flags & HEED_SITE_DECOMPOSED);
    json_text(out, "backend", s->backend);
    json_number(out, "q_heads", s->q_heads);
    json_number(out, "k_heads", s->k_heads);
    json_number(out, "v_heads", s->v_heads);
    json_number(out, "head_dim", s->head_dim);
    json_number(out, "v_head_dim", s->v_head_dim);
    json_texts(out, "features", s->features, s->n_features);
    json_texts(out, "nodes", s->nodes, s->n_nodes);
    json_text(out, "mask", s->mask);
}

static void json_site(json_out *out, const heed_site *s)
{
    json_open(out, NULL, '{');
    json_text(out, "node", s->node);
    json_bool(out, "fused", explain_is_fused(s));
    json_bool(out, "attention", explain_is_attention(s));
    if (explain_is_fused(s)) {
        json_fused(out, s);
    } else {
        json_text(out, "reason", s->reason);
        json_text(out, "at", s->at);
        json_text(out, "at_operator", s->at_op);
        json_text(out, "help", s->help);
    }
    json_close(out, '}');
}

static void json_cache(json_out *out, const heed_cache *c)
{
    json_open(out, NULL, '{');
    json_text(out, "form", c->form);
    json_number(out, "layer", c->layer);
    json_text(out, "past_key", c->past_key);
    json_text(out, "present_key", c->present_key);
    json_text(out, "past_value", c->past_value);
    json_text(out, "present_value", c->present_value);
    json_bool(out, "paged", c->flags & HEED_CACHE_PAGED);
    json_text(out, "proof", c->proof);
    json_text(out, "reason", c->reason);
    json_text(out, "at", c->at);
    json_text(out, "at_operator", c->at_op);
    json_text(out, "help", c->help);
    json_close(out, '}');
}

static void json_counts(json_out *out, const char *key, const explain_count *counts, size_t n)
{
    json_open(out, key, '{');
    for (size_t i = 0; i < n; i++)
        json_int(out, counts[i].name, (int64_t)counts[i].n);
    json_close(out, '}');
}

void explain_write_members(json_out *out, const explain_facts *f)
{
    json_text(out, "model", f->path);
    json_text(out, "version", heed_version());
    json_int(out, "nodes_before", (int64_t)f->nodes_before);
    json_int(out, "nodes_after", (int64_t)f->nodes_after);
    json_open(out, "attention", '{');
    json_int(out, "sites", (int64_t)explain_count_sites(f, explain_is_attention));
    json_int(out, "fused", (int64_t)explain_count_sites(f, explain_is_fused));
    json_open(out, "list", '[');
    for (size_t i = 0; i < f->n_sites; i++)
        json_site(out, &f->sites[i]);
    json_close(out, ']');
    json_close(out, '}');
    json_open(out, "caches", '[');
    for (size_t i = 0; i < f->n_caches; i++)
        json_cache(out, &f->caches[i]);
    json_close(out, ']');
    json_counts(out, "fusions", f->fusions, f->n_fusions);
    session_json_placement(out, f->session);
    json_counts(out, "passes", f->passes, f->n_passes);
}
