/* float_rows.c - see float_rows.h. Separate because products and experts have the same weights. */
#include "ops/float_rows.h"

static void load(const row_source *r, int64_t row, int64_t first, int64_t n, float *out)
{
    const float_rows *w = (const float_rows *)(const void *)r;
    dtype_load_f32(w->dtype, w->data, w->first + row * w->columns + first, n, out);
    for (int64_t done = 0, run; done < n; done += run) {
        int64_t at = first + done, left = w->wide - at % w->wide;
        float scale = 1.0f;
        run = left < n - done ? left : n - done;
        if (w->scales)
            dtype_load_f32(w->scale_dtype, tensor_data(w->scales),
                           w->scale_first + row / w->high * w->scale_columns + at / w->wide, 1,
                           &scale);
        for (int64_t i = 0; i < run; i++)
            out[done + i] *= scale * w->global;
    }
}

void float_rows_init(float_rows *w) { w->rows.load = load; }
