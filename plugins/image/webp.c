/* webp.c - WebP through libwebp: still images, lossy and lossless. */
#include <webp/decode.h>

#include "format.h"

static const char name[] = "WebP";

static heed_status measure(const image_bytes *in, heed_image_size *size)
{
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(in->data, in->size, &features) != VP8_STATUS_OK)
        return image_broken(name, "the header is broken");
    if (features.has_animation)
        return image_host->fail(HEED_UNSUPPORTED, "WebP: an animation, not an image");
    if (features.width < 0 || features.height < 0)
        return image_broken(name, "negative extents");
    *size = (heed_image_size){(uint64_t)features.height, (uint64_t)features.width};
    return image_check(name, size->height, size->width);
}

static heed_status decode(const image_bytes *in, const heed_image_size *size, uint8_t *rgb)
{
    uint64_t n = size->height * size->width;
    heed_status status = image_afford(n * 4); /* lossless: all pixels at once */
    if (status)
        return status;
    if (!WebPDecodeRGBInto(in->data, in->size, rgb, (size_t)n * 3, (int)(size->width * 3)))
        return image_broken(name, "the pixels are broken");
    return HEED_OK;
}

const image_reader image_webp = {measure, decode};
