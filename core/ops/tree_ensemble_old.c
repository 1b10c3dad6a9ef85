/* tree_ensemble_old.c - TreeEnsembleRegressor and TreeEnsembleClassifier: nodes are named by tree
 * and number, leaves are nodes too, and a leaf may have several votes. */
#include <string.h>

#include "base/map.h"
#include "ops/forest.h"
#include "ops/loops.h"
#include "ops/scores.h"

#define ML "ai.onnx.ml"

/* ---- From lists to a forest ------------------------------------------------------------------ */

typedef struct node_name {
    int64_t tree, node;
} node_name;

typedef struct builder {
    op_call *call;
    const char *votes; /* "class" or "target": the prefix of the votes' attributes */
    forest *f;
    int64_t n; /* nodes and leaves together */
    node_name *names;
    int64_t *feature, *to[2], *missing;
    double *split;
    const heed_string *modes;
    int64_t *place; /* of entry i among the nodes, or among the leaves */
    bool *is_leaf;
    map index; /* name -> entry + 1 */
} builder;

static const char *const test_names[FOREST_TESTS] = {"BRANCH_LEQ",   "BRANCH_LT", "BRANCH_GTE",
                                                     "BRANCH_GT",    "BRANCH_EQ", "BRANCH_NEQ",
                                                     "BRANCH_MEMBER"};

static bool mode_is(heed_string mode, const char *name)
{
    return mode.size == strlen(name) && memcmp(mode.data, name, mode.size) == 0;
}

/* A list that has an entry for each node. */
static heed_status read_ints(builder *b, const char *name, int64_t **out)
{
    int64_t n;
    TRY(forest_ints(b->call, name, &n, out));
    return forest_same_length(b->call, "nodes_treeids", b->n, name, n);
}

static heed_status read_modes(builder *b)
{
    const ir_attr *modes = ir_node_attr(b->call->node, "nodes_modes");
    b->modes = modes ? modes->view.strings : NULL;
    return forest_same_length(b->call, "nodes_treeids", b->n, "nodes_modes",
                              modes ? (int64_t)modes->view.n : 0);
}

/* Thresholds are floats, or a tensor of doubles. */
static heed_status read_reals(op_call *c, const char *floats, const char *tensor, int64_t *n,
                              double **values)
{
    TRY(forest_reals(c, tensor, n, values));
    return *n ? HEED_OK : forest_reals(c, floats, n, values);
}

static heed_status read_nodes(builder *b)
{
    op_call *c = b->call;
    int64_t n, *trees, *ids;
    TRY(forest_ints(c, "nodes_treeids", &b->n, &trees));
    TRY(read_ints(b, "nodes_nodeids", &ids));
    TRY(read_ints(b, "nodes_featureids", &b->feature));
    TRY(read_ints(b, "nodes_falsenodeids", &b->to[0]));
    TRY(read_ints(b, "nodes_truenodeids", &b->to[1]));
    TRY(read_modes(b));
    TRY(read_reals(c, "nodes_values", "nodes_values_as_tensor", &n, &b->split));
    TRY(forest_same_length(c, "nodes_treeids", b->n, "nodes_values", n));
    TRY(forest_ints(c, "nodes_missing_value_tracks_true", &n, &b->missing));
    if (n == 0)
        b->missing = NULL;
    else
        TRY(forest_same_length(c, "nodes_treeids", b->n, "nodes_missing_value_tracks_true", n));
    b->names = call_scratch(c, (size_t)b->n * sizeof *b->names + 1);
    if (!b->names)
        return HEED_NOMEM;
    for (int64_t i = 0; i < b->n; i++) {
        b->names[i] = (node_name){trees[i], ids[i]};
        TRY(map_put(&b->index, &b->names[i], sizeof b->names[i], (void *)(uintptr_t)(i + 1)));
    }
    return HEED_OK;
}

static int64_t entry_of(const builder *b, int64_t tree, int64_t node)
{
    node_name name = {tree, node};
    return (int64_t)(uintptr_t)map_get(&b->index, &name, sizeof name) - 1;
}

static forest_branch branch_to(const builder *b, int64_t entry)
{
    return entry < 0 ? (forest_branch){-1, false}
                     : (forest_branch){b->place[entry], b->is_leaf[entry]};
}

/* Entries become nodes and leaves, each numbered in its own row. */
static heed_status place_entries(builder *b)
{
    forest *f = b->f;
    b->place = call_scratch(b->call, (size_t)b->n * sizeof *b->place + 1);
    b->is_leaf = call_scratch(b->call, (size_t)b->n + 1);
    f->nodes = call_scratch(b->call, (size_t)b->n * sizeof *f->nodes + 1);
    f->roots = call_scratch(b->call, (size_t)b->n * sizeof *f->roots + 1);
    if (!b->place || !b->is_leaf || !f->nodes || !f->roots)
        return HEED_NOMEM;
    for (int64_t i = 0; i < b->n; i++) {
        b->is_leaf[i] = mode_is(b->modes[i], "LEAF");
        b->place[i] = b->is_leaf[i] ? f->n_leaves++ : f->n_nodes++;
    }
    return HEED_OK;
}

static heed_status make_node(builder *b, int64_t i)
{
    forest_node *node = &b->f->nodes[b->place[i]];
    int64_t tree = b->names[i].tree;
    int test = 0;
    while (test < FOREST_MEMBER && !mode_is(b->modes[i], test_names[test]))
        test++;
    if (test == FOREST_MEMBER)
        return call_error(b->call, HEED_INVALID, "the mode of node %lld is \"%.*s\"", (long long)i,
                          (int)(b->modes[i].size < 40 ? b->modes[i].size : 40),
                          b->modes[i].data ? b->modes[i].data : "");
    *node = (forest_node){.test = (forest_test)test,
                          .missing = b->missing && b->missing[i],
                          .feature = b->feature[i],
                          .split = b->split[i]};
    for (int k = 0; k < 2; k++)
        node->branch[k] = branch_to(b, entry_of(b, tree, b->to[k][i]));
    return HEED_OK;
}

/* The first entry of each tree is its root. */
static heed_status make_nodes(builder *b)
{
    map trees = {0};
    heed_status status = HEED_OK;
    for (int64_t i = 0; i < b->n && !status; i++) {
        const int64_t *tree = &b->names[i].tree;
        if (!b->is_leaf[i])
            status = make_node(b, i);
        if (status || map_get(&trees, tree, sizeof *tree))
            continue;
        status = map_put(&trees, tree, sizeof *tree, b);
        b->f->roots[b->f->n_roots++] = branch_to(b, i);
    }
    map_free(&trees);
    return status;
}

typedef struct ballots {
    int64_t n, *leaf; /* -1: for no leaf */
    int64_t *target;
    double *weight;
} ballots;

static heed_status read_ballots(builder *b, ballots *v)
{
    op_call *c = b->call;
    int64_t n, *trees, *ids;
    bool class = strcmp(b->votes, "class") == 0;
    TRY(forest_ints(c, class ? "class_treeids" : "target_treeids", &v->n, &trees));
    TRY(forest_ints(c, class ? "class_nodeids" : "target_nodeids", &n, &ids));
    TRY(forest_same_length(c, "treeids of votes", v->n, "nodeids", n));
    TRY(forest_ints(c, class ? "class_ids" : "target_ids", &n, &v->target));
    TRY(forest_same_length(c, "treeids of votes", v->n, "ids", n));
    TRY(read_reals(c, class ? "class_weights" : "target_weights",
                   class ? "class_weights_as_tensor" : "target_weights_as_tensor", &n, &v->weight));
    TRY(forest_same_length(c, "treeids of votes", v->n, "weights", n));
    v->leaf = call_scratch(c, (size_t)n * sizeof *v->leaf + 1);
    if (!v->leaf)
        return HEED_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        int64_t entry = entry_of(b, trees[i], ids[i]);
        v->leaf[i] = entry >= 0 && b->is_leaf[entry] ? b->place[entry] : -1;
    }
    return HEED_OK;
}

/* Sorted by leaf, in a leaf in their order. */
static heed_status make_votes(builder *b, const ballots *v)
{
    forest *f = b->f;
    size_t entries = (size_t)f->n_leaves + 1;
    int64_t *next = call_scratch(b->call, entries * sizeof *next);
    f->votes = call_scratch(b->call, (size_t)v->n * sizeof *f->votes + 1);
    f->first_vote = call_scratch(b->call, entries * sizeof *f->first_vote);
    if (!next || !f->votes || !f->first_vote)
        return HEED_NOMEM;
    for (int64_t i = 0; i < v->n; i++)
        if (v->leaf[i] >= 0)
            f->first_vote[v->leaf[i] + 1]++;
    for (int64_t i = 0; i < f->n_leaves; i++) {
        f->first_vote[i + 1] += f->first_vote[i];
        next[i] = f->first_vote[i];
    }
    for (int64_t i = 0; i < v->n; i++)
        if (v->leaf[i] >= 0)
            f->votes[next[v->leaf[i]]++] = (forest_vote){v->target[i], v->weight[i]};
    return HEED_OK;
}

static heed_status build_with(builder *b, ballots *v)
{
    TRY(read_nodes(b));
    TRY(place_entries(b));
    TRY(make_nodes(b));
    TRY(read_ballots(b, v));
    TRY(make_votes(b, v));
    return forest_check(b->call, b->f);
}

static heed_status build(op_call *c, const char *votes, forest *f, ballots *v)
{
    builder b = {.call = c, .votes = votes, .f = f};
    heed_status status = build_with(&b, v);
    map_free(&b.index);
    return status;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* What one row is computed with. */
typedef struct rows {
    forest f;
    ballots votes;
    int64_t n_features, n_base;
    double *x, *scores, *base;
    bool *has;
    scores_fn *finish;
} rows;

static heed_status open_rows(op_call *c, const char *votes, int64_t n_targets, rows *r)
{
    const char *transform = ir_attr_string(c->node, "post_transform", "NONE");
    *r = (rows){.f = {.n_targets = n_targets}, .n_features = c->in[0]->dims[1]};
    r->finish = scores_by_name(transform);
    if (!r->finish)
        return call_error(c, HEED_INVALID, "the post_transform is \"%.40s\"", transform);
    TRY(build(c, votes, &r->f, &r->votes));
    TRY(read_reals(c, "base_values", "base_values_as_tensor", &r->n_base, &r->base));
    r->x = call_scratch(c, (size_t)r->n_features * sizeof *r->x + 1);
    r->scores = call_scratch(c, ((size_t)n_targets + 2) * sizeof *r->scores);
    r->has = call_scratch(c, (size_t)n_targets + 1);
    return r->x && r->scores && r->has ? HEED_OK : HEED_NOMEM;
}

/* One base value serves all targets. */
static double base_of(const rows *r, int64_t target)
{
    if (r->n_base == 1)
        return r->base[0];
    return target < r->n_base ? r->base[target] : 0;
}

static heed_status score_row(op_call *c, rows *r, forest_sum how, int64_t row)
{
    loop_load(c->in[0], CLASS_F64, row * r->n_features, r->n_features, r->x);
    TRY(forest_run(c, &r->f, how, r->n_features, r->x, r->scores, r->has));
    for (int64_t t = 0; t < r->f.n_targets; t++)
        r->scores[t] += base_of(r, t);
    return HEED_OK;
}

static heed_status infer_rows(op_infer *c, uint32_t o, int64_t columns)
{
    ir_dim dims[2] = {infer_dim(c, 0, 0), columns};
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 2)
        return infer_error(c, "features [batch, feature]", "rank %d", infer_rank(c, 0));
    return infer_set(c, o, HEED_FLOAT32, 2, dims);
}

/* ---- Regressor ------------------------------------------------------------------------------- */

static int64_t count_targets(const ir_node *n)
{
    int64_t targets = ir_attr_int(n, "n_targets", 1);
    return targets > 0 ? targets : 1;
}

static heed_status infer_regressor(op_infer *c) { return infer_rows(c, 0, count_targets(c->node)); }

static heed_status run_regressor(op_call *c)
{
    static const char *const names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    const char *name = ir_attr_string(c->node, "aggregate_function", "SUM");
    heed_tensor *out = call_out(c, 0);
    rows r;
    int how = 0;
    while (how < 4 && strcmp(name, names[how]) != 0)
        how++;
    if (how == 4)
        return call_error(c, HEED_INVALID, "the aggregate_function is \"%.40s\"", name);
    TRY(open_rows(c, "target", count_targets(c->node), &r));
    for (int64_t row = 0; out && row < out->dims[0]; row++) {
        TRY(score_row(c, &r, (forest_sum)how, row));
        r.finish(r.f.n_targets, r.scores);
        loop_store(out, CLASS_F64, row * r.f.n_targets, r.f.n_targets, r.scores);
    }
    return HEED_OK;
}

/* ---- Classifier ------------------------------------------------------------------------------ */

static scores_labels labels_of(const ir_node *n)
{
    return scores_labels_of(n, "classlabels_int64s", "classlabels_strings");
}

static heed_status infer_classifier(op_infer *c)
{
    scores_labels l = labels_of(c->node);
    if (l.n == 0)
        return infer_error(c, "classlabels_int64s or classlabels_strings", "none");
    TRY(scores_infer_labels(c, &l, infer_dim(c, 0, 0)));
    return infer_rows(c, 1, (int64_t)l.n);
}

/* Two classes, and all votes are for one: they say how much the second class is it. */
typedef struct binary {
    bool is;
    bool probability; /* no vote is negative: the score is one, not a margin */
} binary;

static binary is_binary(const rows *r, const scores_labels *l)
{
    binary b = {.is = l->n == 2, .probability = true};
    for (int64_t i = 0; i < r->votes.n; i++) {
        b.is = b.is && r->votes.target[i] == r->votes.target[0];
        b.probability = b.probability && r->votes.weight[i] >= 0;
    }
    return b;
}

/* Votes for the first class alone are meant for the second one; of the other one they give nothing
 * away. Which class it is. */
static int64_t finish_binary(rows *r, const binary *b)
{
    int64_t target = r->votes.n ? r->votes.target[0] : 0;
    double score = r->scores[target];
    if (target == 0)
        scores_pair(r->finish, !b->probability, score, r->scores);
    else
        r->finish(2, r->scores);
    return score > (b->probability ? 0.5 : 0);
}

/* One label: is it, or is it not? */
static heed_status set_only_label(op_call *c, const rows *r, int64_t row)
{
    int64_t is = r->scores[0] > 0;
    if (call_out(c, 0))
        dtype_store_i64(HEED_INT64, tensor_data(c->out[0]), row, 1, &is);
    return HEED_OK;
}

static heed_status finish_row(op_call *c, rows *r, const binary *b, const scores_labels *l,
                              int64_t row)
{
    int64_t columns = r->f.n_targets;
    if (columns == 1 && !l->texts) {
        TRY(set_only_label(c, r, row));
        r->finish(1, r->scores);
        return HEED_OK;
    }
    if (b->is)
        return scores_set_label(c, l, row, finish_binary(r, b));
    TRY(scores_set_label(c, l, row, scores_best(columns, r->scores)));
    r->finish(columns, r->scores);
    return HEED_OK;
}

static heed_status run_classifier(op_call *c)
{
    scores_labels l = labels_of(c->node);
    heed_tensor *out = call_out(c, 1);
    int64_t columns = (int64_t)l.n;
    rows r;
    TRY(open_rows(c, "class", columns, &r));
    binary b = is_binary(&r, &l);
    for (int64_t row = 0; row < c->in[0]->dims[0]; row++) {
        TRY(score_row(c, &r, FOREST_SUM, row));
        TRY(finish_row(c, &r, &b, &l, row));
        if (out)
            loop_store(out, CLASS_F64, row * columns, columns, r.scores);
    }
    return HEED_OK;
}

// clang-format off
#define NODES                                                                                       \
    "base_values:floats base_values_as_tensor:tensor nodes_falsenodeids:ints "                      \
    "nodes_featureids:ints nodes_hitrates:floats nodes_hitrates_as_tensor:tensor "                  \
    "nodes_missing_value_tracks_true:ints nodes_modes:strings nodes_nodeids:ints "                  \
    "nodes_treeids:ints nodes_truenodeids:ints nodes_values:floats "                                \
    "nodes_values_as_tensor:tensor post_transform:string=NONE "
static const op_def regressor = {
    .domain = ML, .name = "TreeEnsembleRegressor", .since = 5,
    .signature = "X:T -> Y:float32", .types = "T=float32|float64|int64|int32",
    .attrs = NODES "aggregate_function:string=SUM n_targets:int target_ids:ints "
             "target_nodeids:ints target_treeids:ints target_weights:floats "
             "target_weights_as_tensor:tensor",
    .infer = infer_regressor, .run = run_regressor};
static const op_def classifier = {
    .domain = ML, .name = "TreeEnsembleClassifier", .since = 5,
    .signature = "X:T -> Y:L, Z:float32", .types = "T=float32|float64|int64|int32 L=string|int64",
    .attrs = NODES "class_ids:ints class_nodeids:ints class_treeids:ints class_weights:floats "
             "class_weights_as_tensor:tensor classlabels_int64s:ints classlabels_strings:strings",
    .infer = infer_classifier, .run = run_classifier};
// clang-format on

const op_def *const ops_tree_ensemble_old[] = {&regressor, &classifier, NULL};
