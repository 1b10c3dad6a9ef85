/* attention_sites.c - prints what recognition says of every softmax, for tests of many models.
 *
 *     attention_sites FILE      a line for each model: the path of its folder or file
 *
 * Lines, tab-separated: "fused" or "left", path, node, reason, and the operator that stood in the
 * way; or "error", path, message; and "made", path, name for each node of ours that there is in the
 * end. Fused operators count whether or not a backend computes them. */
#include <stdio.h>
#include <string.h>

#include "passes/pass.h"
#include "run/model.h"

static heed_status takes(void *self, ir_node *n, bool *taken)
{
    (void)self;
    *taken = strcmp(n->op->domain, "heed") == 0;
    return HEED_OK;
}

static heed_status say(void *self, const pass_verdict *v)
{
    printf("%s\t%s\t%s\t%s\t%s\n", v->fused ? "fused" : "left", (const char *)self, v->node->name,
           v->reason ? v->reason : "", v->at ? v->at->op->name : "");
    return HEED_OK;
}

static void say_made(const char *path, const ir_graph *g)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        if (strcmp(n->op->domain, "heed") == 0)
            printf("made\t%s\t%s\n", path, n->op->name);
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                say_made(path, n->attrs[a].graph);
    }
}

static heed_status look(char *path, heed_model **m, ir_model **ir)
{
    const char *const *report;
    size_t n;
    pass_options options = {.optimize = true, .takes = takes, .verdict = say, .self = path};
    TRY(heed_model_load(path, NULL, m));
    TRY(ir_model_copy((*m)->ir, ir));
    TRY(pass_pipeline(*ir, &options, &report, &n));
    say_made(path, (*ir)->main);
    return HEED_OK;
}

int main(int argc, char **argv)
{
    char path[4096];
    FILE *list = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!list)
        return 2;
    while (fgets(path, sizeof(path), list)) {
        heed_model *m = NULL;
        ir_model *ir = NULL;
        path[strcspn(path, "\n")] = 0;
        if (look(path, &m, &ir))
            printf("error\t%s\t%s\n", path, heed_error_get()->message);
        ir_model_free(ir);
        heed_model_free(m);
    }
    fclose(list);
    return 0;
}
