/* Any bytes as one operator: which, on what inputs, with what attributes (support/op_draw.h), and
 * what must hold of it (support/op_check.h). */
#include <stdint.h>
#include <stdlib.h>

#include "op_check.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    op_check_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (op_check_bytes(bytes, size))
        abort();
    return 0;
}
