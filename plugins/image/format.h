/* format.h - what a format is: how its files begin, and the two functions that read it.
 *
 * Every reader gives RGB with 8 bits a channel; order and gray are made of it in one place. */
#ifndef IMAGE_FORMAT_H
#define IMAGE_FORMAT_H

#include "alloc.h"
#include "heed/image.h"

/* More pixels than this are refused before anything is decoded. */
#define IMAGE_MAX_PIXELS ((uint64_t)1 << 27)
#define IMAGE_MAX_EXTENT ((uint64_t)1 << 24)

typedef struct image_bytes {
    const uint8_t *data;
    size_t size;
} image_bytes;

typedef struct image_reader {
    heed_status (*measure)(const image_bytes *in, heed_image_size *size);
    /* `size` is what measure gave; rgb has height * width * 3 bytes. */
    heed_status (*decode)(const image_bytes *in, const heed_image_size *size, uint8_t *rgb);
} image_reader;

extern const image_reader image_jpeg, image_png, image_webp, image_tiff, image_jpeg2000, image_bmp,
    image_pnm;

typedef struct image_format {
    const char *name, *library; /* for messages */
    int (*probe)(const image_bytes *in);
    const image_reader *reader; /* NULL: built without the library */
} image_format;

/* The format that the bytes begin as, or NULL. */
const image_format *image_find(const image_bytes *in);

/* HEED_INVALID with "FORMAT: reason". */
heed_status image_broken(const char *format, const char *reason);
/* Refuses an image that is too large, or has no pixel. */
heed_status image_check(const char *format, uint64_t height, uint64_t width);

/* The interface. */
heed_status image_measure(const void *bytes, uint64_t n_bytes, heed_image_size *size);
heed_status image_decode(const void *bytes, uint64_t n_bytes, uint32_t pixels, void *out,
                         uint64_t n_out);

#endif
