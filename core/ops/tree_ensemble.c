/* tree_ensemble.c - TreeEnsemble: trees whose branches say where they lead. */
#include <math.h>
#include <string.h>

#include "ops/forest.h"
#include "ops/loops.h"
#include "ops/scores.h"

#define ML "ai.onnx.ml"

/* The lists of a node as they are written. */
typedef struct lists {
    int64_t n, n_splits, n_members;
    int64_t *feature, *mode, *to[2], *leaf[2], *missing;
    double *split, *members;
} lists;

typedef struct named_list {
    const char *name;
    size_t place; /* of the pointer in `lists` */
} named_list;

static const named_list int_lists[] = {
    {"nodes_featureids", offsetof(lists, feature)}, {"nodes_modes", offsetof(lists, mode)},
    {"nodes_falsenodeids", offsetof(lists, to[0])}, {"nodes_truenodeids", offsetof(lists, to[1])},
    {"nodes_falseleafs", offsetof(lists, leaf[0])}, {"nodes_trueleafs", offsetof(lists, leaf[1])},
};

static heed_status read_lists(op_call *c, lists *l)
{
    int64_t n;
    TRY(forest_reals(c, "nodes_splits", &l->n_splits, &l->split));
    l->n = l->n_splits;
    for (size_t i = 0; i < sizeof int_lists / sizeof int_lists[0]; i++) {
        int64_t **values = (int64_t **)(void *)((char *)l + int_lists[i].place);
        TRY(forest_ints(c, int_lists[i].name, &n, values));
        TRY(forest_same_length(c, "nodes_splits", l->n, int_lists[i].name, n));
    }
    TRY(forest_ints(c, "nodes_missing_value_tracks_true", &n, &l->missing));
    if (n == 0)
        l->missing = NULL;
    else
        TRY(forest_same_length(c, "nodes_splits", l->n, "nodes_missing_value_tracks_true", n));
    return forest_reals(c, "membership_values", &l->n_members, &l->members);
}

/* The sets stand one after the other, in the order of the nodes that ask for one, with a NaN
 * behind each. */
static heed_status next_set(const op_call *c, const lists *l, int64_t *at, forest_node *node)
{
    if (*at >= l->n_members)
        return call_error(c, HEED_INVALID, "membership_values has fewer sets than there are nodes");
    node->first_member = *at;
    while (*at < l->n_members && !isnan(l->members[*at]))
        ++*at;
    node->n_members = *at - node->first_member;
    ++*at;
    return HEED_OK;
}

static heed_status read_nodes(op_call *c, const lists *l, forest *f)
{
    int64_t member = 0;
    f->n_nodes = l->n;
    f->members = l->members;
    f->nodes = call_scratch(c, (size_t)l->n * sizeof *f->nodes + 1);
    if (!f->nodes)
        return HEED_NOMEM;
    for (int64_t i = 0; i < l->n; i++) {
        if (l->mode[i] < 0 || l->mode[i] >= FOREST_TESTS)
            return call_error(c, HEED_INVALID, "the mode of node %lld is %lld", (long long)i,
                              (long long)l->mode[i]);
        f->nodes[i] = (forest_node){
            .test = (forest_test)l->mode[i],
            .missing = l->missing && l->missing[i],
            .feature = l->feature[i],
            .split = l->split[i],
            .branch = {{l->to[0][i], l->leaf[0][i] != 0}, {l->to[1][i], l->leaf[1][i] != 0}}};
        if (f->nodes[i].test == FOREST_MEMBER)
            TRY(next_set(c, l, &member, &f->nodes[i]));
    }
    return HEED_OK;
}

/* Each leaf has one vote. */
static heed_status read_leaves(op_call *c, forest *f)
{
    int64_t n, *targets, *roots;
    double *weights;
    TRY(forest_ints(c, "leaf_targetids", &f->n_leaves, &targets));
    TRY(forest_reals(c, "leaf_weights", &n, &weights));
    TRY(forest_same_length(c, "leaf_targetids", f->n_leaves, "leaf_weights", n));
    TRY(forest_ints(c, "tree_roots", &f->n_roots, &roots));
    f->votes = call_scratch(c, (size_t)n * sizeof *f->votes + 1);
    f->first_vote = call_scratch(c, ((size_t)n + 1) * sizeof *f->first_vote);
    f->roots = call_scratch(c, (size_t)f->n_roots * sizeof *f->roots + 1);
    if (!f->votes || !f->first_vote || !f->roots)
        return HEED_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        f->votes[i] = (forest_vote){targets[i], weights[i]};
        f->first_vote[i + 1] = i + 1;
    }
    for (int64_t i = 0; i < f->n_roots; i++)
        f->roots[i] = (forest_branch){roots[i], false};
    return HEED_OK;
}

static heed_status infer_trees(op_infer *c)
{
    ir_dim dims[2] = {infer_dim(c, 0, 0), ir_attr_int(c->node, "n_targets", 1)};
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 2)
        return infer_error(c, "features [batch, feature]", "rank %d", infer_rank(c, 0));
    if (dims[1] < 0)
        return infer_error(c, "n_targets of at least 0", "%lld", (long long)dims[1]);
    return infer_set(c, 0, 0, 2, dims);
}

static heed_status score_rows(op_call *c, const forest *f, forest_sum how, scores_fn *finish)
{
    heed_tensor *out = call_out(c, 0);
    int64_t n = c->in[0]->dims[1];
    double *x = call_scratch(c, (size_t)n * sizeof *x + 1);
    double *scores = call_scratch(c, (size_t)f->n_targets * sizeof *scores + 1);
    bool *has = call_scratch(c, (size_t)f->n_targets + 1);
    if (!x || !scores || !has)
        return HEED_NOMEM;
    for (int64_t row = 0; out && row < out->dims[0]; row++) {
        loop_load(c->in[0], CLASS_F64, row * n, n, x);
        TRY(forest_run(c, f, how, n, x, scores, has));
        finish(f->n_targets, scores);
        loop_store(out, CLASS_F64, row * f->n_targets, f->n_targets, scores);
    }
    return HEED_OK;
}

static heed_status run_trees(op_call *c)
{
    lists l = {0};
    forest f = {.n_targets = ir_attr_int(c->node, "n_targets", 1)};
    int64_t how = ir_attr_int(c->node, "aggregate_function", FOREST_SUM);
    scores_fn *finish = scores_by_number(ir_attr_int(c->node, "post_transform", 0));
    if (how < FOREST_AVERAGE || how > FOREST_MAX || !finish)
        return call_error(c, HEED_INVALID, "no such aggregate_function or post_transform");
    TRY(read_lists(c, &l));
    TRY(read_nodes(c, &l, &f));
    TRY(read_leaves(c, &f));
    TRY(forest_check(c, &f));
    return score_rows(c, &f, (forest_sum)how, finish);
}

// clang-format off
static const op_def trees = {
    .domain = ML, .name = "TreeEnsemble", .since = 5,
    .signature = "X:T -> Y:T", .types = "T=float32|float64|float16",
    .attrs = "aggregate_function:int=1 leaf_targetids:ints! leaf_weights:tensor! "
             "membership_values:tensor n_targets:int nodes_falseleafs:ints! "
             "nodes_falsenodeids:ints! nodes_featureids:ints! nodes_hitrates:tensor "
             "nodes_missing_value_tracks_true:ints nodes_modes:tensor! nodes_splits:tensor! "
             "nodes_trueleafs:ints! nodes_truenodeids:ints! post_transform:int=0 tree_roots:ints!",
    .infer = infer_trees, .run = run_trees};
// clang-format on

const op_def *const ops_tree_ensemble[] = {&trees, NULL};
