/* Any bytes as a model: load, infer, plan, one run on tiny shapes, free. What must hold is in the
 * sanitizers: no crash, no leak, no read outside of the file. Memory has a limit and the run a
 * deadline, so that a model that asks for much gets an error and not the machine. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heed/heed.h"

enum {
    MEMORY = 64 << 20,
    INPUTS = 16,
    OUTPUTS = 16,
    ELEMENTS = 4096,
    RANK = 16,
    RUN_NS = 200000000
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    heed_set_memory_limit(MEMORY);
    heed_set_threads(1);
    return 0;
}

static uint64_t deadline(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + RUN_NS;
}

/* A tensor of the declared type; what is not declared is 2. NULL when it would be large. */
static heed_tensor *make_tensor(const heed_value_info *info)
{
    int64_t dims[RANK], count = 1;
    int32_t rank = info->ndim < 0 ? 1 : info->ndim;
    heed_tensor *tensor = NULL;
    if (rank > RANK)
        return NULL;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = info->ndim < 0 || info->dims[i] < 0 ? 2 : info->dims[i];
        if (dims[i] > ELEMENTS || (count *= dims[i]) > ELEMENTS)
            return NULL;
    }
    if (heed_tensor_new(info->dtype ? info->dtype : HEED_FLOAT32, rank, dims, &tensor))
        return NULL;
    for (int64_t i = 0; i < count; i++) {
        double value = (double)(i % 3);
        if (heed_tensor_write_f64(tensor, i, 1, &value)) /* strings stay empty */
            break;
    }
    return tensor;
}

static heed_tensor *make_input(const heed_value_info *info)
{
    heed_tensor *value = NULL;
    if (info->kind == HEED_SEQUENCE)
        heed_tensor_new_sequence(info->dtype, 0, NULL, &value);
    else if (info->kind == HEED_OPTIONAL)
        heed_tensor_new_optional(NULL, &value);
    else
        value = make_tensor(info);
    return value;
}

static void run(heed_session *session)
{
    heed_model *model = heed_session_get_model(session);
    heed_tensor *in[INPUTS] = {0}, *out[OUTPUTS] = {0};
    const char *names[INPUTS];
    size_t n_in = heed_model_get_input_count(model), n_out = heed_model_get_output_count(model);
    heed_run_options options = {.size = sizeof(options), .deadline_ns = deadline()};
    size_t made = 0;
    for (; n_in <= INPUTS && made < n_in; made++) {
        const heed_value_info *info = heed_model_get_input(model, made);
        names[made] = info->name;
        in[made] = make_input(info);
        if (!in[made])
            break;
    }
    if (made == n_in && n_out <= OUTPUTS)
        heed_session_run(session, &options, n_in, names, in, n_out, NULL, out);
    for (size_t i = 0; i < OUTPUTS; i++)
        heed_tensor_free(out[i]);
    for (size_t i = 0; i < INPUTS; i++)
        heed_tensor_free(in[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    heed_session_options options = {.size = sizeof(options), .flags = HEED_SESSION_CHECK};
    heed_session *session = NULL;
    heed_model *model = NULL;
    if (heed_model_load_memory(bytes, size, NULL, &model))
        return 0;
    if (heed_session_new(model, &options, &session) == HEED_OK)
        run(session);
    heed_session_free(session);
    heed_model_free(model);
    return 0;
}
