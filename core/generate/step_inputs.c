/* step_inputs.c - see step_inputs.h. One maker for each kind of input, found when the graph is
 * known. */
#include "generate/step_inputs.h"

#include <string.h>

/* One input of the graph. */
typedef struct slot slot;
typedef heed_status slot_maker(slot *s, const paged_step *step);
struct slot {
    const ir_value *value;
    slot_maker *make; /* NULL: given, or pages */
    bool pages;
    heed_tensor *tensor; /* what was made last */
    int64_t n_tokens;    /* of the step */
};

struct step_inputs {
    slot *slots;
    size_t n;
    const ir_value **pages;
    size_t n_pages;
};

/* The slot's tensor with these extents; what is in it is not cleared. */
static heed_status reshape(slot *s, heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    if (!s->tensor)
        TRY(tensor_new_empty(&s->tensor));
    TRY(tensor_shape_set(s->tensor, dtype, rank, dims));
    size_t bytes = tensor_bytes(s->tensor);
    if (s->tensor->owner && s->tensor->owner->bytes >= bytes)
        return HEED_OK;
    buffer *bigger = buffer_new(bytes + bytes / 2 + 64);
    if (!bigger)
        return HEED_NOMEM;
    buffer_unref(s->tensor->owner);
    s->tensor->owner = bigger;
    s->tensor->dl.data = bigger->data;
    return HEED_OK;
}

/* [T] or [1, T], as the graph wants it. */
static heed_status reshape_tokens(slot *s)
{
    int64_t dims[] = {1, 1};
    const ir_type *type = &s->value->type;
    dims[type->rank - 1] = s->n_tokens;
    return reshape(s, type->dtype, type->rank, dims);
}

/* ---- Makers -----------------------------------------------------------------------------------
 */

static size_t past_of(const paged_step *step, uint32_t i)
{
    return step->tables[i]->n_tokens - step->counts[i];
}

static heed_status make_starts(slot *s, const paged_step *step)
{
    int64_t n = step->n_sequences, more = n + 1;
    TRY(reshape(s, HEED_INT32, 1, &more));
    int32_t *starts = tensor_data(s->tensor);
    starts[0] = 0;
    for (int64_t i = 0; i < n; i++)
        starts[i + 1] = starts[i] + (int32_t)step->counts[i];
    return HEED_OK;
}

static heed_status make_past(slot *s, const paged_step *step)
{
    int64_t n = step->n_sequences;
    TRY(reshape(s, HEED_INT32, 1, &n));
    int32_t *past = tensor_data(s->tensor);
    for (uint32_t i = 0; i < step->n_sequences; i++)
        past[i] = (int32_t)past_of(step, i);
    return HEED_OK;
}

/* Only few widths occur, since steps are planned for each. */
static int64_t table_width(const paged_step *step)
{
    size_t width = 4;
    for (uint32_t i = 0; i < step->n_sequences; i++)
        while (width < step->tables[i]->n_pages)
            width += width / 2;
    return (int64_t)width;
}

static heed_status make_table(slot *s, const paged_step *step)
{
    int64_t dims[] = {step->n_sequences, table_width(step)};
    TRY(reshape(s, HEED_INT32, 2, dims));
    int32_t *row = tensor_data(s->tensor);
    for (uint32_t i = 0; i < step->n_sequences; i++, row += dims[1]) {
        const page_table *t = step->tables[i];
        memcpy(row, t->pages, t->n_pages * sizeof(*row));
        memset(row + t->n_pages, 0, ((size_t)dims[1] - t->n_pages) * sizeof(*row));
    }
    return HEED_OK;
}

/* The most tokens of a sequence. */
static heed_status make_reach(slot *s, const paged_step *step)
{
    int64_t one = 1, most = 1;
    TRY(reshape(s, HEED_INT64, 1, &one));
    for (uint32_t i = 0; i < step->n_sequences; i++)
        if ((int64_t)step->tables[i]->n_tokens > most)
            most = (int64_t)step->tables[i]->n_tokens;
    *(int64_t *)tensor_data(s->tensor) = most;
    return HEED_OK;
}

static heed_status make_rows(slot *s, const paged_step *step)
{
    int64_t n = step->n_rows;
    TRY(reshape(s, HEED_INT64, 1, &n));
    int64_t *rows = tensor_data(s->tensor);
    for (uint32_t i = 0; i < step->n_rows; i++)
        rows[i] = step->rows[i];
    return HEED_OK;
}

static heed_status make_positions(slot *s, const paged_step *step)
{
    int64_t n = 0;
    TRY(reshape_tokens(s));
    for (uint32_t i = 0; i < step->n_sequences; i++)
        for (uint32_t k = 0; k < step->counts[i]; k++, n++) {
            double at = (double)(past_of(step, i) + k);
            dtype_store_f64(s->tensor->dtype, tensor_data(s->tensor), n, 1, &at, false);
        }
    return HEED_OK;
}

static heed_status make_tokens(slot *s, const paged_step *step)
{
    int64_t n = 0;
    if (!step->tokens)
        return HEED_NOTFOUND;
    TRY(reshape_tokens(s));
    for (uint32_t i = 0; i < step->n_sequences; i++)
        for (uint32_t k = 0; k < step->counts[i]; k++, n++) {
            int64_t token = step->tokens[i][k];
            dtype_store_i64(s->tensor->dtype, tensor_data(s->tensor), n, 1, &token);
        }
    return HEED_OK;
}

/* Kinds of tokens, where nobody gives them. */
static heed_status make_zeros(slot *s, const paged_step *step)
{
    if (!step->tokens)
        return HEED_NOTFOUND;
    TRY(reshape_tokens(s));
    memset(tensor_data(s->tensor), 0, tensor_bytes(s->tensor));
    return HEED_OK;
}

/* ---- Which ------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    slot_maker *make;
} own[] = {
    {"heed.starts", make_starts}, {"heed.past", make_past},           {"heed.table", make_table},
    {"heed.rows", make_rows},     {"heed.positions", make_positions}, {"heed.reach", make_reach},
};

/* By role, of inputs that the file has; integers of tokens alone. */
static slot_maker *const by_role[] = {
    [PAGING_KEPT] = make_zeros,
    [PAGING_TOKENS] = make_tokens,
    [PAGING_POSITIONS] = make_positions,
};

static const char *const page_names[] = {"heed.key_pages.", "heed.value_pages.", "heed.key_scales.",
                                         "heed.value_scales."};

static bool is_pages(const char *name)
{
    for (size_t i = 0; i < sizeof(page_names) / sizeof(*page_names); i++)
        if (strncmp(name, page_names[i], strlen(page_names[i])) == 0)
            return true;
    return false;
}

static slot_maker *find_maker(const ir_value *v, const pass_paging *about)
{
    bool flat = v->type.rank == 1 || v->type.rank == 2;
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strcmp(own[i].name, v->name) == 0)
            return own[i].make;
    for (uint32_t i = 0; flat && i < about->n_inputs; i++) {
        size_t role = (size_t)about->inputs[i].role;
        if (strcmp(about->inputs[i].name, v->name) == 0)
            return role < sizeof(by_role) / sizeof(*by_role) ? by_role[role] : NULL;
    }
    return NULL;
}

static heed_status find_all(step_inputs *s, const ir_graph *g, const pass_paging *about)
{
    s->slots = mem_array(g->n_inputs, sizeof(*s->slots));
    s->pages = mem_array(g->n_inputs, sizeof(*s->pages));
    if (!s->slots || !s->pages)
        return HEED_NOMEM;
    s->n = g->n_inputs;
    for (size_t i = 0; i < s->n; i++) {
        const ir_value *v = g->inputs[i];
        s->slots[i] = (slot){.value = v, .pages = is_pages(v->name)};
        if (s->slots[i].pages)
            s->pages[s->n_pages++] = v;
        else
            s->slots[i].make = find_maker(v, about);
    }
    return HEED_OK;
}

heed_status step_inputs_new(const ir_graph *g, const pass_paging *about, step_inputs **out)
{
    step_inputs *s = mem_zero(sizeof(*s));
    *out = NULL;
    if (!s)
        return HEED_NOMEM;
    heed_status status = find_all(s, g, about);
    if (status)
        step_inputs_free(s);
    else
        *out = s;
    return status;
}

void step_inputs_free(step_inputs *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        tensor_free(s->slots[i].tensor);
    mem_free(s->slots);
    mem_free(s->pages);
    mem_free(s);
}

size_t step_inputs_pages(const step_inputs *s, const ir_value *const **out)
{
    *out = s->pages;
    return s->n_pages;
}

/* ---- A step -----------------------------------------------------------------------------------
 */

static const heed_tensor *find_given(const paged_step *step, const char *name)
{
    for (size_t i = 0; i < step->n_inputs; i++)
        if (strcmp(step->names[i], name) == 0)
            return step->inputs[i];
    return decoder_side_get(step->side, name);
}

heed_status step_inputs_fill(step_inputs *s, const paged_step *step, const heed_tensor **in)
{
    int64_t n_tokens = 0;
    bool asks = step->n_inputs > 0 || step->side;
    for (uint32_t i = 0; i < step->n_sequences; i++)
        n_tokens += step->counts[i];
    for (size_t i = 0; i < s->n; i++) {
        slot *k = &s->slots[i];
        heed_status status = HEED_NOTFOUND;
        in[i] = asks && !k->pages ? find_given(step, k->value->name) : NULL;
        if (!in[i] && !k->make)
            in[i] = k->value->constant; /* the default, where it has one */
        if (in[i] || k->pages)
            continue;
        k->n_tokens = n_tokens;
        if (k->make)
            status = k->make(k, step);
        if (status == HEED_NOTFOUND)
            return err_fail(HEED_USAGE, "the input \"%s\" is missing", k->value->name);
        TRY(status);
        in[i] = k->tensor;
    }
    return HEED_OK;
}
