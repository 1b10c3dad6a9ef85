/* tiff.c - TIFF through libtiff: the first image of a file, whatever its form, as RGBA. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#include "format.h"

static const char name[] = "TIFF";

enum { REASON = 160 };

typedef struct tiff {
    TIFF *file;
    const image_bytes *in;
    toff_t at;
    char reason[REASON];
} tiff;

/* ---- A file in memory ----------------------------------------------------------------------- */

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t n)
{
    tiff *t = (tiff *)handle;
    size_t left = t->at < t->in->size ? t->in->size - (size_t)t->at : 0;
    size_t some = n < 0 ? 0 : (size_t)n < left ? (size_t)n : left;
    if (some)
        memcpy(out, t->in->data + t->at, some);
    t->at += some;
    return (tmsize_t)some;
}

static tmsize_t write_bytes(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle, (void)from, (void)n;
    return 0;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    tiff *t = (tiff *)handle;
    toff_t base = whence == SEEK_CUR ? t->at : whence == SEEK_END ? t->in->size : 0;
    t->at = base + offset;
    return t->at;
}

static int close_nothing(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t get_size(thandle_t handle) { return ((tiff *)handle)->in->size; }

/* The first error is the reason of those that follow. */
static int __attribute__((format(printf, 4, 0)))
keep_reason(TIFF *file, void *arg, const char *module, const char *format, va_list args)
{
    tiff *t = arg;
    (void)file, (void)module;
    if (!t->reason[0])
        vsnprintf(t->reason, REASON, format, args);
    return 1;
}

static int __attribute__((format(printf, 4, 0)))
ignore(TIFF *file, void *arg, const char *module, const char *format, va_list args)
{
    (void)file, (void)arg, (void)module, (void)format, (void)args;
    return 1;
}

/* ---- The image ------------------------------------------------------------------------------ */

static heed_status broken(const tiff *t)
{
    return image_broken(name, t->reason[0] ? t->reason : "the file is broken");
}

static heed_status open_file(tiff *t, const image_bytes *in, heed_image_size *size)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    uint32_t width = 0, height = 0;
    t->in = in;
    if (!options)
        return image_host->fail(HEED_NOMEM, "TIFF: no memory for a decoder");
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)(IMAGE_MAX_PIXELS * 4));
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_reason, t);
    TIFFOpenOptionsSetWarningHandlerExtR(options, ignore, t);
    /* m: read, do not map */
    t->file = TIFFClientOpenExt("image", "rm", t, read_bytes, write_bytes, seek, close_nothing,
                                get_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    if (!t->file)
        return broken(t);
    if (!TIFFGetField(t->file, TIFFTAG_IMAGEWIDTH, &width) ||
        !TIFFGetField(t->file, TIFFTAG_IMAGELENGTH, &height))
        return image_broken(name, "the image has no extents");
    *size = (heed_image_size){height, width};
    return image_check(name, height, width);
}

static void close_file(tiff *t)
{
    if (t->file)
        TIFFClose(t->file);
}

static heed_status measure(const image_bytes *in, heed_image_size *size)
{
    tiff t = {0};
    heed_status status = open_file(&t, in, size);
    close_file(&t);
    return status;
}

static heed_status read_pixels(tiff *t, const heed_image_size *size, uint8_t *rgb)
{
    size_t n = (size_t)(size->height * size->width);
    char reason[1024] = "";
    if (!TIFFRGBAImageOK(t->file, reason))
        return image_broken(name, reason);
    uint32_t *raster = image_alloc(n * sizeof(*raster));
    if (!raster)
        return image_host->fail(HEED_NOMEM, "TIFF: no memory for the pixels");
    int good = TIFFReadRGBAImageOriented(t->file, (uint32_t)size->width, (uint32_t)size->height,
                                         raster, ORIENTATION_TOPLEFT, 1);
    for (size_t i = 0; good && i < n; i++) {
        rgb[3 * i] = (uint8_t)TIFFGetR(raster[i]);
        rgb[3 * i + 1] = (uint8_t)TIFFGetG(raster[i]);
        rgb[3 * i + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    image_free(raster);
    return good ? HEED_OK : broken(t);
}

static heed_status decode(const image_bytes *in, const heed_image_size *size, uint8_t *rgb)
{
    tiff t = {0};
    heed_image_size again;
    heed_status status = open_file(&t, in, &again);
    if (status == HEED_OK)
        status = read_pixels(&t, size, rgb);
    close_file(&t);
    return status;
}

const image_reader image_tiff = {measure, decode};
