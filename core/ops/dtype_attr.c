/* dtype_attr.c - see dtype_attr.h. */
#include "ops/dtype_attr.h"

#include <stdio.h>

bool dtype_is_real(heed_dtype dtype) { return dtype_is_int(dtype) || dtype_is_float(dtype); }

heed_status infer_dtype_attr(op_infer *c, const char *attr, heed_dtype missing,
                             bool (*allowed)(heed_dtype dtype))
{
    char expected[96];
    int64_t code = ir_attr_int(c->node, attr, (int64_t)missing);
    bool valid = code > 0 && code < HEED_DTYPE_COUNT;
    if (valid && allowed((heed_dtype)code)) {
        c->out[0].dtype = (heed_dtype)code;
        return HEED_OK;
    }
    snprintf(expected, sizeof(expected), "a data type that %.32s gives in attribute \"%.24s\"",
             c->op->name, attr);
    if (valid)
        return infer_error(c, expected, "%s", dtype_name((heed_dtype)code));
    return infer_error(c, expected, "%lld", (long long)code);
}
