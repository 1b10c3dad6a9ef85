/* formats.c - the formats, and how their files begin. The build says which have their library. */
#include <ctype.h>
#include <string.h>

#include "format.h"

static int begins(const image_bytes *in, size_t at, const char *text, size_t n)
{
    return in->size >= at + n && memcmp(in->data + at, text, n) == 0;
}

static int is_jpeg(const image_bytes *in) { return begins(in, 0, "\xff\xd8\xff", 3); }

static int is_png(const image_bytes *in) { return begins(in, 0, "\x89PNG\r\n\x1a\n", 8); }

static int is_webp(const image_bytes *in)
{
    return begins(in, 0, "RIFF", 4) && begins(in, 8, "WEBP", 4);
}

static int is_tiff(const image_bytes *in)
{
    return begins(in, 0, "II*\0", 4) || begins(in, 0, "MM\0*", 4) || begins(in, 0, "II+\0", 4) ||
           begins(in, 0, "MM\0+", 4);
}

static int is_jpeg2000(const image_bytes *in)
{
    return begins(in, 0, "\0\0\0\x0cjP  \r\n\x87\n", 12) || begins(in, 0, "\xff\x4f\xff\x51", 4);
}

static int is_bmp(const image_bytes *in) { return begins(in, 0, "BM", 2); }

static int is_pnm(const image_bytes *in)
{
    return in->size > 2 && in->data[0] == 'P' && in->data[1] >= '1' && in->data[1] <= '6' &&
           (isspace(in->data[2]) || in->data[2] == '#');
}

static const image_format formats[] = {
    {"JPEG", "libturbojpeg", is_jpeg, IMAGE_READER_JPEG},
    {"PNG", "libpng", is_png, IMAGE_READER_PNG},
    {"WebP", "libwebp", is_webp, IMAGE_READER_WEBP},
    {"TIFF", "libtiff 4.5", is_tiff, IMAGE_READER_TIFF},
    {"JPEG 2000", "libopenjp2", is_jpeg2000, IMAGE_READER_JPEG2000},
    {"BMP", "stb_image", is_bmp, IMAGE_READER_BMP},
    {"PNM", "nothing", is_pnm, &image_pnm},
};

const image_format *image_find(const image_bytes *in)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (formats[i].probe(in))
            return &formats[i];
    return NULL;
}
