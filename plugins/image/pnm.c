/* pnm.c - the portable formats PBM, PGM and PPM, binary and as text.
 *
 * Read here, since the library that reads all six of them ends the process on an error. */
#include <ctype.h>

#include "format.h"

static const char name[] = "PNM";

typedef struct pnm {
    const image_bytes *in;
    size_t at;
    int bits, text, channels; /* of one bit; numbers as text; 1 or 3 */
    uint32_t most;            /* the brightest value */
    heed_image_size size;
} pnm;

/* Blanks and comments, which go from # to the end of the line. */
static void skip_blanks(pnm *p)
{
    while (p->at < p->in->size) {
        uint8_t c = p->in->data[p->at];
        if (c == '#')
            while (p->at < p->in->size && p->in->data[p->at] != '\n')
                p->at++;
        else if (isspace(c))
            p->at++;
        else
            break;
    }
}

/* -1 when there is none, or it is too large. */
static int64_t read_number(pnm *p)
{
    int64_t value = -1;
    skip_blanks(p);
    for (; p->at < p->in->size && isdigit(p->in->data[p->at]); p->at++) {
        value = (value < 0 ? 0 : value) * 10 + (p->in->data[p->at] - '0');
        if (value > INT32_MAX)
            return -1;
    }
    return value;
}

static heed_status read_header(pnm *p, const image_bytes *in)
{
    int kind = in->data[1] - '0';
    *p = (pnm){.in = in, .at = 2, .most = 1};
    p->bits = kind == 1 || kind == 4;
    p->text = kind <= 3;
    p->channels = kind == 3 || kind == 6 ? 3 : 1;
    int64_t width = read_number(p), height = read_number(p);
    int64_t most = p->bits ? 1 : read_number(p);
    if (width < 0 || height < 0 || most < 1 || most > UINT16_MAX)
        return image_broken(name, "the header is broken");
    p->most = (uint32_t)most;
    p->size = (heed_image_size){(uint64_t)height, (uint64_t)width};
    p->at++; /* the one blank before binary values */
    return image_check(name, p->size.height, p->size.width);
}

static heed_status measure(const image_bytes *in, heed_image_size *size)
{
    pnm p;
    heed_status status = read_header(&p, in);
    *size = p.size;
    return status;
}

/* ---- Pixels -------------------------------------------------------------------------------- */

/* Bits may stand without blanks between them. */
static int64_t read_text(pnm *p)
{
    if (!p->bits)
        return read_number(p);
    skip_blanks(p);
    int64_t value = p->at < p->in->size ? p->in->data[p->at++] - '0' : -1;
    return value <= 1 ? value : -1;
}

/* Rows of bits begin at a byte. */
static int64_t read_bit(pnm *p, uint64_t column)
{
    if (p->at >= p->in->size)
        return -1;
    int64_t value = p->in->data[p->at] >> (7 - column % 8) & 1;
    p->at += column % 8 == 7 || column + 1 == p->size.width;
    return value;
}

static int64_t read_binary(pnm *p)
{
    size_t wide = p->most > UINT8_MAX;
    if (p->at >= p->in->size || p->in->size - p->at < 1 + wide)
        return -1;
    int64_t value = p->in->data[p->at++];
    return wide ? value << 8 | p->in->data[p->at++] : value;
}

/* 0 to 255, or -1 at the end of the file. A set bit is black. */
static int read_value(pnm *p, uint64_t column)
{
    int64_t value = p->text ? read_text(p) : p->bits ? read_bit(p, column) : read_binary(p);
    if (value < 0 || p->bits)
        return value < 0 ? -1 : value ? 0 : 255;
    value = value > p->most ? p->most : value;
    return (int)((value * 255 + p->most / 2) / p->most);
}

static heed_status decode(const image_bytes *in, const heed_image_size *size, uint8_t *rgb)
{
    pnm p;
    heed_status status = read_header(&p, in);
    if (status)
        return status;
    for (uint64_t i = 0; i < size->height * size->width; i++, rgb += 3)
        for (int channel = 0; channel < p.channels; channel++) {
            int value = read_value(&p, i % size->width);
            if (value < 0)
                return image_broken(name, "the file ends too early");
            for (int k = channel; k < (p.channels == 3 ? channel + 1 : 3); k++)
                rgb[k] = (uint8_t)value;
        }
    return HEED_OK;
}

const image_reader image_pnm = {measure, decode};
