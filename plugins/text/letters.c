/* letters.c - letter case by the tables of libutf8proc. */
#include "letters.h"

#include <string.h>
#include <utf8proc.h>

#include "alloc.h"

enum { ENCODED_MAX = 4 };

heed_status letters_change_case(uint32_t to, const char *text, uint64_t bytes, char *out,
                                uint64_t capacity, uint64_t *needed)
{
    utf8proc_int32_t (*map)(utf8proc_int32_t) =
        to == HEED_TEXT_UPPER ? utf8proc_toupper : utf8proc_tolower;
    uint64_t written = 0;
    if (to != HEED_TEXT_LOWER && to != HEED_TEXT_UPPER)
        return text_host->fail(HEED_INVALID, "letter case %u", to);
    for (uint64_t at = 0; at < bytes;) {
        utf8proc_int32_t letter;
        utf8proc_uint8_t encoded[ENCODED_MAX];
        uint64_t rest = bytes - at < ENCODED_MAX ? bytes - at : ENCODED_MAX;
        utf8proc_ssize_t read =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)rest, &letter);
        if (read <= 0)
            return text_host->fail(HEED_INVALID, "text that is not UTF-8 at byte %llu",
                                   (unsigned long long)at);
        uint64_t n = (uint64_t)utf8proc_encode_char(map(letter), encoded);
        if (written + n <= capacity)
            memcpy(out + written, encoded, n);
        written += n;
        at += (uint64_t)read;
    }
    *needed = written;
    return HEED_OK;
}
