/* run_report.h - what `heed run` tells about a run, as text or as JSON. */
#ifndef HEED_CLI_RUN_REPORT_H
#define HEED_CLI_RUN_REPORT_H

#include "inputs.h"

typedef struct run_report {
    const cli_args *args;
    const char *path;
    bool json, dry;
    heed_model *model;
    heed_session *session;
    input_set inputs;
    size_t n_out;
    heed_tensor **out;
    size_t runs;
    uint64_t first_ns, least_ns, median_ns;
} run_report;

void run_report_print(const run_report *report);

#endif
