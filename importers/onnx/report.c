/* report.c - the context of one load and its messages (see report.h). */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "locate.h"

/* A file of n bytes may take a fixed amount and a multiple of n: enough for every honest file,
 * and a bound for the others. */
enum { BUDGET_FIXED = 64 << 20, BUDGET_FACTOR = 24, NODES_FIXED = 200000, TEXT_MAX = 400 };

static uint64_t budget_of(const heed_source *source)
{
    uint64_t bytes;
    if (__builtin_mul_overflow(source->n_bytes, (uint64_t)BUDGET_FACTOR, &bytes) ||
        __builtin_add_overflow(bytes, (uint64_t)BUDGET_FIXED, &bytes))
        return UINT64_MAX;
    return bytes;
}

void onnx_context_open(onnx_context *c, const heed_host *host, const heed_source *source,
                       const onnx_rules *top, heed_builder *builder)
{
    *c = (onnx_context){.host = host, .source = source, .top = top, .builder = builder};
    onnx_arena_init(&c->keep, host, budget_of(source));
    onnx_arena_init(&c->scratch, host, budget_of(source));
    c->nodes_left = NODES_FIXED + source->n_bytes / 16;
}

void onnx_context_close(onnx_context *c)
{
    onnx_arena_free(&c->scratch);
    onnx_arena_free(&c->keep);
}

onnx_range onnx_context_file(const onnx_context *c)
{
    return (onnx_range){c->source->bytes, c->source->bytes + c->source->n_bytes};
}

uint64_t onnx_context_offset(const onnx_context *c, const uint8_t *byte)
{
    return (uint64_t)(byte - c->source->bytes);
}

onnx_place onnx_place_at(const onnx_context *c, const onnx_place *parent, const char *field,
                         int64_t index, const uint8_t *byte)
{
    return (onnx_place){parent, field, index, onnx_context_offset(c, byte)};
}

/* The message as one line, for host->fail, which takes one text. */
static heed_status fail_line(onnx_context *c, heed_status status, const heed_origin *origin,
                             const char *expected, const char *found, const char *hint)
{
    return c->host->fail(status, "%s at byte %llu: expected %s, found %s%s%s", origin->path,
                         (unsigned long long)origin->offset, expected ? expected : "a valid value",
                         found ? found : "something else", hint ? "; " : "", hint ? hint : "");
}

heed_status onnx_report(onnx_context *c, heed_status status, const onnx_place *at,
                        const char *expected, const char *found, const char *hint)
{
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(at, path), at->offset};
    if (at->offset == PLACE_BY_NAME)
        origin.offset = onnx_locate(c->top, onnx_context_file(c), at);
    if (!c->builder)
        return fail_line(c, status, &origin, expected, found, hint);
    return c->builder->error(c->builder, status, &origin, expected, found, hint);
}

heed_status onnx_report_no_memory(onnx_context *c, const onnx_place *at)
{
    uint64_t held = c->keep.held + c->scratch.held;
    char found[96];
    snprintf(found, sizeof found, "memory exhausted after %llu bytes", (unsigned long long)held);
    return onnx_report(c, HEED_NOMEM, at, "an element that fits into the memory budget of its file",
                       found, "raise the memory limit, or check that the file is what you think");
}

static void replace_controls(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

const char *onnx_report_text(onnx_context *c, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    replace_controls(text);
    const char *copy = onnx_arena_text(&c->scratch, text, strlen(text));
    return copy ? copy : "(no memory for the text)";
}
