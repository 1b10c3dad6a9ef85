/* input_values.c - values that are written out on the command line. */
#include "fill.h"
#include "input_parts.h"
#include "print.h"

/* The shape of values written out: as said, or the input's, the unknown last axis taking all. */
static int shape_values(input_set *set, const input_item *item, const fill_values *values,
                        shape_dims *out)
{
    if (values->shaped) {
        *out = values->shape;
        return EXIT_OK;
    }
    int64_t product = 1;
    *out = (shape_dims){.ndim = item->info->ndim};
    if (out->ndim < 0 || out->ndim > SHAPE_MAX) {
        *out = (shape_dims){.ndim = values->n > 1, .dims = {(int64_t)values->n}};
        return EXIT_OK;
    }
    for (int32_t d = 0; d < out->ndim; d++) {
        bool last = d == out->ndim - 1 && values->n > 1 && product > 0;
        if (!input_find_extent(set, item, d, &out->dims[d]))
            out->dims[d] = last ? (int64_t)values->n / product : 1;
        if (__builtin_mul_overflow(product, out->dims[d], &product))
            return exit_with(EXIT_USAGE, "input %s: its shape is too large", item->info->name);
    }
    return EXIT_OK;
}

static int write_values(input_item *item, const fill_values *values, const shape_dims *shape)
{
    const char *bad;
    char text[PRINT_SIZE];
    heed_dtype dtype = values->dtype != HEED_UNDEFINED ? values->dtype : item->info->dtype;
    if (heed_tensor_new(dtype, shape->ndim, shape->dims, &item->tensor))
        return exit_error(item->info->name);
    if (fill_write(item->tensor, values, &bad))
        return EXIT_OK;
    if (bad)
        return exit_with(EXIT_USAGE, "input %s: '%s' is no value of type %s", item->info->name, bad,
                         heed_dtype_name(dtype));
    return exit_with(EXIT_USAGE, "input %s: %zu values for a shape of %s", item->info->name,
                     values->n, print_dims(text, shape->ndim, shape->dims));
}

int input_make_values(input_set *set, input_item *item)
{
    fill_values values;
    shape_dims shape;
    int code = EXIT_OK;
    if (!fill_parse(item->text, &values))
        code = exit_with(EXIT_USAGE, "input %s: no value in '%s'", item->info->name, item->text);
    if (!code)
        code = shape_values(set, item, &values, &shape);
    if (!code)
        code = write_values(item, &values, &shape);
    fill_free(&values);
    item->from = cli_copy("given");
    return code;
}
