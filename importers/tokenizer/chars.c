/* chars.c - see chars.h. */
#include "chars.h"

#include <string.h>

enum { REPLACEMENT = 0xFFFD, BYTE_LETTERS = 0x100 };

/* The length of the character that begins here, or 0 and *part: bytes that could begin one. */
static size_t measure(const unsigned char *s, size_t n, size_t *part)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t need = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    *part = 1;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : low; /* no longer than needed */
    high = s[0] == 0xED   ? 0x9F
           : s[0] == 0xF4 ? 0x8F
                          : high; /* no surrogates, no more than 10FFFF */
    for (; *part < need; ++*part) {
        if (*part >= n || s[*part] < low || s[*part] > high)
            return 0;
        low = 0x80;
        high = 0xBF;
    }
    return need;
}

bool chars_ascii(const char *text, size_t n)
{
    unsigned char all = 0;
    for (size_t i = 0; i < n; i++)
        all |= (unsigned char)text[i];
    return all < 0x80;
}

size_t chars_valid(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0, part;
    while (at < n) {
        size_t size = measure(s + at, n - at, &part);
        if (!size)
            return at;
        at += size;
    }
    return n;
}

uint32_t chars_next(const char *text, size_t *at)
{
    const unsigned char *s = (const unsigned char *)text + *at;
    if (s[0] < 0x80) {
        *at += 1;
        return s[0];
    }
    if (s[0] < 0xE0) {
        *at += 2;
        return (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    }
    if (s[0] < 0xF0) {
        *at += 3;
        return (uint32_t)(s[0] & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    }
    *at += 4;
    return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 |
           (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
}

size_t chars_before(const char *text, size_t at)
{
    do
        at--;
    while (at && ((unsigned char)text[at] & 0xC0) == 0x80);
    return at;
}

size_t chars_count(const char *text, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

size_t chars_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

void chars_put_lossy(tok_text *out, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t from = 0, at = 0, part;
    while (at < n) {
        size_t size = measure(s + at, n - at, &part);
        if (!size) {
            tok_put(out, text + from, at - from);
            tok_put_char(out, REPLACEMENT);
            from = at + part;
        }
        at += size ? size : part;
    }
    tok_put(out, text + from, n - from);
}

/* ---- Bytes as letters ----------------------------------------------------------------------- */

/* The four runs of bytes that are not printable Latin-1, numbered one after another. */
typedef struct run {
    uint32_t first, last, letter;
} run;

static const run runs[] = {
    {0x00, 0x20, 0x100},
    {0x7F, 0xA0, 0x121},
    {0xAD, 0xAD, 0x143},
};
enum { RUNS = sizeof runs / sizeof runs[0] };

uint32_t chars_of_byte(uint8_t byte)
{
    for (size_t i = 0; i < RUNS; i++)
        if (byte >= runs[i].first && byte <= runs[i].last)
            return runs[i].letter + (byte - runs[i].first);
    return byte;
}

int chars_to_byte(uint32_t c)
{
    if (c < BYTE_LETTERS)
        return chars_of_byte((uint8_t)c) == c ? (int)c : -1;
    for (size_t i = 0; i < RUNS; i++)
        if (c >= runs[i].letter && c <= runs[i].letter + (runs[i].last - runs[i].first))
            return (int)(c - runs[i].letter + runs[i].first);
    return -1;
}
