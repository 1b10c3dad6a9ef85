/* stops.c - stops are few and short, so each is compared at each place; the last byte decides
 * nearly always. */
#include "generate/stops.h"

#include <stdatomic.h>
#include <string.h>

typedef struct stop {
    const char *text;
    size_t bytes;
} stop;

struct stops {
    atomic_uint holders;
    arena memory;
    size_t n, longest;
    stop *items;
};

static heed_status add(stops *s, const char *text, size_t i)
{
    if (!text || text[0] == '\0')
        return err_fail(HEED_INVALID, "stop %zu is empty", i);
    if (((unsigned char)text[0] & 0xC0) == 0x80)
        return err_fail(HEED_INVALID, "stop %zu is not UTF-8: it begins within a character", i);
    size_t bytes = strlen(text);
    s->items[i] = (stop){.text = arena_copy(&s->memory, text, bytes), .bytes = bytes};
    if (!s->items[i].text)
        return HEED_NOMEM;
    s->longest = bytes > s->longest ? bytes : s->longest;
    return HEED_OK;
}

heed_status stops_new(const char *const *texts, size_t n, stops **out)
{
    *out = NULL;
    if (n == 0)
        return HEED_OK;
    stops *s = mem_zero(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    atomic_init(&s->holders, 1);
    s->n = n;
    s->items = arena_array(&s->memory, n, sizeof(*s->items));
    heed_status status = s->items ? HEED_OK : HEED_NOMEM;
    for (size_t i = 0; i < n && !status; i++)
        status = add(s, texts[i], i);
    if (status) {
        stops_drop(s);
        return status;
    }
    *out = s;
    return HEED_OK;
}

stops *stops_hold(stops *s)
{
    if (s)
        atomic_fetch_add(&s->holders, 1);
    return s;
}

void stops_drop(stops *s)
{
    if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    arena_free(&s->memory);
    mem_free(s);
}

static bool ends_with(const stop *s, const char *text, size_t end)
{
    return s->bytes <= end && text[end - 1] == s->text[s->bytes - 1] &&
           memcmp(text + end - s->bytes, s->text, s->bytes) == 0;
}

size_t stops_find(const stops *s, const char *text, size_t from, size_t n)
{
    for (size_t end = from + 1; s && end <= n; end++) {
        size_t longest = 0;
        for (size_t i = 0; i < s->n; i++)
            if (s->items[i].bytes > longest && ends_with(&s->items[i], text, end))
                longest = s->items[i].bytes;
        if (longest > 0)
            return end - longest;
    }
    return n;
}

static bool is_beginning(const stops *s, const char *text, size_t n)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->items[i].bytes > n && memcmp(s->items[i].text, text, n) == 0)
            return true;
    return false;
}

size_t stops_may_begin(const stops *s, const char *text, size_t n)
{
    if (!s)
        return 0;
    size_t most = s->longest - 1 < n ? s->longest - 1 : n;
    while (most > 0 && !is_beginning(s, text + n - most, most))
        most--;
    return most;
}
