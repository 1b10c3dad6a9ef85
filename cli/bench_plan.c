/* bench_plan.c - which configurations are measured: --fusion and --attention, and their sessions.
 *
 * Every fusion pass that the session knows is a toggle; recognition of attention is switched by the
 * attention mode, so that a model's own attention operators are written out too. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "print.h"
#include "session.h"

enum { ITEM = 128 };

static const char attention_pass[] = "recognise";

typedef struct planner {
    bench_report *r;
    heed_session_options base;
    heed_session *probe; /* with all fusions on: which there are, and what each finds */
    size_t n_modes;
    const char *mode; /* the attention mode of the moment */
} planner;

static heed_fusion fusion_at(const planner *p, size_t i)
{
    heed_fusion f = {.size = sizeof f};
    if (heed_session_get_fusion(p->probe, i, &f))
        f = (heed_fusion){.pass = "", .name = ""};
    return f;
}

static size_t fusion_count(const planner *p) { return heed_session_get_fusion_count(p->probe); }

static void append(char **list, const char *name)
{
    char *longer = **list ? cli_format("%s,%s", *list, name) : cli_copy(name);
    free(*list);
    *list = longer;
}

static bench_config *add_config(planner *p, const char *what)
{
    bench_report *r = p->r;
    r->configs = cli_grow(r->configs, r->n_configs + 1, sizeof *r->configs);
    bench_config *c = &r->configs[r->n_configs++];
    *c = (bench_config){.attention = p->mode, .without = cli_copy("")};
    if (p->base.without)
        append(&c->without, p->base.without);
    if (p->n_modes > 1)
        c->label = strcmp(what, "on") ? cli_format("%s, %s", p->mode, what)
                                      : cli_format("attention %s", p->mode);
    else
        c->label = cli_copy(what);
    return c;
}

static void add_off(planner *p)
{
    for (size_t i = 0; i < p->r->n_configs && p->n_modes > 1; i++)
        if (!strcmp(p->r->configs[i].label, "off"))
            return; /* the attention mode makes no difference to it */
    bench_config *c = add_config(p, "off");
    if (p->n_modes > 1) {
        free(c->label);
        c->label = cli_copy("off");
    }
    c->attention = "off";
    for (size_t i = 0; i < fusion_count(p); i++)
        if (strcmp(fusion_at(p, i).pass, attention_pass))
            append(&c->without, fusion_at(p, i).pass);
}

static void add_without(planner *p, const heed_fusion *f)
{
    char *label = cli_format("without %s", f->name);
    bench_config *c = add_config(p, label);
    free(label);
    c->fusion = cli_copy(f->name);
    c->found = f->count;
    if (strcmp(f->pass, attention_pass))
        append(&c->without, f->pass);
    else
        c->attention = "off";
}

/* One configuration for each fusion that finds something here: others change nothing. */
static void add_each(planner *p)
{
    char *idle = cli_copy("");
    for (size_t i = 0; i < fusion_count(p); i++) {
        heed_fusion f = fusion_at(p, i);
        bool skip = !f.count || (!strcmp(f.pass, attention_pass) && !strcmp(p->mode, "off"));
        if (skip)
            append(&idle, f.name);
        else
            add_without(p, &f);
    }
    if (*idle)
        note("nothing to leave out, since the model has none of it: %s", idle);
    free(idle);
}

static int unknown_item(const planner *p, const char *item)
{
    char *names = cli_copy("on,off,each");
    for (size_t i = 0; i < fusion_count(p); i++)
        append(&names, fusion_at(p, i).name);
    exit_with(EXIT_USAGE, "--fusion knows no '%s'; there are %s", item, names);
    free(names);
    return EXIT_USAGE;
}

static int add_item(planner *p, const char *item)
{
    if (!strcmp(item, "on"))
        add_config(p, "on");
    else if (!strcmp(item, "off"))
        add_off(p);
    else if (!strcmp(item, "each"))
        add_each(p);
    else
        for (size_t i = 0;; i++) {
            if (i == fusion_count(p))
                return unknown_item(p, item);
            heed_fusion f = fusion_at(p, i);
            if (strcmp(item, f.name) && strcmp(item, f.pass))
                continue;
            add_without(p, &f);
            break;
        }
    return EXIT_OK;
}

/* ---- Lists ---- */

static int add_fusions(planner *p)
{
    const char *list = args_get(p->r->args, "fusion");
    char item[ITEM];
    int code = EXIT_OK;
    list = list ? list : "on";
    while (!code && shapes_next_item(&list, item, sizeof item))
        code = add_item(p, item);
    return code    ? code
           : *list ? exit_with(EXIT_USAGE, "--fusion: '%s' is too long", list)
                   : EXIT_OK;
}

static size_t count_items(const char *list)
{
    size_t n = 0;
    for (const char *at = list; *at; at++)
        n += *at == ',';
    return n + 1;
}

static int add_modes(planner *p)
{
    const char *list = args_get(p->r->args, "attention");
    char item[ITEM];
    int code = EXIT_OK;
    list = list && *list ? list : "auto";
    p->n_modes = count_items(list);
    while (!code && shapes_next_item(&list, item, sizeof item)) {
        p->mode = session_find_mode(item);
        code = p->mode ? add_fusions(p) : EXIT_USAGE;
    }
    return code;
}

/* The plainest: all off, then attention off, then the first. */
static void choose_reference(bench_report *r)
{
    r->reference = 0;
    for (size_t i = r->n_configs; i-- > 0;)
        if (!strcmp(r->configs[i].attention, "off") && !r->configs[i].fusion)
            r->reference = i;
    for (size_t i = 0; i < r->n_configs; i++)
        if (!strcmp(r->configs[i].label, "off"))
            r->reference = i;
}

static int open_session(const bench_report *r, const heed_session_options *base, bench_config *c)
{
    heed_session_stats stats = {.size = sizeof stats};
    heed_session_options options = *base;
    options.attention = c->attention;
    options.without = *c->without ? c->without : NULL;
    uint64_t begin = print_now();
    if (session_new_or_fall_back(r->args, r->model, &options, c == r->configs, &c->session))
        return exit_error(r->path);
    c->session_ms = (double)(print_now() - begin) / 1e6;
    heed_session_get_stats(c->session, &stats);
    c->nodes = stats.nodes;
    return EXIT_OK;
}

int bench_plan_configs(bench_report *r)
{
    planner p = {.r = r,
                 .base = {.size = sizeof p.base,
                          .backends = args_get(r->args, "backends"),
                          .without = args_get(r->args, "without")}};
    if (session_new_or_fall_back(r->args, r->model, &p.base, false, &p.probe))
        return exit_error(r->path);
    int code = add_modes(&p);
    heed_session_free(p.probe);
    if (!code && !r->n_configs)
        code = exit_with(EXIT_USAGE, "--fusion each: no fusion finds anything in this model");
    choose_reference(r);
    for (size_t i = 0; i < r->n_configs && !code; i++)
        code = open_session(r, &p.base, &r->configs[i]);
    return code;
}
