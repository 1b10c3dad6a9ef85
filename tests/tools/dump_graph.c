/* dump_graph.c - prints a model's graph as text, before or after the passes.
 *
 *     dump_graph MODEL [none|infer|all|fused|paged|once]
 *
 * A line for each node: outputs with types, operator with attributes, inputs. Symbolic contents of
 * integer values stand behind their type. With `fused`, fused operators stay whole, as if some
 * backend computed them all. With `paged`, a graph that gets no pages is printed as it was when
 * that was seen. */
#include <stdio.h>
#include <string.h>

#include "passes/paging/paging.h"
#include "run/model.h"

static void print_type(const ir_model *m, const ir_value *v)
{
    char text[256];
    printf("%s", dtype_name(v->type.dtype));
    if (v->type.rank < 0) {
        printf("[?]");
        return;
    }
    printf("[");
    for (int32_t d = 0; d < v->type.rank; d++)
        printf("%s%s", d ? ", " : "", dims_text(m->dims, v->type.dims[d], text, sizeof(text)));
    printf("]");
    for (int64_t i = 0; v->content && i < v->n_content && i < 8; i++)
        printf("%s%s%s", i ? "," : "{", dims_text(m->dims, v->content[i], text, sizeof(text)),
               i + 1 == v->n_content ? "}" : "");
}

static void print_constant(const ir_value *v)
{
    int64_t n = tensor_count(v->constant);
    printf("const %s", dtype_name(v->type.dtype));
    for (int32_t d = 0; d < v->type.rank; d++)
        printf("%s%lld", d ? "x" : " ", (long long)v->type.dims[d]);
    for (int64_t i = 0; i < n && i < 6 && n <= 6; i++) {
        double x = 0;
        if (!heed_tensor_read_f64(v->constant, i, 1, &x))
            printf(" %g", x);
    }
}

static void print_input(const ir_value *v)
{
    if (!v)
        printf("-");
    else if (v->constant && !v->is_input)
        print_constant(v);
    else
        printf("%s", v->name);
}

static void print_attrs(const ir_node *n)
{
    for (uint32_t a = 0; a < n->n_attrs; a++) {
        const heed_attribute *v = &n->attrs[a].view;
        if (v->type == HEED_ATTR_INT)
            printf(" %s=%lld", v->name, (long long)v->i);
        if (v->type == HEED_ATTR_FLOAT)
            printf(" %s=%g", v->name, v->f);
        if (v->type == HEED_ATTR_STRING)
            printf(" %s=%.*s", v->name, (int)v->s.size, v->s.data);
        for (uint64_t i = 0; v->type == HEED_ATTR_INTS && i < v->n; i++)
            printf("%s%s%lld", i ? "," : " ", i ? "" : v->name, (long long)v->ints[i]);
    }
}

static void print_node(const ir_model *m, const ir_node *n, int indent)
{
    printf("%*s", indent, "");
    for (uint32_t o = 0; o < n->n_out; o++) {
        printf("%s%s ", o ? ", " : "", n->out[o] ? n->out[o]->name : "-");
        if (n->out[o])
            print_type(m, n->out[o]);
    }
    printf(" = %s%s%s", n->op->domain, n->op->domain[0] ? "." : "", n->op->name);
    print_attrs(n);
    printf(" (");
    for (uint32_t i = 0; i < n->n_in; i++) {
        printf("%s", i ? ", " : "");
        print_input(n->in[i].value);
    }
    printf(")\n");
}

static void print_graph(const ir_model *m, const ir_graph *g, int indent)
{
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        printf("%*sin %s ", indent, "", g->inputs[i]->name);
        print_type(m, g->inputs[i]);
        printf("\n");
    }
    for (const ir_node *n = g->first; n; n = n->next) {
        print_node(m, n, indent);
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                print_graph(m, n->attrs[a].graph, indent + 4);
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        printf("%*sout %s\n", indent, "", g->outputs[i]->name);
}

static heed_status takes(void *self, ir_node *n, bool *taken)
{
    (void)self;
    *taken = strcmp(n->op->domain, "heed") == 0;
    return HEED_OK;
}

static heed_status say(void *self, const pass_verdict *v)
{
    char text[256] = "";
    (void)self;
    if (v->at)
        ir_node_text(v->at, text, sizeof(text));
    fprintf(stderr, "%s: %s %s at %s %s\n", v->node->name, v->fused ? "fused" : "not fused",
            v->reason ? v->reason : "", v->at ? v->at->op->name : "", text);
    return HEED_OK;
}

static void print_paging(const pass_paging *paging)
{
    static const char *const roles[] = {"kept", "tokens", "positions", "mask",
                                        "past", "switch", "side"};
    for (uint32_t i = 0; i < paging->n_inputs; i++)
        printf("role %s %s\n", paging->inputs[i].name, roles[paging->inputs[i].role]);
    for (uint32_t i = 0; i < paging->n_layers; i++)
        printf("layer %s %lld heads of %lld and %lld, window %lld\n", paging->layers[i].node,
               (long long)paging->layers[i].heads, (long long)paging->layers[i].key_dim,
               (long long)paging->layers[i].value_dim, (long long)paging->layers[i].window);
}

static heed_status dump(const char *path, const char *how, heed_model **m, ir_model **ir)
{
    const char *const *report;
    size_t n;
    pass_paging paging = {0};
    bool once = strcmp(how, "once") == 0, paged = once || strcmp(how, "paged") == 0;
    bool fused = paged || strcmp(how, "fused") == 0;
    paging.part = once ? PAGING_ONCE : PAGING_STEPS;
    pass_options options = {.optimize = fused || strcmp(how, "all") == 0};
    options.takes = fused ? takes : NULL;
    options.verdict = fused ? say : NULL;
    options.paging = paged ? &paging : NULL;
    TRY(heed_model_load(path, NULL, m));
    TRY(ir_model_copy((*m)->ir, ir));
    heed_status status = HEED_OK;
    if (strcmp(how, "none") != 0)
        status = pass_pipeline(*ir, &options, &report, &n);
    if (status == HEED_OK || paging.reason)
        print_graph(*ir, (*ir)->main, 0);
    if (status == HEED_OK && paged)
        print_paging(&paging);
    return status;
}

int main(int argc, char **argv)
{
    heed_model *m = NULL;
    ir_model *ir = NULL;
    if (argc < 2)
        return 2;
    heed_status status = dump(argv[1], argc > 2 ? argv[2] : "all", &m, &ir);
    if (status)
        fprintf(stderr, "%s\n", heed_error_get()->message);
    ir_model_free(ir);
    heed_model_free(m);
    return status ? 1 : 0;
}
