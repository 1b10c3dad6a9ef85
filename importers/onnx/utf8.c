/* utf8.c - checks UTF-8 after RFC 3629 (see utf8.h). */
#include "utf8.h"

#include <string.h>

/* Lead bytes of one kind: how many bytes follow, and the bounds of the first of them, which
 * exclude overlong forms, surrogates and everything above U+10FFFF. */
typedef struct lead {
    uint8_t first, last, follow, low, high;
} lead;

// clang-format off
static const lead leads[] = {
    {0xc2, 0xdf, 1, 0x80, 0xbf},
    {0xe0, 0xe0, 2, 0xa0, 0xbf},
    {0xe1, 0xec, 2, 0x80, 0xbf},
    {0xed, 0xed, 2, 0x80, 0x9f},
    {0xee, 0xef, 2, 0x80, 0xbf},
    {0xf0, 0xf0, 3, 0x90, 0xbf},
    {0xf1, 0xf3, 3, 0x80, 0xbf},
    {0xf4, 0xf4, 3, 0x80, 0x8f},
};
// clang-format on

static const lead *find_lead(uint8_t byte)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    return NULL;
}

/* Bytes of the character at `at`, or 0. */
static size_t character_size(onnx_range text)
{
    const lead *l = find_lead(*text.at);
    if (!l || onnx_wire_size(text) <= l->follow || text.at[1] < l->low || text.at[1] > l->high)
        return 0;
    for (size_t i = 2; i <= l->follow; i++)
        if ((text.at[i] & 0xc0) != 0x80)
            return 0;
    return (size_t)l->follow + 1;
}

/* Eight bytes that are all ASCII, not zero, and not '~'. */
static int is_plain(const uint8_t *at)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t tilde = word ^ ones * '~';
    return !((word | (word - ones) | ((tilde - ones) & ~tilde)) & highs);
}

const uint8_t *onnx_utf8_fault(onnx_range text, uint32_t *tildes)
{
    uint32_t run = 0;
    while (text.at < text.end) {
        if (onnx_wire_size(text) >= 8 && is_plain(text.at)) {
            text.at += 8;
            run = 0;
            continue;
        }
        size_t size = *text.at < 0x80 ? *text.at != 0 : character_size(text);
        if (!size)
            return text.at;
        run = *text.at == '~' ? run + 1 : 0;
        *tildes = run > *tildes ? run : *tildes;
        text.at += size;
    }
    return NULL;
}
