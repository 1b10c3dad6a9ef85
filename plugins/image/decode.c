/* decode.c - the interface's two functions: the format is found, the size checked before memory is
 * taken, the pixels brought into the order that was asked for. */
#include "format.h"

heed_status image_broken(const char *format, const char *reason)
{
    return image_host->fail(HEED_INVALID, "%s: %s", format, reason);
}

heed_status image_check(const char *format, uint64_t height, uint64_t width)
{
    if (height == 0 || width == 0)
        return image_broken(format, "an image without a pixel");
    if (height > IMAGE_MAX_EXTENT || width > IMAGE_MAX_EXTENT || height * width > IMAGE_MAX_PIXELS)
        return image_host->fail(HEED_UNSUPPORTED,
                                "%s: %llu rows of %llu pixels are more than 2^27 pixels", format,
                                (unsigned long long)height, (unsigned long long)width);
    return HEED_OK;
}

static heed_status find_reader(const image_bytes *in, const image_reader **reader)
{
    const image_format *format = image_find(in);
    if (!format)
        return image_host->fail(HEED_INVALID, "these %llu bytes are no image of a known format",
                                (unsigned long long)in->size);
    if (!format->reader)
        return image_host->fail(HEED_UNSUPPORTED,
                                "%s cannot be read: the plugin image was built without %s",
                                format->name, format->library);
    *reader = format->reader;
    return HEED_OK;
}

heed_status image_measure(const void *bytes, uint64_t n_bytes, heed_image_size *size)
{
    const image_bytes in = {bytes, (size_t)n_bytes};
    const image_reader *reader = NULL;
    heed_status status = find_reader(&in, &reader);
    *size = (heed_image_size){0, 0};
    return status ? status : reader->measure(&in, size);
}

/* ---- Pixels -------------------------------------------------------------------------------- */

static void swap_ends(uint8_t *pixels, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++, pixels += 3) {
        uint8_t held = pixels[0];
        pixels[0] = pixels[2];
        pixels[2] = held;
    }
}

/* The luma of ITU-R BT.601, in 16 bits of fraction and rounded. */
static void make_gray(const uint8_t *rgb, uint64_t n, uint8_t *gray)
{
    for (uint64_t i = 0; i < n; i++, rgb += 3) {
        uint32_t luma = 19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u;
        gray[i] = (uint8_t)(luma >> 16);
    }
}

static heed_status decode_gray(const image_reader *reader, const image_bytes *in,
                               const heed_image_size *size, uint8_t *out)
{
    uint64_t n = size->height * size->width;
    uint8_t *rgb = image_alloc((size_t)n * 3);
    if (!rgb)
        return image_host->fail(HEED_NOMEM, "an image needs %llu bytes to be decoded",
                                (unsigned long long)n * 3);
    heed_status status = reader->decode(in, size, rgb);
    if (status == HEED_OK)
        make_gray(rgb, n, out);
    image_free(rgb);
    return status;
}

heed_status image_decode(const void *bytes, uint64_t n_bytes, uint32_t pixels, void *out,
                         uint64_t n_out)
{
    const image_bytes in = {bytes, (size_t)n_bytes};
    const image_reader *reader = NULL;
    heed_image_size size;
    heed_status status = find_reader(&in, &reader);
    if (status == HEED_OK)
        status = reader->measure(&in, &size);
    if (status)
        return status;
    uint64_t n = size.height * size.width, channels = pixels == HEED_PIXELS_GRAY ? 1 : 3;
    if (pixels < HEED_PIXELS_RGB || pixels > HEED_PIXELS_GRAY || n_out != n * channels)
        return image_host->fail(HEED_INVALID, "%llu bytes for an image that has %llu",
                                (unsigned long long)n_out, (unsigned long long)(n * channels));
    if (pixels == HEED_PIXELS_GRAY)
        return decode_gray(reader, &in, &size, out);
    status = reader->decode(&in, &size, out);
    if (status == HEED_OK && pixels == HEED_PIXELS_BGR)
        swap_ends(out, n);
    return status;
}
