/* Any bytes as an image: its size, then its pixels in all three orders. What must hold is in the
 * sanitizers. Memory has a limit, so that a header that claims much gets an error. */
#include <stdint.h>
#include <stdlib.h>

#include "format.h"
#include "service_host.h"

enum { LIMIT = 64 << 20, PIXELS = 1 << 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    image_host = &service_host;
    service.limit = LIMIT;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_image_size extents;
    if (image_measure(bytes, size, &extents) || extents.height * extents.width > PIXELS)
        return 0;
    for (uint32_t pixels = HEED_PIXELS_RGB; pixels <= HEED_PIXELS_GRAY; pixels++) {
        size_t n = (size_t)(extents.height * extents.width * (pixels == HEED_PIXELS_GRAY ? 1 : 3));
        uint8_t *out = malloc(n);
        if (out)
            image_decode(bytes, size, pixels, out, n);
        free(out);
    }
    return 0;
}
