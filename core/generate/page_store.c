/* page_store.c - see page_store.h. */
#include "generate/page_store.h"

#include <string.h>

#include "base/span.h"

enum { HEADS = 1, TOKENS = 2 }; /* axes of pages */

typedef struct page_tensor {
    const ir_value *like;
    size_t page_bytes;
    span memory; /* where the tensor lies; none: in its own, which is copied to grow */
    heed_tensor *tensor;
    heed_tensor *bigger; /* while they grow */
} page_tensor;

struct page_store {
    page_tensor *tensors;
    size_t n;
    uint32_t page_tokens, limit, room;
};

static heed_status make(const page_store *s, const page_tensor *t, uint32_t n_pages, bool own,
                        heed_tensor **out)
{
    int64_t dims[TENSOR_MAX_RANK] = {n_pages};
    int32_t rank = t->like->type.rank;
    for (int32_t i = 1; i < rank; i++)
        dims[i] = i == TOKENS ? s->page_tokens : t->like->type.dims[i];
    if (own)
        return tensor_new(t->like->type.dtype, rank, dims, out);
    TRY(tensor_new_empty(out));
    return tensor_shape_set(*out, t->like->type.dtype, rank, dims);
}

/* ---- Where nothing moves ----------------------------------------------------------------------
 */

static void drop_spans(page_store *s)
{
    for (size_t i = 0; i < s->n; i++) {
        page_tensor *t = &s->tensors[i];
        if (!t->memory.data)
            continue;
        tensor_free(t->tensor);
        t->tensor = NULL;
        span_free(&t->memory);
    }
}

static heed_status take_span(const page_store *s, page_tensor *t)
{
    TRY(make(s, t, s->limit, false, &t->tensor));
    heed_status status = span_new(t->page_bytes * s->limit, &t->memory);
    if (status) {
        tensor_free(t->tensor);
        t->tensor = NULL;
        return status;
    }
    t->tensor->dl.data = t->memory.data;
    return HEED_OK;
}

/* All tensors, or none: then they grow by copying. */
static heed_status take_spans(page_store *s)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < s->n && !status; i++)
        status = take_span(s, &s->tensors[i]);
    if (status)
        drop_spans(s);
    return status == HEED_UNSUPPORTED ? HEED_OK : status;
}

/* ---- Life -------------------------------------------------------------------------------------
 */

static heed_status measure(page_tensor *t, const page_store *s)
{
    heed_tensor *one;
    TRY(make(s, t, 1, false, &one));
    t->page_bytes = tensor_bytes(one);
    tensor_free(one);
    return HEED_OK;
}

static heed_status fill(page_store *s, const ir_value *const *values)
{
    for (size_t i = 0; i < s->n; i++) {
        s->tensors[i].like = values[i];
        TRY(measure(&s->tensors[i], s));
    }
    return s->limit ? take_spans(s) : HEED_OK;
}

heed_status page_store_new(size_t n, const ir_value *const *values, uint32_t page_tokens,
                           uint32_t limit, page_store **out)
{
    page_store *s = mem_zero(sizeof(*s));
    *out = NULL;
    if (!s)
        return HEED_NOMEM;
    *s = (page_store){.n = n, .page_tokens = page_tokens, .limit = limit};
    s->tensors = mem_array(n, sizeof(*s->tensors));
    heed_status status = s->tensors ? fill(s, values) : HEED_NOMEM;
    if (status)
        page_store_free(s);
    else
        *out = s;
    return status;
}

void page_store_free(page_store *s)
{
    if (!s)
        return;
    if (s->tensors)
        drop_spans(s);
    for (size_t i = 0; s->tensors && i < s->n; i++)
        tensor_free(s->tensors[i].tensor);
    mem_free(s->tensors);
    mem_free(s);
}

uint64_t page_store_page_bytes(const page_store *s)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n; i++)
        bytes += s->tensors[i].page_bytes;
    return bytes;
}

uint32_t page_store_room(const page_store *s) { return s->room; }

heed_tensor *page_store_tensor(const page_store *s, size_t i) { return s->tensors[i].tensor; }

/* ---- Growing ----------------------------------------------------------------------------------
 */

static void move(page_store *s, page_tensor *t)
{
    if (t->tensor)
        memcpy(tensor_data(t->bigger), tensor_data(t->tensor), t->page_bytes * s->room);
    tensor_free(t->tensor);
    t->tensor = t->bigger;
    t->bigger = NULL;
}

/* All or none: kernels take keys and values of equally many pages. */
static heed_status grow_all(page_store *s, uint32_t n)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < s->n && !status; i++) {
        page_tensor *t = &s->tensors[i];
        status = t->memory.data ? span_grow(&t->memory, t->page_bytes * n)
                                : make(s, t, n, true, &t->bigger);
    }
    for (size_t i = 0; i < s->n; i++) {
        page_tensor *t = &s->tensors[i];
        if (status) {
            tensor_free(t->bigger);
            t->bigger = NULL;
        } else if (t->bigger) {
            move(s, t);
        }
    }
    if (!status)
        s->room = n;
    return status;
}

/* A copy doubles; where nothing moves an eighth more is enough to make the calls few. */
heed_status page_store_reserve(page_store *s, uint32_t n)
{
    if (n <= s->room)
        return HEED_OK;
    bool moves = s->n == 0 || !s->tensors[0].memory.data;
    uint64_t more = (uint64_t)n + (moves ? s->room : s->room / 8 + 16);
    if (s->limit && more > s->limit)
        more = s->limit;
    if (more > n && more <= INT32_MAX && grow_all(s, (uint32_t)more) == HEED_OK)
        return HEED_OK;
    return grow_all(s, n);
}

/* ---- Bytes ------------------------------------------------------------------------------------
 */

static char *page_at(const page_tensor *t, page_id page)
{
    return (char *)tensor_data(t->tensor) + (size_t)page * t->page_bytes;
}

void page_store_copy(page_store *s, const page_copy *copy)
{
    for (size_t i = 0; copy->to != PAGE_NONE && i < s->n; i++) {
        const page_tensor *t = &s->tensors[i];
        size_t heads = (size_t)t->tensor->dl.shape[HEADS], head = heads ? t->page_bytes / heads : 0;
        size_t bytes = head / s->page_tokens * copy->tokens;
        for (size_t h = 0; h < heads; h++)
            memcpy(page_at(t, copy->to) + h * head, page_at(t, copy->from) + h * head, bytes);
    }
}

void page_store_read(const page_store *s, page_id page, char *to)
{
    for (size_t i = 0; i < s->n; i++) {
        memcpy(to, page_at(&s->tensors[i], page), s->tensors[i].page_bytes);
        to += s->tensors[i].page_bytes;
    }
}

void page_store_write(page_store *s, page_id page, const char *from)
{
    for (size_t i = 0; i < s->n; i++) {
        memcpy(page_at(&s->tensors[i], page), from, s->tensors[i].page_bytes);
        from += s->tensors[i].page_bytes;
    }
}
