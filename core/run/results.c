/* results.c - see results.h. Separate from execution because inside a session values share memory
 * freely, and only here that has to end. */
#include "run/results.h"

/* Nobody else refers to this memory. */
static bool alone(const heed_tensor *t)
{
    if (t->owner && atomic_load(&t->owner->references) != 1)
        return false;
    for (size_t i = 0; i < t->n_items; i++)
        if (!alone(t->items[i]))
            return false;
    return true;
}

static heed_status copy_deep(const heed_tensor *from, heed_tensor **out);

static heed_status copy_items(const heed_tensor *from, heed_tensor *to)
{
    heed_tensor **items = mem_array(from->n_items, sizeof(*items));
    heed_status status = items ? HEED_OK : HEED_NOMEM;
    size_t n = 0;
    while (!status && n < from->n_items) {
        status = copy_deep(from->items[n], &items[n]);
        n += !status;
    }
    if (!status)
        status = tensor_set_items(to, from->kind, from->dtype, n, items);
    else
        for (size_t i = 0; i < n; i++)
            tensor_free(items[i]);
    mem_free(items);
    return status;
}

static heed_status copy_deep(const heed_tensor *from, heed_tensor **out)
{
    heed_status status;
    if (from->kind == HEED_TENSOR) {
        TRY(tensor_new(from->dtype, tensor_rank(from), from->dims, out));
        status = tensor_copy_content(*out, from);
    } else {
        TRY(tensor_new_empty(out));
        status = copy_items(from, *out);
    }
    if (status)
        tensor_free(*out);
    return status;
}

static heed_status make_own(heed_tensor **t)
{
    heed_tensor *copy;
    if (alone(*t))
        return HEED_OK;
    TRY(copy_deep(*t, &copy));
    tensor_free(*t);
    *t = copy;
    return HEED_OK;
}

heed_status results_hand_over(heed_tensor **all, uint32_t n, const uint32_t *asked, size_t n_out,
                              heed_tensor **out)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < n_out && !status; i++)
        if (!out[i])
            status = make_own(&all[asked[i]]);
    for (size_t i = 0; i < n_out; i++) {
        if (out[i]) /* the caller's own */
            all[asked[i]] = NULL;
        if (out[i] || status)
            continue;
        out[i] = all[asked[i]];
        all[asked[i]] = NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        tensor_free(all[i]);
    return status;
}
