/* nbits.c - see nbits.h. Separate because MatMulNBits and QMoE read the same packing. */
#include "ops/nbits.h"

static float scale_at(const nbits *w, int64_t row, int64_t block)
{
    float scale;
    dtype_load_f32(w->scales->dtype, tensor_data(w->scales),
                   w->scale_first + row * w->blocks + block, 1, &scale);
    return scale;
}

static float zero_at(const nbits *w, int64_t row, int64_t block)
{
    float zero = (float)(1u << (w->bits - 1));
    if (w->zeros && w->zeros_packed) {
        const uint8_t *data = (const uint8_t *)tensor_data(w->zeros) + w->zero_first;
        data += w->zeros_by_row ? 0 : row * w->zero_bytes;
        zero = (float)nbits_get(w->bits, data, w->zeros_by_row ? row : block);
    } else if (w->zeros) {
        dtype_load_f32(w->zeros->dtype, tensor_data(w->zeros),
                       w->zero_first + row * w->blocks + block, 1, &zero);
    }
    return zero;
}

static void load_run(const nbits *w, int64_t row, int64_t block, int64_t first, int64_t n,
                     float *out)
{
    const uint8_t *data = w->data + row * w->row_bytes;
    float scale = scale_at(w, row, block), zero = zero_at(w, row, block);
    for (int64_t i = 0; i < n; i++)
        out[i] = ((float)nbits_get(w->bits, data, first + i) - zero) * scale;
}

static void load(const row_source *r, int64_t row, int64_t first, int64_t n, float *out)
{
    const nbits *w = (const nbits *)(const void *)r;
    for (int64_t done = 0, run; done < n; done += run) {
        int64_t at = first + done, left = w->block - at % w->block;
        run = w->groups ? 1 : left < n - done ? left : n - done;
        load_run(w, row, w->groups ? w->groups[at] : at / w->block, at, run, out + done);
    }
}

void nbits_init(nbits *w) { w->rows.load = load; }
