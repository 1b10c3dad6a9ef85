/* jpeg.c - JPEG through libjpeg-turbo's TurboJPEG interface. */
#include <string.h>
#include <turbojpeg.h>

#include "format.h"

static const char name[] = "JPEG";

typedef struct jpeg {
    tjhandle handle;
    int width, height, colors;
} jpeg;

static heed_status open_file(jpeg *j, const image_bytes *in)
{
    int subsampling;
    j->handle = tjInitDecompress();
    if (!j->handle)
        return image_host->fail(HEED_NOMEM, "JPEG: no memory for a decoder");
    if (in->size > INT32_MAX)
        return image_broken(name, "more than 2 GiB");
    if (tjDecompressHeader3(j->handle, in->data, (unsigned long)in->size, &j->width, &j->height,
                            &subsampling, &j->colors))
        return image_broken(name, tjGetErrorStr2(j->handle));
    if (j->width < 0 || j->height < 0)
        return image_broken(name, "negative extents");
    return image_check(name, (uint64_t)j->height, (uint64_t)j->width);
}

static void close_file(jpeg *j)
{
    if (j->handle)
        tjDestroy(j->handle);
}

static heed_status measure(const image_bytes *in, heed_image_size *size)
{
    jpeg j = {0};
    heed_status status = open_file(&j, in);
    if (status == HEED_OK)
        *size = (heed_image_size){(uint64_t)j.height, (uint64_t)j.width};
    close_file(&j);
    return status;
}

/* Warnings are about harmless things too, but a file that ends too early is no image. */
static heed_status decompress(jpeg *j, const image_bytes *in, int format, uint8_t *out)
{
    if (tjDecompress2(j->handle, in->data, (unsigned long)in->size, out, j->width, 0, j->height,
                      format, TJFLAG_LIMITSCANS) == 0)
        return HEED_OK;
    const char *reason = tjGetErrorStr2(j->handle);
    if (tjGetErrorCode(j->handle) == TJERR_WARNING && !strstr(reason, "Premature end"))
        return HEED_OK;
    return image_broken(name, reason);
}

/* Files with four colours have them inverted: what is left of the light, and how much of it. */
static heed_status decompress_cmyk(jpeg *j, const image_bytes *in, uint8_t *rgb)
{
    size_t n = (size_t)j->width * (size_t)j->height;
    uint8_t *cmyk = image_alloc(4 * n);
    if (!cmyk)
        return image_host->fail(HEED_NOMEM, "JPEG: no memory for four colours");
    heed_status status = decompress(j, in, TJPF_CMYK, cmyk);
    for (size_t i = 0; status == HEED_OK && i < n; i++)
        for (size_t k = 0; k < 3; k++)
            rgb[3 * i + k] = (uint8_t)((cmyk[4 * i + k] * cmyk[4 * i + 3] + 127) / 255);
    image_free(cmyk);
    return status;
}

static heed_status decode(const image_bytes *in, const heed_image_size *size, uint8_t *rgb)
{
    jpeg j = {0};
    heed_status status = image_afford(size->height * size->width * 6); /* progressive: all of it */
    if (status == HEED_OK)
        status = open_file(&j, in);
    if (status == HEED_OK) {
        int four = j.colors == TJCS_CMYK || j.colors == TJCS_YCCK;
        status = four ? decompress_cmyk(&j, in, rgb) : decompress(&j, in, TJPF_RGB, rgb);
    }
    close_file(&j);
    return status;
}

const image_reader image_jpeg = {measure, decode};
