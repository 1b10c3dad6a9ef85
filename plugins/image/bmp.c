/* bmp.c - BMP through stb_image, of which nothing else is compiled. */
#include <string.h>

#include "format.h"

#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS          (1 << 24)
#define STBI_ASSERT(condition)       ((void)0)
#define STBI_MALLOC(bytes)           image_alloc(bytes)
#define STBI_REALLOC(pointer, bytes) image_resize(pointer, bytes)
#define STBI_FREE(pointer)           image_free(pointer)
#include <stb/stb_image.h>

static const char name[] = "BMP";

static heed_status broken(void)
{
    const char *reason = stbi_failure_reason();
    return image_broken(name, reason ? reason : "the file is broken");
}

static heed_status measure(const image_bytes *in, heed_image_size *size)
{
    int width, height, channels;
    if (in->size > INT32_MAX)
        return image_broken(name, "more than 2 GiB");
    if (!stbi_info_from_memory(in->data, (int)in->size, &width, &height, &channels))
        return broken();
    if (width < 0 || height < 0)
        return image_broken(name, "negative extents");
    *size = (heed_image_size){(uint64_t)height, (uint64_t)width};
    return image_check(name, size->height, size->width);
}

static uint64_t little_endian(const image_bytes *in, size_t at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | (at + i < in->size ? in->data[at + i] : 0u);
    return value;
}

/* The library reads zeros behind the end of a file. Rows end at a multiple of four bytes. */
static int is_whole(const image_bytes *in, const heed_image_size *size)
{
    int old = little_endian(in, 14, 4) == 12; /* a header with short extents */
    uint64_t first = little_endian(in, 10, 4), bits = little_endian(in, old ? 24 : 28, 2);
    return first + (size->width * bits + 31) / 32 * 4 * size->height <= in->size;
}

static heed_status decode(const image_bytes *in, const heed_image_size *size, uint8_t *rgb)
{
    int width, height, channels;
    if (!is_whole(in, size))
        return image_broken(name, "the file ends too early");
    uint8_t *pixels = stbi_load_from_memory(in->data, (int)in->size, &width, &height, &channels, 3);
    if (!pixels)
        return broken();
    int same = (uint64_t)height == size->height && (uint64_t)width == size->width;
    if (same)
        memcpy(rgb, pixels, (size_t)(size->height * size->width * 3));
    image_free(pixels);
    return same ? HEED_OK : image_broken(name, "the header contradicts itself");
}

const image_reader image_bmp = {measure, decode};
