/* symbolic_shapes.c - prints what inference says of a model's outputs before any extent is known,
 * beside the outputs that a test case has. test_shapes.py compares them.
 *
 *     symbolic_shapes CASE...      folders with model.onnx and test_data_set_0
 *
 * Every extent of input I becomes a symbol "iIdAXIS". Lines, tab-separated:
 *
 *     case FOLDER
 *     extent SYMBOL NUMBER
 *     output OPERATOR DTYPE DTYPE-THERE EXTENTS EXTENTS-THERE      inferred as the file has it
 *     body ...                                                     and with functions decomposed
 *     error MESSAGE
 *
 * EXTENTS is "2;i0d1 + 1;", "-" for a scalar, "rank?" when the rank is not known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "run/model.h"

static heed_tensor *load_value(const char *folder, const heed_model *m, const char *kind,
                               uint32_t i, const char *name)
{
    char path[4096];
    heed_tensor *t = NULL;
    snprintf(path, sizeof(path), "%s/test_data_set_0/%s_%u.pb", folder, kind, i);
    return heed_tensor_load(path, m, name, &t) ? NULL : t;
}

/* Extents become symbols, and what they stand for is printed. */
static void name_extents(const char *folder, const heed_model *m, ir_model *ir)
{
    for (uint32_t i = 0; i < ir->main->n_inputs; i++) {
        ir_value *v = ir->main->inputs[i];
        heed_tensor *t = load_value(folder, m, "input", i, v->name);
        bool matches = t && v->type.kind == HEED_KIND_TENSOR && v->type.rank == tensor_rank(t);
        for (int32_t d = 0; matches && !v->constant && d < v->type.rank; d++) {
            char name[32];
            snprintf(name, sizeof(name), "i%ud%d", i, d);
            v->type.dims[d] = dims_parse(ir->dims, name);
            printf("extent\t%s\t%lld\n", name, (long long)t->dims[d]);
        }
        heed_tensor_free(t);
    }
}

static void print_inferred(const ir_model *ir, const ir_type *type)
{
    char text[512];
    printf("%s", type->rank < 0 ? "rank?" : type->rank == 0 ? "-" : "");
    for (int32_t d = 0; d < type->rank; d++)
        printf("%s;", dims_text(ir->dims, type->dims[d], text, sizeof(text)));
}

static void print_actual(const heed_tensor *t)
{
    printf("%s", tensor_rank(t) == 0 ? "-" : "");
    for (int32_t d = 0; d < tensor_rank(t); d++)
        printf("%lld;", (long long)t->dims[d]);
}

static void print_outputs(const char *folder, const heed_model *m, const ir_model *ir,
                          const char *what)
{
    for (uint32_t o = 0; o < ir->main->n_outputs; o++) {
        const ir_value *v = ir->main->outputs[o];
        heed_tensor *actual = load_value(folder, m, "output", o, ir->main->output_names[o]);
        if (actual && actual->kind == HEED_TENSOR && v->type.kind == HEED_KIND_TENSOR) {
            printf("%s\t%s\t%s\t%s\t", what, v->producer ? v->producer->op->name : "-",
                   dtype_name(v->type.dtype), dtype_name(actual->dtype));
            print_inferred(ir, &v->type);
            printf("\t");
            print_actual(actual);
            printf("\n");
        }
        heed_tensor_free(actual);
    }
}

static heed_status run_pass(ir_model *ir, const char *name, uint64_t *rewrites)
{
    arena scratch = {0};
    pass_options options = {.optimize = false};
    pass_run run = {.model = ir, .options = &options, .scratch = &scratch};
    heed_status status = HEED_NOTFOUND;
    for (const pass_def *const *p = pass_table; *p; p++)
        if (strcmp((*p)->name, name) == 0)
            status = (*p)->run(&run);
    *rewrites = run.rewrites;
    arena_free(&scratch);
    return status;
}

static heed_status check(const char *folder, heed_model **m, ir_model **ir)
{
    char path[4096];
    uint64_t rewrites;
    snprintf(path, sizeof(path), "%s/model.onnx", folder);
    TRY(heed_model_load(path, NULL, m));
    TRY(ir_model_copy((*m)->ir, ir));
    name_extents(folder, *m, *ir);
    TRY(run_pass(*ir, "infer", &rewrites));
    print_outputs(folder, *m, *ir, "output");
    TRY(run_pass(*ir, "decompose", &rewrites));
    if (rewrites)
        print_outputs(folder, *m, *ir, "body");
    return HEED_OK;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        heed_model *m = NULL;
        ir_model *ir = NULL;
        printf("case\t%s\n", argv[i]);
        if (check(argv[i], &m, &ir))
            printf("error\t%s\n", heed_error_get()->message);
        ir_model_free(ir);
        heed_model_free(m);
    }
    return 0;
}
