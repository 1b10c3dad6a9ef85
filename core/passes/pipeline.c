/* pipeline.c - runs the passes in order, to a fixed point where they ask for it. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "passes/pass.h"

#define MAX_PASSES 128
#define MAX_ROUNDS 8

static heed_status visit_graph(pass_run *p, ir_graph *g,
                               heed_status (*visit)(pass_run *p, ir_node *n))
{
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(visit_graph(p, n->attrs[a].graph, visit));
        TRY(visit(p, n));
        next = n->next; /* the visitor may have added nodes after this one */
    }
    return HEED_OK;
}

heed_status pass_each_node(pass_run *p, heed_status (*visit)(pass_run *p, ir_node *n))
{
    return visit_graph(p, p->model->main, visit);
}

/* ---- Order ---------------------------------------------------------------------------------- */

typedef struct tally {
    const pass_def *pass;
    int order;
    uint64_t rewrites;
} tally;

static void insert(tally *list, size_t *n, const pass_def *pass, int order)
{
    size_t i = *n;
    if (*n == MAX_PASSES)
        return;
    for (++*n; i > 0 && list[i - 1].order > order; i--)
        list[i] = list[i - 1];
    list[i] = (tally){pass, order, 0};
}

/* A name in a list "one,two". */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at && *at; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
            return true;
    }
    return false;
}

static bool is_left_out(const pass_def *pass, const pass_options *o)
{
    return !pass->required && (!o->optimize || is_listed(o->without, pass->name));
}

static const pass_def *find_pass(const char *name, size_t length)
{
    for (const pass_def *const *p = pass_table; *p; p++)
        if (strncmp((*p)->name, name, length) == 0 && (*p)->name[length] == 0)
            return *p;
    return NULL;
}

/* "casts, common, dead": those that may be left out. */
static void list_optional(char *out, size_t size)
{
    size_t n = 0;
    out[0] = 0;
    for (const pass_def *const *p = pass_table; *p && n < size; p++)
        if (!(*p)->required)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", (*p)->name);
}

heed_status pass_check_without(const char *without)
{
    char names[512];
    for (const char *at = without; at && *at; at += strcspn(at, ",")) {
        at += *at == ',';
        size_t length = strcspn(at, ",");
        const pass_def *pass = find_pass(at, length);
        if (pass && !pass->required)
            continue;
        list_optional(names, sizeof(names));
        int shown = length < 32 ? (int)length : 32;
        return pass ? err_fail(HEED_USAGE, "the pass \"%s\" cannot be left out; these can: %s",
                               pass->name, names)
                    : err_fail(HEED_USAGE, "no pass \"%.*s\"; there are %s", shown, at, names);
    }
    return HEED_OK;
}

static size_t ordered(tally *list, const pass_options *o)
{
    size_t n = 0;
    for (const pass_def *const *p = pass_table; *p; p++) {
        if (is_left_out(*p, o))
            continue;
        insert(list, &n, *p, (*p)->order);
        if ((*p)->again)
            insert(list, &n, *p, (*p)->again);
    }
    return n;
}

static heed_status run_one(ir_model *m, tally *t, const pass_options *o, uint64_t *changes)
{
    arena scratch = {0};
    pass_run p = {.model = m, .options = o, .scratch = &scratch};
    heed_status status = t->pass->run(&p);
    arena_free(&scratch);
    t->rewrites += p.rewrites;
    *changes += p.rewrites;
    if (!status && o->check)
        status = ir_verify(m);
    if (status == HEED_INTERNAL)
        err_hint("this is a defect of the pass %s", t->pass->name);
    return status;
}

/* Passes [first, last) until a round changes nothing. */
static heed_status run_group(ir_model *m, tally *list, size_t first, size_t last,
                             const pass_options *o)
{
    for (int round = 0; round < MAX_ROUNDS; round++) {
        uint64_t changes = 0;
        for (size_t i = first; i < last; i++)
            TRY(run_one(m, &list[i], o, &changes));
        if (changes == 0 || !list[first].pass->repeat)
            return HEED_OK;
    }
    return HEED_OK;
}

static heed_status report_lines(ir_model *m, const tally *list, size_t n,
                                const char *const **report, size_t *n_report)
{
    const char **lines = arena_array(&m->memory, n, sizeof(*lines));
    if (!lines)
        return HEED_NOMEM;
    *n_report = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t rewrites = 0;
        bool first = true;
        for (size_t k = 0; k < n; k++) {
            rewrites += list[k].pass == list[i].pass ? list[k].rewrites : 0;
            first = first && (k >= i || list[k].pass != list[i].pass);
        }
        if (!rewrites || !first)
            continue;
        lines[*n_report] =
            arena_printf(&m->memory, "%s: %llu", list[i].pass->name, (unsigned long long)rewrites);
        if (!lines[*n_report])
            return HEED_NOMEM;
        log_write(LOG_INFO, "pass %s", lines[*n_report]);
        (*n_report)++;
    }
    *report = lines;
    return HEED_OK;
}

static heed_status tell_fusions(const tally *list, size_t n, const pass_options *o)
{
    for (const pass_def *const *p = pass_table; o->fused && *p; p++) {
        uint64_t count = 0;
        for (size_t i = 0; i < n; i++)
            count += list[i].pass == *p ? list[i].rewrites : 0;
        if ((*p)->fuses)
            TRY(o->fused(o->self, *p, count));
    }
    return HEED_OK;
}

heed_status pass_pipeline(ir_model *m, const pass_options *options, const char *const **report,
                          size_t *n_report)
{
    tally list[MAX_PASSES];
    size_t n = ordered(list, options);
    for (size_t first = 0, last; first < n; first = last) {
        last = first + 1;
        while (last < n && list[first].pass->repeat && list[last].pass->repeat)
            last++;
        TRY(run_group(m, list, first, last, options));
    }
    TRY(tell_fusions(list, n, options));
    return report_lines(m, list, n, report, n_report);
}

/* ---- Helpers -------------------------------------------------------------------------------- */

heed_status pass_taken(const pass_run *p, ir_node *n, bool *taken)
{
    *taken = false;
    return p->options->takes ? p->options->takes(p->options->self, n, taken) : HEED_OK;
}

static heed_status infer_made(op_body *b, ir_node *made) { return pass_infer_node(b->self, made); }

op_body pass_body(pass_run *p, ir_node *n)
{
    return (op_body){.node = n,
                     .dims = p->model->dims,
                     .scratch = p->scratch,
                     .last = n,
                     .infer = infer_made,
                     .self = p};
}

void pass_undo(const op_body *b)
{
    for (ir_node *n = b->last, *previous; n != b->node; n = previous) {
        previous = n->previous;
        ir_node_remove(n);
    }
}

bool pass_is(const ir_node *n, const char *op)
{
    return n && n->op->name[0] == op[0] && n->op->domain[0] == 0 && strcmp(n->op->name, op) == 0;
}

bool pass_is_one_of(const ir_node *n, const char *const *ops)
{
    while (*ops && !pass_is(n, *ops))
        ops++;
    return *ops != NULL;
}

bool pass_constant(const ir_value *v) { return v && v->constant && !v->is_input; }

bool pass_pure(const ir_node *n) { return !(n->op->flags & (OP_RANDOM | OP_CONTROL)); }

heed_status pass_bypass(pass_run *p, ir_node *n, ir_value *value)
{
    for (uint32_t i = 1; i < n->n_out; i++)
        if (ir_value_used(n->out[i]))
            return HEED_OK;
    ir_value_replace(n->out[0], value);
    ir_node_remove(n);
    p->rewrites++;
    return HEED_OK;
}

heed_status pass_settle(pass_run *p, ir_node *n, const op_body *b, ir_value *y)
{
    if (b->status)
        return b->status;
    if (y && pass_same_type(y, n->out[0]))
        return pass_bypass(p, n, y);
    pass_undo(b);
    return HEED_OK;
}

bool pass_same_type(const ir_value *a, const ir_value *b)
{
    if (a->type.kind != HEED_KIND_TENSOR || b->type.kind != HEED_KIND_TENSOR ||
        a->type.dtype != b->type.dtype || a->type.rank < 0 || a->type.rank != b->type.rank)
        return false;
    for (int32_t i = 0; i < a->type.rank; i++)
        if (a->type.dims[i] != b->type.dims[i])
            return false;
    return true;
}
