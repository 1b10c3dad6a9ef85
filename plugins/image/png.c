/* png.c - PNG through libpng. Its errors jump; every jump ends in a function of this file. */
#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "format.h"

static const char name[] = "PNG";

enum { MAX_TEXT = 8 << 20, REASON = 80 }; /* bytes of one chunk that is no pixels; of a message */

typedef struct png {
    png_structp reader;
    png_infop info;
    const image_bytes *in;
    size_t at;
    char reason[REASON];
    uint8_t **rows;
} png;

static void fail(png_structp reader, png_const_charp message)
{
    png *p = png_get_error_ptr(reader);
    strncpy(p->reason, message, REASON - 1);
    png_longjmp(reader, 1);
}

static void warn(png_structp reader, png_const_charp message) { (void)reader, (void)message; }

static void *take(png_structp reader, png_alloc_size_t bytes)
{
    (void)reader;
    return image_alloc(bytes);
}

static void drop(png_structp reader, void *pointer)
{
    (void)reader;
    image_free(pointer);
}

static void read_bytes(png_structp reader, png_bytep out, size_t n)
{
    png *p = png_get_io_ptr(reader);
    if (n > p->in->size - p->at)
        png_error(reader, "the file ends too early");
    memcpy(out, p->in->data + p->at, n);
    p->at += n;
}

static heed_status open_file(png *p, const image_bytes *in)
{
    p->in = in;
    p->reader = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, p, fail, warn, NULL, take, drop);
    p->info = p->reader ? png_create_info_struct(p->reader) : NULL;
    if (!p->info)
        return image_host->fail(HEED_NOMEM, "PNG: no memory for a decoder");
    png_set_read_fn(p->reader, p, read_bytes);
    png_set_user_limits(p->reader, (png_uint_32)IMAGE_MAX_EXTENT, (png_uint_32)IMAGE_MAX_EXTENT);
    png_set_chunk_malloc_max(p->reader, MAX_TEXT);
    png_set_chunk_cache_max(p->reader, 128);
    return HEED_OK;
}

static void close_file(png *p)
{
    if (p->reader)
        png_destroy_read_struct(&p->reader, p->info ? &p->info : NULL, NULL);
    image_free(p->rows);
}

static heed_status read_header(png *p)
{
    if (setjmp(png_jmpbuf(p->reader)))
        return image_broken(name, p->reason);
    png_read_info(p->reader, p->info);
    return image_check(name, png_get_image_height(p->reader, p->info),
                       png_get_image_width(p->reader, p->info));
}

static heed_status measure(const image_bytes *in, heed_image_size *size)
{
    png p = {0};
    heed_status status = open_file(&p, in);
    if (status == HEED_OK)
        status = read_header(&p);
    if (status == HEED_OK)
        *size = (heed_image_size){png_get_image_height(p.reader, p.info),
                                  png_get_image_width(p.reader, p.info)};
    close_file(&p);
    return status;
}

/* Whatever is in the file: 8 bits, three colours, no transparency, and no gamma applied. */
static heed_status read_pixels(png *p, const heed_image_size *size)
{
    if (setjmp(png_jmpbuf(p->reader)))
        return image_broken(name, p->reason);
    png_set_expand(p->reader);
    png_set_strip_16(p->reader);
    png_set_strip_alpha(p->reader);
    png_set_gray_to_rgb(p->reader);
    png_set_interlace_handling(p->reader);
    png_read_update_info(p->reader, p->info);
    if (png_get_rowbytes(p->reader, p->info) != size->width * 3)
        return image_broken(name, "rows of an unexpected size");
    png_read_image(p->reader, p->rows);
    png_read_end(p->reader, NULL);
    return HEED_OK;
}

static heed_status decode(const image_bytes *in, const heed_image_size *size, uint8_t *rgb)
{
    png p = {0};
    heed_status status = open_file(&p, in);
    if (status == HEED_OK)
        status = read_header(&p);
    if (status == HEED_OK) {
        p.rows = image_alloc((size_t)size->height * sizeof(*p.rows));
        status = p.rows ? HEED_OK : image_host->fail(HEED_NOMEM, "PNG: no memory for rows");
    }
    for (size_t i = 0; status == HEED_OK && i < size->height; i++)
        p.rows[i] = rgb + i * (size_t)size->width * 3;
    if (status == HEED_OK)
        status = read_pixels(&p, size);
    close_file(&p);
    return status;
}

const image_reader image_png = {measure, decode};
