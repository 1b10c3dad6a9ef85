/* case.h - test cases: folders with model.onnx and test_data_set_N/{input,output}_M.pb. */
#ifndef HEED_CLI_CASE_H
#define HEED_CLI_CASE_H

#include <stdatomic.h>

#include "compare.h"

/* ---- Finding (case_find.c) ---- */

typedef struct case_list {
    size_t n;
    char **folders;
    char **names; /* the path below the folder that was searched */
} case_list;

/* Adds all cases below `root`, in order of their names; `prefix` stands before their names.
 * False with errno set when the root cannot be read. */
bool case_find(case_list *list, const char *root, const char *prefix);
void case_free(case_list *list);
/* Sorted names of the entries of a folder; those starting with `prefix`. Free each, and the list.
 */
size_t case_entries(const char *folder, const char *prefix, char ***out);

/* ---- Running (case_run.c) ---- */

enum { CASE_UNTRIED = 0, CASE_STARTED, CASE_PASSED, CASE_FAILED, CASE_SKIPPED };

/* Holds no pointer: workers leave it in shared memory. */
typedef struct case_result {
    atomic_int state;
    bool measured;
    bool no_device; /* failed because a backend that was asked for is not there */
    double max_abs, max_rel, ms;
    char reason[COMPARE_WHY];
} case_result;

typedef struct case_setup {
    const cli_args *args; /* of the verb, for what a worker sets up after its fork */
    heed_session_options options;
    bool fixed; /* rules were given; otherwise they come from the case */
    compare_rules rules;
} case_setup;

void case_run(const case_setup *setup, const char *folder, case_result *out);

/* ---- Many at once (case_jobs.c) ---- */

/* Called for each case in the order of the list, as soon as it and those before it are done. */
typedef void (*case_done_fn)(void *arg, size_t i, const case_result *result);

/* Runs all: in this process when jobs is 1, else in that many children, so that a case that
 * crashes takes no other with it. EXIT_OK, or an exit code when the setup failed. */
int case_run_all(const case_setup *setup, const case_list *list, size_t jobs, case_done_fn done,
                 void *arg);

#endif
