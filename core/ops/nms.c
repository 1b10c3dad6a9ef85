/* nms.c - NonMaxSuppression: of boxes that overlap, those with the best scores. Its shape depends
 * on data. */
#include <math.h>
#include <stdlib.h>

#include "ops/op.h"

enum { BOXES, SCORES, MOST, IOU, SCORE };

static heed_status infer_nms(op_infer *c)
{
    ir_dim dims[2] = {DIM_UNKNOWN, 3};
    for (uint32_t i = BOXES; i <= SCORES; i++)
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 3)
            return infer_error(c, "boxes and scores of rank 3", "rank %d", infer_rank(c, i));
    ir_dim four = infer_dim(c, BOXES, 2), boxes = infer_dim(c, BOXES, 1);
    ir_dim scores = infer_dim(c, SCORES, 2);
    ir_dim images = infer_dim(c, BOXES, 0), scored = infer_dim(c, SCORES, 0);
    if (dim_known(four) && four != 4)
        return infer_error(c, "boxes of 4 numbers", "%lld", (long long)four);
    if ((dim_known(boxes) && dim_known(scores) && boxes != scores) ||
        (dim_known(images) && dim_known(scored) && images != scored))
        return infer_error(c, "a score for each box", "%lldx%lld for %lldx%lld", (long long)scored,
                           (long long)scores, (long long)images, (long long)boxes);
    return infer_set(c, 0, 0, 2, dims);
}

typedef struct box {
    double low[2], high[2];
} box;

typedef struct candidate {
    float score;
    int64_t index;
} candidate;

typedef struct selection {
    int64_t images, classes, boxes, most;
    float iou, score;
    bool has_score, centre;
    box *all; /* of one image */
    candidate *candidates;
    int64_t *chosen; /* (image, class, box) each */
    int64_t n, capacity;
} selection;

/* Corners may be given in any order. */
static box make_box(const float *x, bool centre)
{
    box b;
    for (int i = 0; i < 2; i++) {
        double first = (double)x[i], second = (double)x[i + 2];
        double half = second / 2.0;
        b.low[i] = centre ? first - half : fmin(first, second);
        b.high[i] = centre ? first + half : fmax(first, second);
    }
    return b;
}

static double area(const box *b) { return (b->high[0] - b->low[0]) * (b->high[1] - b->low[1]); }

/* Is the share that two boxes have of what they cover together above the limit? */
static bool overlap(const box *a, const box *b, float limit)
{
    double common = 1.0;
    for (int i = 0; i < 2; i++)
        common *= fmax(fmin(a->high[i], b->high[i]) - fmax(a->low[i], b->low[i]), 0.0);
    double both = area(a) + area(b) - common;
    if (!(common > 0.0) || !(area(a) > 0.0) || !(area(b) > 0.0) || !(both > 0.0))
        return false;
    return (float)(common / both) > limit;
}

/* Best score first; of equal ones the first box. NaN comes last. */
static int by_score(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    if (a->score > b->score || (isnan(b->score) && !isnan(a->score)))
        return -1;
    if (a->score < b->score || (isnan(a->score) && !isnan(b->score)))
        return 1;
    return a->index < b->index ? -1 : 1;
}

/* Room for one more; the list doubles, so that all of it costs no more than twice its end. */
static heed_status grow(op_call *c, selection *s)
{
    if (s->n < s->capacity)
        return HEED_OK;
    int64_t capacity = s->capacity ? 2 * s->capacity : 64;
    int64_t *chosen = call_scratch(c, (size_t)capacity * 3 * sizeof(int64_t));
    if (!chosen)
        return err_get()->status;
    for (int64_t i = 0; i < 3 * s->n; i++)
        chosen[i] = s->chosen[i];
    s->chosen = chosen;
    s->capacity = capacity;
    return HEED_OK;
}

static heed_status select_class(op_call *c, selection *s, int64_t image, int64_t class)
{
    int64_t n = 0, first = s->n;
    const heed_tensor *scores = c->in[SCORES];
    for (int64_t i = 0; i < s->boxes; i++) {
        candidate one = {.index = i};
        dtype_load_f32(scores->dtype, tensor_data(scores),
                       (image * s->classes + class) * s->boxes + i, 1, &one.score);
        if (!s->has_score || one.score > s->score)
            s->candidates[n++] = one;
    }
    qsort(s->candidates, (size_t)n, sizeof(candidate), by_score);
    for (int64_t i = 0; i < n && s->n - first < s->most; i++) {
        int64_t index = s->candidates[i].index;
        bool free_standing = true;
        for (int64_t k = first; k < s->n && free_standing; k++)
            free_standing = !overlap(&s->all[s->chosen[3 * k + 2]], &s->all[index], s->iou);
        if (!free_standing)
            continue;
        TRY(grow(c, s));
        s->chosen[3 * s->n] = image;
        s->chosen[3 * s->n + 1] = class;
        s->chosen[3 * s->n++ + 2] = index;
    }
    return HEED_OK;
}

static bool scalar(const op_call *c, uint32_t i)
{
    return call_has(c, i) && tensor_count(c->in[i]);
}

static heed_status select_all(op_call *c, selection *s)
{
    const heed_tensor *boxes = c->in[BOXES];
    s->all = call_scratch(c, (size_t)s->boxes * sizeof(box) + 1);
    s->candidates = call_scratch(c, (size_t)s->boxes * sizeof(candidate) + 1);
    if (!s->all || !s->candidates)
        return err_get()->status;
    for (int64_t image = 0; image < s->images; image++) {
        for (int64_t i = 0; i < s->boxes; i++) {
            float corners[4];
            dtype_load_f32(boxes->dtype, tensor_data(boxes), 4 * (image * s->boxes + i), 4,
                           corners);
            s->all[i] = make_box(corners, s->centre);
        }
        for (int64_t class = 0; class < s->classes; class ++)
            TRY(select_class(c, s, image, class));
    }
    return HEED_OK;
}

static heed_status run_nms(op_call *c)
{
    const heed_tensor *boxes = c->in[BOXES], *scores = c->in[SCORES];
    selection s = {
        .images = boxes->dims[0],
        .classes = scores->dims[1],
        .boxes = boxes->dims[1],
        .most = scalar(c, MOST) ? tensor_get_int(c->in[MOST], 0) : 0,
        .iou = scalar(c, IOU) ? (float)tensor_get_float(c->in[IOU], 0) : 0.0f,
        .score = scalar(c, SCORE) ? (float)tensor_get_float(c->in[SCORE], 0) : 0.0f,
        .has_score = scalar(c, SCORE),
        .centre = ir_attr_int(c->node, "center_point_box", 0) != 0,
    };
    if (!(s.iou >= 0.0f && s.iou <= 1.0f))
        return call_error(c, HEED_INVALID, "iou_threshold %g is not in [0, 1]", (double)s.iou);
    if (s.most > 0)
        TRY(select_all(c, &s));
    int64_t dims[2] = {s.n, 3};
    TRY(call_output(c, 0, HEED_INT64, 2, dims));
    if (call_out(c, 0))
        dtype_store_i64(HEED_INT64, tensor_data(c->out[0]), 0, 3 * s.n, s.chosen);
    return HEED_OK;
}

// clang-format off
static const op_def nms = {
    .domain = "", .name = "NonMaxSuppression", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "boxes:float32, scores:float32, max_output_boxes_per_class:int64?, "
                 "iou_threshold:float32?, score_threshold:float32? -> selected_indices:int64",
    .attrs = "center_point_box:int=0",
    .infer = infer_nms, .run = run_nms};
// clang-format on

const op_def *const ops_nms[] = {&nms, NULL};
