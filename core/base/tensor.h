/* tensor.h - tensors as the core holds them: DLPack's layout plus dtype, kind and ownership.
 *
 * The public heed_tensor is this struct. A tensor shares its memory with others through a counted
 * buffer, borrows it (buffer NULL), or, while a graph runs, points into an arena. */
#ifndef HEED_BASE_TENSOR_H
#define HEED_BASE_TENSOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/dtype.h"
#include "base/mem.h"

#define TENSOR_MAX_RANK 16
#define TENSOR_MAX_DIM  ((int64_t)1 << 40)

/* Counted memory. `release` is called with the last reference. */
typedef struct buffer {
    atomic_uint references;
    size_t bytes;
    void *data;
    void (*release)(struct buffer *self);
    arena strings; /* what the elements of a string tensor point to */
} buffer;

buffer *buffer_new(size_t bytes); /* zeroed; NULL: error is set */
buffer *buffer_ref(buffer *b);
void buffer_unref(buffer *b); /* NULL is legal */

struct heed_tensor {
    DLTensor dl; /* shape points to `dims`, strides is NULL, byte_offset is 0 */
    heed_dtype dtype;
    uint32_t kind; /* HEED_TENSOR, _SEQUENCE, _OPTIONAL, _MAP */
    int64_t dims[TENSOR_MAX_RANK];
    buffer *owner;
    size_t n_items; /* sequence: its length; optional: 0 or 1; map: 2, keys and values */
    heed_tensor **items;
};

/* Elements of a shape; false when it does not fit or a dim is negative. */
bool shape_count(int32_t rank, const int64_t *dims, int64_t *count);
bool shape_equal(int32_t rank_a, const int64_t *a, int32_t rank_b, const int64_t *b);
/* "2x3x4", "scalar"; negative dims print as "?". Returns `text`. */
const char *shape_text(int32_t rank, const int64_t *dims, char *text, size_t size);

static inline int32_t tensor_rank(const heed_tensor *t) { return t->dl.ndim; }

int64_t tensor_count(const heed_tensor *t); /* elements; sequence: 0 */
size_t tensor_bytes(const heed_tensor *t);

/* The first element. */
static inline void *tensor_data(const heed_tensor *t)
{
    return (char *)t->dl.data + t->dl.byte_offset;
}

/* Sets dtype and dims of a tensor struct; no memory. Fails on a rank or extent over the limit. */
heed_status tensor_shape_set(heed_tensor *t, heed_dtype dtype, int32_t rank, const int64_t *dims);
/* Gives it zeroed memory of its own for its dtype and dims. */
heed_status tensor_reserve(heed_tensor *t);
/* A heap tensor of its own memory. */
heed_status tensor_new(heed_dtype dtype, int32_t rank, const int64_t *dims, heed_tensor **out);
heed_status tensor_new_empty(heed_tensor **out); /* a struct to be filled by tensor_assign */
/* dst becomes what src is: shares an owned buffer, deep-copies borrowed or arena memory. What dst
 * was is dropped. */
heed_status tensor_assign(heed_tensor *dst, const heed_tensor *src);
/* dst becomes a view of all of src's content without owning it (dst->owner NULL). */
void tensor_borrow(heed_tensor *dst, const heed_tensor *src);
/* A deep copy of content into a dense tensor of the same dtype and count (strings too). */
heed_status tensor_copy_content(heed_tensor *dst, const heed_tensor *src);
/* t (a cleared struct) becomes a sequence or an optional of these n items, which it takes, on
 * failure too. */
heed_status tensor_set_items(heed_tensor *t, uint32_t kind, heed_dtype dtype, size_t n,
                             heed_tensor *const *items);
void tensor_clear(heed_tensor *t); /* drops references and items, not the struct */
void tensor_free(heed_tensor *t);

heed_status tensor_set_string(heed_tensor *t, int64_t i, const char *data, size_t size);

/* Integer content of an integer or bool tensor, element i. */
int64_t tensor_get_int(const heed_tensor *t, int64_t i);
double tensor_get_float(const heed_tensor *t, int64_t i);

#endif
