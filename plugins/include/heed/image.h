/* heed/image.h - image formats, interface "heed.image/1": encoded bytes become pixels.
 *
 * The plugin image.so offers it; ImageDecoder borrows it. The format is found by looking at the
 * bytes. The rules of heed/plugin.h hold. */
#ifndef HEED_IMAGE_H
#define HEED_IMAGE_H

#include "heed/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_IMAGE_ID "heed.image/1"

enum { HEED_PIXELS_RGB = 1, HEED_PIXELS_BGR = 2, HEED_PIXELS_GRAY = 3 };

typedef struct heed_image_size {
    uint64_t height, width;
} heed_image_size;

typedef struct heed_image {
    uint32_t size;
    uint32_t flags; /* 0 */
    /* Reads the header only. HEED_INVALID with the reason when the bytes are no image;
     * HEED_UNSUPPORTED when its format is one that this build cannot read, or when it has more
     * pixels than the plugin takes. [any] */
    heed_status (*measure)(const void *bytes, uint64_t n_bytes, heed_image_size *size);
    /* Writes height * width * channels bytes, row by row from the top, channels innermost: 3, or 1
     * for gray. What is transparent keeps its colour. `n_out` is the size of `out`. Fails as
     * measure does; then `out` has no meaning. [any] */
    heed_status (*decode)(const void *bytes, uint64_t n_bytes, uint32_t pixels, void *out,
                          uint64_t n_out);
} heed_image;

#ifdef __cplusplus
}
#endif
#endif
