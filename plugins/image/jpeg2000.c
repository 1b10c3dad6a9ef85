/* jpeg2000.c - JPEG 2000 through OpenJPEG: files (JP2) and bare code streams. */
#include <openjpeg.h>
#include <stdio.h>
#include <string.h>

#include "format.h"

static const char name[] = "JPEG 2000";

enum { REASON = 160, CHUNK = 1 << 16 };
enum { STREAM_BOX = 0x6a703263, SOME_TILES = 256, TILE_PIXELS = 256 };

#define STREAM_START 0xff4fff51u

typedef struct jp2 {
    opj_codec_t *codec;
    opj_stream_t *stream;
    opj_image_t *image;
    const image_bytes *in;
    size_t at;
    char reason[REASON];
} jp2;

/* ---- A file in memory ----------------------------------------------------------------------- */

static OPJ_SIZE_T read_bytes(void *out, OPJ_SIZE_T n, void *arg)
{
    jp2 *j = arg;
    size_t left = j->in->size - j->at, some = n < left ? n : left;
    if (some == 0)
        return (OPJ_SIZE_T)-1;
    memcpy(out, j->in->data + j->at, some);
    j->at += some;
    return some;
}

static OPJ_OFF_T skip(OPJ_OFF_T n, void *arg)
{
    jp2 *j = arg;
    size_t left = j->in->size - j->at;
    if (n < 0)
        return -1;
    size_t some = (uint64_t)n < left ? (size_t)n : left;
    j->at += some;
    return (OPJ_OFF_T)some;
}

static OPJ_BOOL seek(OPJ_OFF_T to, void *arg)
{
    jp2 *j = arg;
    if (to < 0 || (uint64_t)to > j->in->size)
        return OPJ_FALSE;
    j->at = (size_t)to;
    return OPJ_TRUE;
}

/* The first error is the reason of those that follow. Lines end in a newline. */
static void keep_reason(const char *message, void *arg)
{
    jp2 *j = arg;
    if (!j->reason[0])
        snprintf(j->reason, REASON, "%.*s", (int)strcspn(message, "\n"), message);
}

static void ignore(const char *message, void *arg) { (void)message, (void)arg; }

/* ---- The header, before the library makes tables of it --------------------------------------- */

static uint64_t big_endian(const image_bytes *in, uint64_t at, uint64_t n)
{
    uint64_t value = 0;
    for (uint64_t i = at; i < at + n; i++)
        value = value << 8 | (i < in->size ? in->data[i] : 0u);
    return value;
}

/* Where the code stream begins: in a file it is a box among others. The end when there is none. */
static uint64_t find_stream(const image_bytes *in)
{
    uint64_t at = 0;
    while (in->data[0] == 0 && at < in->size) {
        uint64_t bytes = big_endian(in, at, 4), header = bytes == 1 ? 16 : 8;
        if (big_endian(in, at + 4, 4) == STREAM_BOX)
            return at + header;
        bytes = bytes == 1 ? big_endian(in, at + 8, 8) : bytes;
        at = bytes < header || bytes > in->size - at ? in->size : at + bytes;
    }
    return at;
}

/* The library takes time and memory for each tile, so that many must be worth it. */
static heed_status check_tiles(const image_bytes *in)
{
    uint64_t at = find_stream(in), field[6];
    if (at >= in->size || big_endian(in, at, 4) != STREAM_START)
        return image_broken(name, "there is no code stream");
    for (uint64_t i = 0; i < 6; i++) /* extents, offsets, tile extents; x and y each */
        field[i] = big_endian(in, at + 8 + 4 * i, 4);
    if (field[0] <= field[2] || field[1] <= field[3] || field[4] == 0 || field[5] == 0)
        return image_broken(name, "an image without a pixel");
    uint64_t components = big_endian(in, at + 40, 2);
    if (components < 1 || components > 4)
        return image_broken(name, "not 1 to 4 components");
    uint64_t width = field[0] - field[2], height = field[1] - field[3];
    heed_status status = image_check(name, height, width);
    uint64_t tiles = (width / field[4] + 2) * (height / field[5] + 2);
    if (status == HEED_OK && tiles > SOME_TILES + width * height / TILE_PIXELS)
        return image_host->fail(HEED_UNSUPPORTED, "JPEG 2000: tiles of %llu by %llu are too small",
                                (unsigned long long)field[5], (unsigned long long)field[4]);
    return status;
}

/* ---- The image ------------------------------------------------------------------------------ */

static heed_status broken(const jp2 *j)
{
    return image_broken(name, j->reason[0] ? j->reason : "the file is broken");
}

static void close_file(jp2 *j)
{
    if (j->image)
        opj_image_destroy(j->image);
    if (j->stream)
        opj_stream_destroy(j->stream);
    if (j->codec)
        opj_destroy_codec(j->codec);
}

static heed_status open_file(jp2 *j, const image_bytes *in)
{
    opj_dparameters_t parameters;
    heed_status status = check_tiles(in);
    if (status)
        return status;
    j->in = in;
    j->codec = opj_create_decompress(in->data[0] ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    j->stream = opj_stream_create(CHUNK, OPJ_TRUE);
    if (!j->codec || !j->stream)
        return image_host->fail(HEED_NOMEM, "JPEG 2000: no memory for a decoder");
    opj_set_error_handler(j->codec, keep_reason, j);
    opj_set_warning_handler(j->codec, ignore, j);
    opj_set_info_handler(j->codec, ignore, j);
    opj_stream_set_user_data(j->stream, j, NULL);
    opj_stream_set_user_data_length(j->stream, in->size);
    opj_stream_set_read_function(j->stream, read_bytes);
    opj_stream_set_skip_function(j->stream, skip);
    opj_stream_set_seek_function(j->stream, seek);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(j->codec, &parameters) ||
        !opj_read_header(j->stream, j->codec, &j->image) || !j->image)
        return broken(j);
    if (j->image->x1 <= j->image->x0 || j->image->y1 <= j->image->y0)
        return image_broken(name, "an image without a pixel");
    if (j->image->numcomps < 1 || j->image->numcomps > 4)
        return image_broken(name, "not 1 to 4 components");
    return image_check(name, j->image->y1 - j->image->y0, j->image->x1 - j->image->x0);
}

static heed_status measure(const image_bytes *in, heed_image_size *size)
{
    jp2 j = {0};
    heed_status status = open_file(&j, in);
    if (status == HEED_OK)
        *size = (heed_image_size){j.image->y1 - j.image->y0, j.image->x1 - j.image->x0};
    close_file(&j);
    return status;
}

/* ---- Pixels --------------------------------------------------------------------------------- */

/* Every component has samples, and its precision is one that 8 bits can be made of. */
static heed_status check_components(const jp2 *j)
{
    for (OPJ_UINT32 i = 0; i < j->image->numcomps; i++) {
        const opj_image_comp_t *c = &j->image->comps[i];
        if (!c->data || c->w == 0 || c->h == 0 || c->dx == 0 || c->dy == 0 || c->prec < 1 ||
            c->prec > 31)
            return image_broken(name, "a component without samples");
    }
    return HEED_OK;
}

/* The sample that covers a pixel, in 8 bits. Components may be coarser than the image. */
static int sample(const opj_image_comp_t *c, uint64_t row, uint64_t column)
{
    uint64_t y = row / c->dy, x = column / c->dx;
    y = y < c->h ? y : c->h - 1;
    x = x < c->w ? x : c->w - 1;
    int64_t value = c->data[y * c->w + x];
    int64_t most = ((int64_t)1 << c->prec) - 1;
    value += c->sgnd ? (int64_t)1 << (c->prec - 1) : 0;
    value = value < 0 ? 0 : value > most ? most : value;
    return (int)(c->prec == 8 ? value : c->prec > 8 ? value >> (c->prec - 8) : value * 255 / most);
}

static uint8_t clip(double x) { return (uint8_t)(x < 0.0 ? 0.0 : x > 255.0 ? 255.0 : x + 0.5); }

static void set_pixel(const opj_image_t *image, uint64_t row, uint64_t column, uint8_t *rgb)
{
    int value[3];
    for (OPJ_UINT32 i = 0; i < 3; i++)
        value[i] = sample(&image->comps[image->numcomps < 3 ? 0 : i], row, column);
    if (image->color_space != OPJ_CLRSPC_SYCC || image->numcomps < 3) {
        for (int i = 0; i < 3; i++)
            rgb[i] = (uint8_t)value[i];
        return;
    }
    double blue = value[1] - 128.0, red = value[2] - 128.0;
    rgb[0] = clip(value[0] + 1.402 * red);
    rgb[1] = clip(value[0] - 0.344136 * blue - 0.714136 * red);
    rgb[2] = clip(value[0] + 1.772 * blue);
}

static heed_status decode(const image_bytes *in, const heed_image_size *size, uint8_t *rgb)
{
    jp2 j = {0};
    heed_status status = open_file(&j, in);
    if (status == HEED_OK) /* samples and wavelet coefficients, 32 bits each */
        status = image_afford(size->height * size->width * 8 * j.image->numcomps);
    if (status == HEED_OK &&
        (!opj_decode(j.codec, j.stream, j.image) || !opj_end_decompress(j.codec, j.stream)))
        status = broken(&j);
    if (status == HEED_OK)
        status = check_components(&j);
    for (uint64_t row = 0; status == HEED_OK && row < size->height; row++)
        for (uint64_t column = 0; column < size->width; column++, rgb += 3)
            set_pixel(j.image, row, column, rgb);
    close_file(&j);
    return status;
}

const image_reader image_jpeg2000 = {measure, decode};
