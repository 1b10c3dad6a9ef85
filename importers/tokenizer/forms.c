/* forms.c - Unicode's normal forms (UAX 15), from libutf8proc's tables.
 *
 * utf8proc_decompose sorts marks by exchanging neighbours, which a text of a million marks makes
 * quadratic; here a long run is sorted by counting. What utf8proc allocates by malloc is not used.
 */
#include <string.h>
#include <utf8proc.h>

#include "ages.h"
#include "chars.h"
#include "unicode.h"

enum { DECOMPOSED_MAX = 32, SHORT_RUN = 16, CLASSES = 256 };

typedef struct letters {
    utf8proc_int32_t *data;
    size_t n, room;
} letters;

static int class_of(utf8proc_int32_t c)
{
    int class = utf8proc_get_property(c)->combining_class;
    return class && ages_listed(AGES_MARK, (uint32_t)c) ? 0 : class;
}

static bool put_decomposed(letters *l, uint32_t c, utf8proc_option_t options)
{
    int boundary = 0;
    void *grown = tok_grow(l->data, &l->room, l->n + DECOMPOSED_MAX, sizeof *l->data);
    if (!grown)
        return false;
    l->data = grown;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, l->data + l->n,
                                                 DECOMPOSED_MAX, options, &boundary);
    bool changed = n != 1 || l->data[l->n] != (utf8proc_int32_t)c;
    if (n < 0 || n > DECOMPOSED_MAX || (changed && ages_listed(AGES_FORM, c))) { /* it stays */
        l->data[l->n] = (utf8proc_int32_t)c;
        n = 1;
    }
    l->n += (size_t)n;
    return true;
}

/* ---- Canonical order ------------------------------------------------------------------------ */

static void sort_short(utf8proc_int32_t *run, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j && class_of(run[j - 1]) > class_of(run[j]); j--) {
            utf8proc_int32_t c = run[j];
            run[j] = run[j - 1];
            run[j - 1] = c;
        }
}

static bool sort_long(utf8proc_int32_t *run, size_t n)
{
    size_t starts[CLASSES + 1] = {0};
    utf8proc_int32_t *sorted = tok_alloc(n * sizeof *sorted);
    if (!sorted)
        return false;
    for (size_t i = 0; i < n; i++)
        starts[class_of(run[i]) + 1]++;
    for (size_t i = 0; i < CLASSES; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < n; i++)
        sorted[starts[class_of(run[i])]++] = run[i];
    memcpy(run, sorted, n * sizeof *sorted);
    tok_free(sorted);
    return true;
}

/* Each run of characters whose class is not 0, by class; equal ones keep their order. */
static bool sort(letters *l)
{
    for (size_t i = 0; i < l->n;) {
        size_t start = i;
        while (i < l->n && class_of(l->data[i]))
            i++;
        if (i - start <= SHORT_RUN)
            sort_short(l->data + start, i - start);
        else if (!sort_long(l->data + start, i - start))
            return false;
        i += i == start;
    }
    return true;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static bool decompose(letters *l, const char *text, size_t n, utf8proc_option_t options)
{
    for (size_t at = 0; at < n;)
        if (!put_decomposed(l, chars_next(text, &at), options))
            return false;
    return sort(l);
}

heed_status uni_normal_form(int flags, const char *text, size_t n, tok_text *out)
{
    letters l = {0};
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    if (chars_ascii(text, n)) {
        tok_put(out, text, n);
        return tok_text_status(out);
    }
    if (flags & UNI_COMPATIBLE)
        options |= UTF8PROC_COMPAT;
    bool good = decompose(&l, text, n, options);
    if (good && flags & UNI_COMPOSE)
        l.n = (size_t)utf8proc_normalize_utf32(l.data, (utf8proc_ssize_t)l.n,
                                               UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    for (size_t i = 0; good && i < l.n; i++)
        tok_put_char(out, (uint32_t)l.data[i]);
    tok_free(l.data);
    return good ? tok_text_status(out) : tok_no_memory();
}
