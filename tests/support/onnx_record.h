/* A builder that writes down what an importer says, one line an element, for tests that compare:
 *
 *     node 0 Add(x, w) -> (y) axis=1
 *     tensor 0 w int64[2] = 1 2
 *
 * And a host with the system's allocator that can be told to fail. It shares no code with the
 * runtime's own. */
#ifndef ONNX_RECORD_H
#define ONNX_RECORD_H

#include "heed/importer.h"

typedef struct onnx_record {
    heed_builder builder;
    char *text; /* the lines; owned */
    size_t size, capacity;
    uint64_t graphs;             /* made so far, the main graph counted */
    uint64_t n_nodes, n_tensors; /* seen */
    uint64_t borrowed_bytes;     /* of tensors that lie in the file */
    const char *const *known;    /* "domain.op" that `knows` says yes to, NULL-ended */
    heed_status status;          /* of the last error */
    char error[2048];            /* "path at byte N: expected E, found F; H" */
} onnx_record;

void onnx_record_open(onnx_record *r);
void onnx_record_close(onnx_record *r);
/* Does a line say exactly this? */
int onnx_record_has(const onnx_record *r, const char *line);

extern const heed_host onnx_record_host;
extern long onnx_record_live;          /* bytes that were not given back */
extern long onnx_record_peak;          /* the most of them since it was set to 0 */
extern long onnx_record_failing;       /* the allocation after so many fails; -1: none */
const char *onnx_record_message(void); /* of host->fail */

/* The importer, initialised with that host. */
const heed_importer *onnx_record_importer(void);
heed_status onnx_record_load(onnx_record *r, const void *bytes, size_t size);

#endif
