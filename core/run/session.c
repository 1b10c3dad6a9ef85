/* session.c - the public functions of sessions: options, inputs and outputs by name, statistics. */
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "run/caches.h"
#include "run/compiled.h"
#include "run/graph_view.h"
#include "run/inputs.h"
#include "run/options.h"
#include "run/results.h"
#include "run/session.h"

struct heed_session {
    heed_model *model;
    session_options options;
    compiled *named;
    _Atomic(compiled *) unnamed; /* made when inputs contradict the names of dims */
    _Atomic(compiled *) plain; /* made when they contradict what fusing attention took for equal */
    pthread_mutex_t lock;      /* while one of them is made, or the caches are looked for */
    cache_list caches;
    uint32_t generation; /* of forks, when the session was made */
};

/* ---- Life ----------------------------------------------------------------------------------- */

heed_status heed_session_new(heed_model *model, const heed_session_options *options,
                             heed_session **out)
{
    *out = NULL;
    heed_session *s = mem_zero(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    pthread_mutex_init(&s->lock, NULL);
    s->model = heed_model_ref(model);
    s->generation = pool_fork_generation();
    heed_status status = session_options_read(options, &s->options);
    if (!status) {
        model_warn(model, s->options.compile.no_dropout);
        status = compiled_new(model, &s->options.compile, &s->named);
    }
    if (status)
        heed_session_free(s);
    else
        *out = s;
    return status;
}

heed_status heed_session_open(const char *path, const heed_session_options *options,
                              heed_session **out)
{
    heed_model *model;
    *out = NULL;
    TRY(heed_model_load(path, NULL, &model));
    heed_status status = heed_session_new(model, options, out);
    heed_model_free(model);
    return status;
}

const compiled *session_form(const heed_session *s) { return s->named; }

heed_model *heed_session_get_model(const heed_session *session) { return session->model; }

void heed_session_free(heed_session *s)
{
    if (!s)
        return;
    compiled_free(s->named);
    compiled_free(atomic_load(&s->unnamed));
    compiled_free(atomic_load(&s->plain));
    caches_free(&s->caches);
    heed_model_free(s->model);
    pthread_mutex_destroy(&s->lock);
    session_options_free(&s->options);
    mem_free(s);
}

void heed_session_trim(heed_session *s)
{
    compiled *unnamed = atomic_load(&s->unnamed), *plain = atomic_load(&s->plain);
    plans_trim(s->named->store);
    if (unnamed)
        plans_trim(unnamed->store);
    if (plain)
        plans_trim(plain->store);
}

/* ---- Running -------------------------------------------------------------------------------- */

/* A form that most sessions never need, made once. */
static heed_status get_form(heed_session *s, _Atomic(compiled *) *form, const compile_options *o,
                            const char *why, compiled **out)
{
    heed_status status = HEED_OK;
    *out = atomic_load(form);
    if (*out)
        return HEED_OK;
    pthread_mutex_lock(&s->lock);
    *out = atomic_load(form);
    if (!*out) {
        log_write(LOG_WARN, "the inputs contradict %s: compiled once more, without relying on that",
                  why);
        status = compiled_new(s->model, o, out);
        atomic_store(form, *out);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

static heed_status choose_form(heed_session *s, const heed_tensor *const *in, compiled **out)
{
    compile_options o = s->options.compile;
    o.named_dims = false;
    *out = s->named;
    if (compiled_agrees(s->named, in))
        return HEED_OK;
    return get_form(s, &s->unnamed, &o, "the names of dims in the model", out);
}

static bool has_fused_site(const compiled *c)
{
    for (size_t i = 0; i < c->sites.n; i++)
        if (c->sites.items[i].told.flags & HEED_SITE_FUSED)
            return true;
    return false;
}

static heed_status run_call_of(const heed_run_options *o, const compiled *c, run_call *r)
{
    *r = (run_call){.store = c->store, .programs = c->programs, .n_programs = c->n_programs};
    if (!o)
        return HEED_OK;
    if (!HEED_HAS_FIELD(o, flags))
        return err_fail(HEED_USAGE, "heed_run_options.size is not set");
    if (HEED_HAS_FIELD(o, deadline_ns))
        r->deadline_ns = o->deadline_ns;
    if (HEED_HAS_FIELD(o, cancel))
        r->cancel = o->cancel;
    return HEED_OK;
}

/* Results come for all outputs of the graph. */
static heed_status run_form(const compiled *c, const heed_run_options *options,
                            const heed_tensor *const *in, const uint32_t *asked, size_t n_out,
                            heed_tensor **out)
{
    run_call r;
    TRY(run_call_of(options, c, &r));
    uint32_t n = c->ir->main->n_outputs;
    heed_tensor **all = mem_array(n, sizeof(*all));
    if (!all)
        return HEED_NOMEM;
    for (size_t i = 0; i < n_out; i++)
        if (out[i])
            all[asked[i]] = out[i];
    heed_status status = execute_program(&r, c->programs[0], in, all);
    if (!status)
        status = results_hand_over(all, n, asked, n_out, out);
    mem_free(all);
    return status;
}

/* Recognition takes two symbols on one axis of attention for the same extent, and a fused operator
 * refuses others. The graph as it is may broadcast them. When it refuses the inputs too, what the
 * operator says of them is said once more: it is closer to what was meant. */
static heed_status run_all(heed_session *s, const heed_run_options *options,
                           const heed_tensor *const *in, const uint32_t *asked, size_t n_out,
                           heed_tensor **out)
{
    compiled *c, *plain;
    TRY(choose_form(s, in, &c));
    heed_status status = run_form(c, options, in, asked, n_out, out);
    if (status != HEED_INVALID || !has_fused_site(c))
        return status;
    compile_options o = s->options.compile;
    o.named_dims = false;
    o.attention = "off";
    TRY(get_form(s, &s->plain, &o, "what fused attention takes for equal", &plain));
    status = run_form(plain, options, in, asked, n_out, out);
    return status == HEED_INVALID ? run_form(c, options, in, asked, n_out, out) : status;
}

heed_status heed_session_run(heed_session *s, const heed_run_options *options, size_t n_in,
                             const char *const *in_names, heed_tensor *const *in, size_t n_out,
                             const char *const *out_names, heed_tensor **out)
{
    arena memory = {0};
    const heed_tensor **inputs;
    uint32_t *asked;
    err_clear(); /* a kernel that fails and does not say why must not seem to say the last thing */
    if (s->generation != pool_fork_generation())
        return err_fail(HEED_FORKED, "the session was made before a fork; make one in the child");
    heed_status status = inputs_match(s->model, n_in, in_names, in, &memory, &inputs);
    if (!status)
        status = outputs_match(s->model, n_out, out_names, &memory, &asked);
    if (!status)
        status = run_all(s, options, inputs, asked, n_out, out);
    arena_free(&memory);
    return status;
}

heed_status heed_cancel_new(heed_cancel **out)
{
    *out = mem_zero(sizeof(**out));
    return *out ? HEED_OK : HEED_NOMEM;
}

void heed_cancel_set(heed_cancel *cancel, int cancelled)
{
    atomic_store(&cancel->cancelled, cancelled);
}

void heed_cancel_free(heed_cancel *cancel) { mem_free(cancel); }

/* ---- Reports -------------------------------------------------------------------------------- */

size_t heed_session_get_placement_count(const heed_session *s) { return s->named->places->n_nodes; }

heed_status heed_session_get_placement(const heed_session *s, size_t i, heed_placement *out)
{
    const place_table *t = s->named->places;
    if (i >= t->n_nodes)
        return err_fail(HEED_NOTFOUND, "there are %u placements", t->n_nodes);
    const ir_node *n = t->nodes[i];
    const place *p = &t->by_node[n->id];
    *out = (heed_placement){.size = sizeof(*out),
                            .node = n->name,
                            .domain = n->op->domain,
                            .op = n->op->name,
                            .backend = place_name(t, n),
                            .reason = p->refusal ? p->refusal : ""};
    return HEED_OK;
}

size_t heed_session_get_site_count(const heed_session *s) { return s->named->sites.n; }

heed_status heed_session_get_site(const heed_session *s, size_t i, heed_site *out)
{
    const site_list *list = &s->named->sites;
    uint32_t size = out->size < sizeof(*out) ? out->size : (uint32_t)sizeof(*out);
    if (!HEED_HAS_FIELD(out, flags))
        return err_fail(HEED_USAGE, "heed_site.size is not set");
    if (i >= list->n)
        return err_fail(HEED_NOTFOUND, "there are %zu sites", list->n);
    memcpy(out, &list->items[i].told, size);
    out->size = size;
    return HEED_OK;
}

void heed_session_get_stats(const heed_session *s, heed_session_stats *out)
{
    plans_stats plans;
    plans_get_stats(s->named->store, &plans);
    *out = (heed_session_stats){
        .size = sizeof(*out),
        .nodes_imported = ir_graph_count(s->model->ir->main),
        .nodes = ir_graph_count(s->named->ir->main),
        .load_ns = s->model->load_ns,
        .passes_ns = s->named->passes_ns,
        .prepare_ns = s->named->prepare_ns,
        .plans = plans.plans,
        .plan_hits = plans.hits,
        .plan_misses = plans.misses,
        .arena_bytes = plans.arena_bytes,
        .steps = plans.steps,
    };
}

size_t heed_session_get_fusion_count(const heed_session *s) { return s->named->n_fusions; }

heed_status heed_session_get_fusion(const heed_session *s, size_t i, heed_fusion *out)
{
    uint32_t size = out->size < sizeof(*out) ? out->size : (uint32_t)sizeof(*out);
    if (!HEED_HAS_FIELD(out, reserved))
        return err_fail(HEED_USAGE, "heed_fusion.size is not set");
    if (i >= s->named->n_fusions)
        return err_fail(HEED_NOTFOUND, "there are %zu fusions", s->named->n_fusions);
    memcpy(out, &s->named->fusions[i], size);
    out->size = size;
    return HEED_OK;
}

heed_status heed_session_find_caches(heed_session *s, size_t *count)
{
    heed_status status = HEED_OK;
    pthread_mutex_lock(&s->lock);
    if (!s->caches.made)
        status = caches_make(s->model, &s->options.compile, s->named, &s->caches);
    *count = s->caches.n;
    pthread_mutex_unlock(&s->lock);
    return status;
}

heed_status heed_session_get_cache(const heed_session *s, size_t i, heed_cache *out)
{
    uint32_t size = out->size < sizeof(*out) ? out->size : (uint32_t)sizeof(*out);
    if (!HEED_HAS_FIELD(out, flags))
        return err_fail(HEED_USAGE, "heed_cache.size is not set");
    if (i >= s->caches.n)
        return err_fail(HEED_NOTFOUND, "there are %zu caches", s->caches.n);
    memcpy(out, &s->caches.items[i], size);
    out->size = size;
    return HEED_OK;
}

heed_status heed_session_get_graph(const heed_session *s, heed_graph **out)
{
    return graph_view_new(s->named->ir, s->named->places, &s->named->sites, out);
}

const char *heed_session_get_pass_report(const heed_session *s, size_t i)
{
    return i < s->named->n_report ? s->named->report[i] : NULL;
}
