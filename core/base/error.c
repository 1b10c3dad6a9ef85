/* error.c - the error record of a thread and the sentence that is made of it.
 *
 * Separate because every other file reports through it, and because it must work when nothing else
 * does: it allocates nothing and every text is bounded. Text may come from hostile files, so bytes
 * that a terminal would obey are replaced before they are stored. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PART = 512, MESSAGE = 2048 };

typedef struct record {
    heed_error view;
    char plain[PART];
    char element[PART];
    char expected[PART];
    char found[PART];
    char hint[PART];
    char message[MESSAGE];
} record;

static _Thread_local record current;

/* Where the next words of a bounded sentence go. */
typedef struct writer {
    char *text;
    size_t size, used;
} writer;

static void put(writer *w, const char *text)
{
    size_t room = w->size - w->used - 1;
    size_t n = strlen(text);
    if (n > room)
        n = room;
    memcpy(w->text + w->used, text, n);
    w->used += n;
    w->text[w->used] = '\0';
}

static void put_offset(writer *w, uint64_t offset)
{
    char text[40];
    snprintf(text, sizeof(text), " at byte %llu", (unsigned long long)offset);
    put(w, w->used ? text : text + 1);
}

/* Copies text into a part of the record, without control characters and without a multi-byte
 * character that the bound cut in two. */
static void store(char *part, const char *text)
{
    size_t n = text ? strnlen(text, PART - 1) : 0;
    if (n == PART - 1) {
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        part[i] = c < 0x20 || c == 0x7F ? '?' : text[i];
    }
    part[n] = '\0';
}

static void store_format(char *part, const char *format, va_list args) HEED_PRINTF(2, 0);

/* By way of a second buffer: the arguments may be parts of the record themselves. */
static void store_format(char *part, const char *format, va_list args)
{
    char text[PART];
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    store(part, text);
}

static void put_what(writer *w, const record *r)
{
    put(w, r->plain);
    if (r->expected[0]) {
        put(w, "expected ");
        put(w, r->expected);
    }
    if (r->found[0]) {
        put(w, r->expected[0] ? ", found " : "found ");
        put(w, r->found);
    }
}

/* `<element> at byte <offset>: <what>; <hint>` with the parts that are there. */
static heed_status compose(record *r)
{
    writer w = {.text = r->message, .size = MESSAGE};
    r->message[0] = '\0';
    put(&w, r->element);
    if (r->view.offset != ERR_NO_OFFSET)
        put_offset(&w, r->view.offset);
    if (w.used && (r->plain[0] || r->expected[0] || r->found[0]))
        put(&w, ": ");
    put_what(&w, r);
    if (r->hint[0]) {
        put(&w, w.used ? "; " : "");
        put(&w, r->hint);
    }
    return r->view.status;
}

static void clear_parts(record *r)
{
    r->plain[0] = r->element[0] = r->expected[0] = r->found[0] = r->hint[0] = '\0';
    r->message[0] = '\0';
    r->view = (heed_error){.offset = ERR_NO_OFFSET,
                           .message = r->message,
                           .element = r->element,
                           .expected = r->expected,
                           .found = r->found,
                           .hint = r->hint};
}

/* A failure is never HEED_OK, whatever a plugin passes. */
static void set_status(record *r, heed_status status)
{
    r->view.status = status != HEED_OK ? status : HEED_INTERNAL;
}

heed_status err_fail(heed_status status, const char *format, ...)
{
    char text[PART];
    va_list args;
    va_start(args, format);
    store_format(text, format, args);
    va_end(args);
    clear_parts(&current);
    set_status(&current, status);
    store(current.plain, text);
    return compose(&current);
}

heed_status err_expected(heed_status status, const char *expected, const char *found,
                         const char *hint)
{
    char texts[3][PART];
    store(texts[0], expected);
    store(texts[1], found);
    store(texts[2], hint);
    clear_parts(&current);
    set_status(&current, status);
    store(current.expected, texts[0]);
    store(current.found, texts[1]);
    store(current.hint, texts[2]);
    return compose(&current);
}

/* Makes sure that there is an error to be added to. */
static record *ensure(void)
{
    if (current.view.status == HEED_OK) {
        clear_parts(&current);
        set_status(&current, HEED_INTERNAL);
        store(current.plain, "a call failed without saying why");
    }
    return &current;
}

heed_status err_at(uint64_t offset, const char *format, ...)
{
    record *r = ensure();
    if (r->element[0])
        return r->view.status;
    va_list args;
    va_start(args, format);
    store_format(r->element, format, args);
    va_end(args);
    if (r->view.offset == ERR_NO_OFFSET)
        r->view.offset = offset;
    return compose(r);
}

heed_status err_hint(const char *format, ...)
{
    record *r = ensure();
    if (r->hint[0])
        return r->view.status;
    va_list args;
    va_start(args, format);
    store_format(r->hint, format, args);
    va_end(args);
    return compose(r);
}

heed_status err_nomem(uint64_t bytes)
{
    return err_fail(HEED_NOMEM, "out of memory: %llu bytes", (unsigned long long)bytes);
}

const heed_error *err_get(void)
{
    if (current.view.message == NULL)
        clear_parts(&current);
    return &current.view;
}

void err_clear(void) { clear_parts(&current); }

const heed_error *heed_error_get(void) { return err_get(); }
