/* unicode.c - properties and letter case by the tables of libutf8proc. */
#include "unicode.h"

#include <utf8proc.h>

#include "ages.h"

enum { DOTTED_CAPITAL_I = 0x130, DOT_ABOVE = 0x307 };

#define BIT(category) (UINT32_C(1) << UTF8PROC_CATEGORY_##category)
#define LETTERS       (BIT(LU) | BIT(LL) | BIT(LT) | BIT(LM) | BIT(LO))
#define MARKS         (BIT(MN) | BIT(MC) | BIT(ME))
#define NUMBERS       (BIT(ND) | BIT(NL) | BIT(NO))
#define PUNCTUATION   (BIT(PC) | BIT(PD) | BIT(PS) | BIT(PE) | BIT(PI) | BIT(PF) | BIT(PO))

static bool in(uint32_t c, uint32_t categories)
{
    return categories >> utf8proc_category((utf8proc_int32_t)c) & 1;
}

typedef struct range {
    uint32_t first, last;
} range;

static bool listed(uint32_t c, const range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}
#define LISTED(c, ranges) listed(c, ranges, sizeof(ranges) / sizeof((ranges)[0]))

bool uni_space(uint32_t c)
{
    static const range spaces[] = {{0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
                                   {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                   {0x205F, 0x205F}, {0x3000, 0x3000}};
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    return LISTED(c, spaces);
}

bool uni_numeric(uint32_t c)
{
    return c < 0x80 ? c >= '0' && c <= '9' : in(c, NUMBERS) || ages_listed(AGES_NEW_NUMERIC, c);
}

bool uni_punctuation(uint32_t c)
{
    if (c < 0x80)
        return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') &&
               !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (c == 0x166D || c == 0x111C9) /* they were punctuation */
        return true;
    return in(c, PUNCTUATION) && !ages_listed(AGES_PUNCTUATION, c);
}

/* U+1734 became a spacing mark, U+1CF2 and U+1CF3 became letters. */
bool uni_nonspacing(uint32_t c)
{
    return c >= 0x80 && (in(c, BIT(MN)) ? !ages_listed(AGES_NONSPACING, c) : c == 0x1734);
}

bool uni_mark(uint32_t c)
{
    return c >= 0x80 && (in(c, MARKS) ? !ages_listed(AGES_MARK, c) : c == 0x1CF2 || c == 0x1CF3);
}

bool uni_other(uint32_t c)
{
    if (c < 0x80)
        return c < ' ' || c == 0x7F;
    return in(c, BIT(CC) | BIT(CF) | BIT(CO)) && !ages_listed(AGES_OTHER, c);
}

bool uni_word(uint32_t c)
{
    /* Join_Control, and the letters in circles and squares (Other_Alphabetic but no marks) */
    static const range others[] = {{0x200C, 0x200D},
                                   {0x24B6, 0x24E9},
                                   {0x1F130, 0x1F149},
                                   {0x1F150, 0x1F169},
                                   {0x1F170, 0x1F189}};
    return in(c, LETTERS | MARKS | BIT(ND) | BIT(NL) | BIT(PC)) ||
           (c >= 0x80 && (LISTED(c, others) || ages_listed(AGES_NEW_WORD, c)));
}

bool uni_han(uint32_t c)
{
    static const range han[] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF},
                                {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF},
                                {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
    return c >= 0x3400 && LISTED(c, han);
}

/* Of Unicode 16 and 17, which libutf8proc may not know. */
static uint32_t new_lower(uint32_t c)
{
    static const struct {
        uint32_t first, last, lower;
    } pairs[] = {{0x1C89, 0x1C89, 0x1C8A},   {0xA7CB, 0xA7CB, 0x264},  {0xA7CC, 0xA7CC, 0xA7CD},
                 {0xA7CE, 0xA7CE, 0xA7CF},   {0xA7D2, 0xA7D2, 0xA7D3}, {0xA7D4, 0xA7D4, 0xA7D5},
                 {0xA7DA, 0xA7DA, 0xA7DB},   {0xA7DC, 0xA7DC, 0x19B},  {0x10D50, 0x10D65, 0x10D70},
                 {0x16EA0, 0x16EB8, 0x16EBB}};
    for (size_t i = 0; c >= 0x1C89 && i < sizeof pairs / sizeof pairs[0]; i++)
        if (c >= pairs[i].first && c <= pairs[i].last)
            return pairs[i].lower + (c - pairs[i].first);
    return c;
}

size_t uni_lower(uint32_t c, uint32_t out[2])
{
    if (c < 0x80) {
        out[0] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
        return 1;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    if (out[0] == c)
        out[0] = new_lower(c);
    out[1] = DOT_ABOVE;
    if (c != DOTTED_CAPITAL_I)
        return 1;
    out[0] = 'i';
    return 2;
}
