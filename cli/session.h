/* session.h - the flags that every verb with a session shares, and what they turn into. */
#ifndef HEED_CLI_SESSION_H
#define HEED_CLI_SESSION_H

#include "cli.h"
#include "json.h"

extern const cli_flag session_flags[];

/* Threads, memory limit, log. Call before anything is loaded. EXIT_OK or an exit code. */
int session_prepare(const cli_args *args);
/* Fills the options of heed_session_new from the flags. */
int session_read_options(const cli_args *args, heed_session_options *out);
/* The attention mode of this name; says which there are, with NULL, when it is none. */
const char *session_find_mode(const char *text);
/* A file or folder that is not there is a usage error. */
int session_check_file(const char *path);
/* Loads the model; says what is wrong. A file that is not there is a usage error. */
int session_load_model(const char *path, heed_model **out);
/* heed_session_new, but with --allow-fallback on the default backends when a named one is missing.
 * Says so with `loud`. */
heed_status session_new_or_fall_back(const cli_args *args, heed_model *model,
                                     const heed_session_options *options, bool loud,
                                     heed_session **out);
/* Reads the options, makes the session, says what is wrong. */
int session_make(const cli_args *args, heed_model *model, const char *path, heed_session **out);

/* How many nodes run on each backend, in the order in which the backends first occur. */
typedef struct session_count {
    char backend[64];
    size_t nodes;
} session_count;
enum { SESSION_BACKENDS = 16 };
size_t session_count_placement(const heed_session *session, session_count out[SESSION_BACKENDS]);
/* "cpu 95, reference 2 nodes". */
void session_print_placement(FILE *file, const heed_session *session);
void session_json_placement(json_out *out, const heed_session *session);

/* What a report carries so that it can be repeated: model, its hash, version, CPU, threads, the
 * command line. */
void session_json_row(json_out *out, const cli_args *args, const char *model_path);

#endif
