/* plan_case.h - a model from text, placed on reference kernels and planned, for the tests of plans.
 */
#ifndef TESTS_PLAN_CASE_H
#define TESTS_PLAN_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_text.h"
#include "passes/pass.h"
#include "plan/stretch.h"
#include "run/model.h"

typedef struct plan_case {
    onnx_message bytes;
    heed_model *model;
    ir_model *ir;
    place_table *places;
    program *program;
    planner *planner;
    plan_stretch *stretch;
} plan_case;

static inline void plan_case_infer(ir_model *m)
{
    arena scratch = {0};
    pass_run run = {.model = m, .scratch = &scratch};
    for (const pass_def *const *p = pass_table; *p; p++)
        if (!strcmp((*p)->name, "infer"))
            assert_int_equal((*p)->run(&run), HEED_OK);
    arena_free(&scratch);
}

static inline void plan_case_plan(plan_case *f)
{
    const ir_graph *g = f->program->graph;
    const ir_type **types = calloc(g->n_inputs + 1, sizeof(*types));
    for (uint32_t i = 0; i < g->n_inputs; i++)
        types[i] = &g->inputs[i]->type;
    assert_int_equal(planner_new(f->program, types, &f->planner), HEED_OK);
    assert_int_equal(stretch_new(f->planner, NULL, NULL, NULL, 0, &f->stretch), HEED_OK);
    free(types);
}

/* The nodes of `op` have this kernel; NULL: none has. */
static inline void plan_case_open(plan_case *f, const char *text, const char *op,
                                  const heed_kernel *kernel)
{
    *f = (plan_case){0};
    f->model = onnx_text_load(text, &f->bytes);
    assert_non_null(f->model);
    assert_int_equal(ir_model_copy(f->model->ir, &f->ir), HEED_OK);
    plan_case_infer(f->ir);
    assert_int_equal(place_new("reference", &f->places), HEED_OK);
    assert_int_equal(place_nodes(f->places, f->ir), HEED_OK);
    for (uint32_t i = 0; op && i < f->places->n_nodes; i++)
        if (!strcmp(f->places->nodes[i]->op->name, op))
            f->places->by_node[f->places->nodes[i]->id].kernel = kernel;
    assert_int_equal(program_new(f->ir->main, f->places, 0, &f->program), HEED_OK);
    plan_case_plan(f);
}

static inline void plan_case_close(plan_case *f)
{
    stretch_free(f->stretch);
    planner_free(f->planner);
    program_free(f->program);
    place_free(f->places);
    ir_model_free(f->ir);
    heed_model_free(f->model);
    onnx_write_free(&f->bytes);
}

#endif
