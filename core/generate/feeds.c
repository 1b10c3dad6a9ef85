/* feeds.c - see feeds.h. */
#include "generate/feeds.h"

#include <stdio.h>
#include <string.h>

#include "passes/paging/roles.h"

/* ---- What a model wants -----------------------------------------------------------------------
 */

static bool is_wanted(const char *name, const char *const *wanted, uint32_t n)
{
    for (uint32_t i = 0; wanted && i < n; i++)
        if (strcmp(wanted[i], name) == 0)
            return true;
    return !wanted;
}

/* Side inputs are those of a decoder; where they look up a table, they are an encoder's tokens. */
static int kind_of(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type;
    if (i == r->unclear[0] || i == r->unclear[1])
        return FEED_GIVEN;
    if (r->role[i] == PAGING_TOKENS)
        return FEED_TOKENS;
    if (r->role[i] == PAGING_POSITIONS)
        return FEED_POSITIONS;
    if (dtype_is_float(type->dtype) && r->role[i] != PAGING_MASK)
        return FEED_GIVEN;
    if (r->role[i] == PAGING_KEPT)
        return FEED_ZEROS;
    if (r->rows[i] > 0)
        return FEED_TOKENS;
    return type->rank == 1 || type->rank == 2 ? FEED_MASK : FEED_GIVEN;
}

heed_status feeds_find(const heed_model *m, const char *const *wanted, uint32_t n_wanted,
                       arena *memory, feeds *out)
{
    size_t n = heed_model_get_input_count(m);
    decoder_roles roles;
    *out = (feeds){0};
    TRY(roles_find(m->ir, memory, &roles));
    out->all = arena_array(memory, n, sizeof(*out->all));
    if (!out->all)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const heed_value_info *info = heed_model_get_input(m, i);
        if (info->optional || !is_wanted(info->name, wanted, n_wanted))
            continue;
        out->all[out->n++] =
            (feed){.info = info, .kind = kind_of(&roles, i), .added = roles.added[i]};
    }
    return HEED_OK;
}

bool feeds_take_tokens(const feeds *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->all[i].kind == FEED_TOKENS)
            return true;
    return false;
}

const char *feeds_describe(const heed_value_info *info, char *text, size_t size)
{
    int at = snprintf(text, size, "\"%s\" %s [", info->name, heed_dtype_name(info->dtype));
    for (int32_t k = 0; k < info->ndim && at >= 0 && (size_t)at < size; k++) {
        const char *comma = k ? ", " : "";
        at +=
            info->symbols[k]
                ? snprintf(text + at, size - (size_t)at, "%s%s", comma, info->symbols[k])
                : snprintf(text + at, size - (size_t)at, "%s%lld", comma, (long long)info->dims[k]);
    }
    if (at >= 0 && (size_t)at < size)
        snprintf(text + at, size - (size_t)at, "]");
    return text;
}

/* ---- What is there before anything is made ----------------------------------------------------
 */

typedef struct filling {
    const feeds *f;
    const feed_source *source;
    heed_tensor **out;
} filling;

static const heed_tensor *find_given(const feed_request *r, const char *name)
{
    for (size_t i = 0; i < r->n_inputs; i++)
        if (strcmp(r->names[i], name) == 0)
            return r->inputs[i];
    return NULL;
}

static heed_status copy(const heed_tensor *from, int32_t rank, const int64_t *dims,
                        heed_tensor **out)
{
    TRY(tensor_new(from->dtype, rank, dims, out));
    if (tensor_bytes(from))
        memcpy(tensor_data(*out), tensor_data(from), tensor_bytes(from));
    return HEED_OK;
}

/* A batch of one may be left out. */
static heed_status copy_given(const heed_value_info *info, const heed_tensor *given,
                              heed_tensor **out)
{
    int64_t dims[TENSOR_MAX_RANK + 1] = {1};
    int32_t rank = tensor_rank(given);
    bool add = info->ndim == rank + 1 && rank < TENSOR_MAX_RANK;
    if (rank)
        memcpy(dims + add, given->dims, (size_t)rank * sizeof(*dims));
    if (rank + add == info->ndim && info->ndim > 1 && dims[0] != 1)
        return err_fail(HEED_USAGE, "the input \"%s\" is a batch of %lld; a request has one",
                        info->name, (long long)dims[0]);
    return copy(given, rank + add, dims, out);
}

static heed_status make_tokens(const filling *w, const heed_value_info *info, heed_tensor **out)
{
    const feed_request *r = w->source->request;
    int64_t dims[] = {1, (int64_t)r->n_tokens};
    if (r->n_tokens == 0)
        return err_fail(HEED_INVALID, "the prompt is empty");
    if (info->ndim != 1 && info->ndim != 2)
        return err_fail(HEED_UNSUPPORTED, "the input \"%s\" of tokens has %d dims", info->name,
                        info->ndim);
    TRY(tensor_new(info->dtype, info->ndim, dims + (info->ndim == 1), out));
    for (size_t i = 0; i < r->n_tokens; i++) {
        int64_t token = r->tokens[i];
        dtype_store_i64(info->dtype, tensor_data(*out), (int64_t)i, 1, &token);
    }
    return HEED_OK;
}

static heed_status fill_first(const filling *w, uint32_t i)
{
    const feed *f = &w->f->all[i];
    const heed_tensor *given = find_given(w->source->request, f->info->name);
    char text[256];
    if (given)
        return copy_given(f->info, given, &w->out[i]);
    if (f->kind == FEED_TOKENS)
        return make_tokens(w, f->info, &w->out[i]);
    if (f->kind == FEED_RESULT) {
        const heed_tensor *t = w->source->results[f->result];
        return copy(t, tensor_rank(t), t->dims, &w->out[i]);
    }
    if (f->kind == FEED_GIVEN)
        return err_fail(HEED_USAGE, "the request must give the input %s",
                        feeds_describe(f->info, text, sizeof(text)));
    return HEED_OK;
}

/* ---- What goes with it ------------------------------------------------------------------------
 */

/* The extent that another input has by the same name; without one, as many as there are tokens. */
static int64_t find_extent(const filling *w, const heed_value_info *info, int32_t axis)
{
    int64_t most = (int64_t)w->source->request->n_tokens;
    if (!info->symbols[axis])
        return info->dims[axis];
    if (axis == 0 && info->ndim > 1)
        return 1;
    for (uint32_t i = 0; i < w->f->n; i++) {
        const heed_value_info *other = w->f->all[i].info;
        for (int32_t k = 0; w->out[i] && k < other->ndim; k++)
            if (other->symbols[k] && strcmp(other->symbols[k], info->symbols[axis]) == 0)
                return w->out[i]->dims[k];
    }
    for (uint32_t i = 0; i < w->f->n; i++)
        if (w->out[i] && tensor_rank(w->out[i]) == 3)
            return w->out[i]->dims[1];
    return most;
}

/* The mask of the model before it, which this one is told, too. */
static const heed_tensor *find_mask(const filling *w)
{
    const feeds *before = w->source->before;
    for (uint32_t i = 0; before && w->source->fed && i < before->n; i++)
        if (before->all[i].kind == FEED_MASK)
            return w->source->fed[i];
    return NULL;
}

/* Its extents, and its truths in this one's type. */
static heed_status copy_mask(const filling *w, uint32_t i, const heed_tensor *mask)
{
    TRY(tensor_new(w->f->all[i].info->dtype, tensor_rank(mask), mask->dims, &w->out[i]));
    for (int64_t k = 0; k < heed_tensor_get_count(mask); k++) {
        double x;
        TRY(heed_tensor_read_f64(mask, k, 1, &x));
        TRY(heed_tensor_write_f64(w->out[i], k, 1, &x));
    }
    return HEED_OK;
}

static heed_status fill_second(const filling *w, uint32_t i)
{
    const feed *f = &w->f->all[i];
    int64_t dims[TENSOR_MAX_RANK];
    if (f->info->ndim < 0 || f->info->ndim > TENSOR_MAX_RANK)
        return err_fail(HEED_USAGE, "the request must give the input \"%s\"", f->info->name);
    const heed_tensor *mask = f->kind == FEED_MASK && !f->added ? find_mask(w) : NULL;
    if (mask && tensor_rank(mask) == f->info->ndim)
        return copy_mask(w, i, mask);
    for (int32_t k = 0; k < f->info->ndim; k++)
        dims[k] = find_extent(w, f->info, k);
    TRY(tensor_new(f->info->dtype, f->info->ndim, dims, &w->out[i]));
    for (int64_t k = 0; k < heed_tensor_get_count(w->out[i]); k++) {
        double x = f->kind == FEED_POSITIONS ? (double)k : f->kind == FEED_MASK && !f->added;
        TRY(heed_tensor_write_f64(w->out[i], k, 1, &x));
    }
    return HEED_OK;
}

heed_status feeds_fill(const feeds *f, const feed_source *source, heed_tensor **out)
{
    filling w = {f, source, out};
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < f->n; i++)
        out[i] = NULL;
    for (uint32_t i = 0; i < f->n && !status; i++)
        status = fill_first(&w, i);
    for (uint32_t i = 0; i < f->n && !status; i++)
        if (!out[i])
            status = fill_second(&w, i);
    for (uint32_t i = 0; status && i < f->n; i++) {
        tensor_free(out[i]);
        out[i] = NULL;
    }
    return status;
}
