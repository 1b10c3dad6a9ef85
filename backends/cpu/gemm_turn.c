/* A constant B that is stored as [n, k], made [k, n] once: what the tiles of gemm.c read in order.
 */
#include "copy.h"
#include "gemm.h"

heed_status cpu_gemm_turn(const DLTensor *b, float **turned)
{
    size_t bytes = cpu_count(b) * sizeof(float);
    *turned = bytes ? cpu_host->alloc(bytes) : NULL;
    if (!*turned)
        return bytes ? cpu_nomem(bytes) : HEED_OK;
    cpu_copy copy = {.rank = 2, .bytes = sizeof(float), .from = cpu_data(b)};
    copy.to = (char *)*turned;
    copy.dims[0] = (size_t)b->shape[1];
    copy.dims[1] = (size_t)b->shape[0];
    copy.to_stride[0] = (ptrdiff_t)b->shape[0];
    copy.to_stride[1] = 1;
    copy.from_stride[0] = 1;
    copy.from_stride[1] = (ptrdiff_t)b->shape[1];
    cpu_copy_run(&copy);
    return HEED_OK;
}
