/* report.h - the context of one load, and how everything in it reports what is wrong.
 *
 * A message has the element, its byte offset, what was expected, what was found and what to do.
 * With a builder it goes to builder->error; when a single value is read, which has none, it is
 * composed here and goes to host->fail. */
#ifndef ONNX_REPORT_H
#define ONNX_REPORT_H

#include "alloc.h"
#include "heed/importer.h"
#include "place.h"
#include "rules.h"
#include "table.h"
#include "wire.h"

typedef struct onnx_context {
    const heed_host *host;
    const heed_source *source;
    const onnx_rules *top; /* of the file's message */
    heed_builder *builder; /* NULL while a single value is read */
    onnx_arena keep;       /* until the end of the load */
    onnx_arena scratch;    /* one element of the file */
    int64_t ir_version;
    uint32_t tildes;      /* the longest run of '~' in any text of the file (see names.c) */
    uint64_t names;       /* invented so far */
    uint32_t depth;       /* graphs and function calls that are open */
    uint64_t nodes_left;  /* that functions may still expand to */
    onnx_table functions; /* of function_def */
} onnx_context;

void onnx_context_open(onnx_context *c, const heed_host *host, const heed_source *source,
                       const onnx_rules *top, heed_builder *builder);
void onnx_context_close(onnx_context *c);

onnx_range onnx_context_file(const onnx_context *c);
/* The offset of a byte of the file. */
uint64_t onnx_context_offset(const onnx_context *c, const uint8_t *byte);
onnx_place onnx_place_at(const onnx_context *c, const onnx_place *parent, const char *field,
                         int64_t index, const uint8_t *byte);

/* Reports and returns `status`. Each of the three texts may be NULL. */
heed_status onnx_report(onnx_context *c, heed_status status, const onnx_place *at,
                        const char *expected, const char *found, const char *hint);
heed_status onnx_report_no_memory(onnx_context *c, const onnx_place *at);

/* A formatted text in scratch, with control characters replaced; never NULL. */
const char *onnx_report_text(onnx_context *c, const char *format, ...) HEED_PRINTF(2, 3);

/* Returns from the calling function when `call` fails. */
#ifndef TRY
#define TRY(call)                                                                                  \
    do {                                                                                           \
        heed_status try_status_ = (call);                                                          \
        if (try_status_ != HEED_OK)                                                                \
            return try_status_;                                                                    \
    } while (0)
#endif

#endif
