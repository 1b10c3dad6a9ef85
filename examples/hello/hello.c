/* hello.c - from a model file to numbers: the shortest whole program.
 *
 * model.onnx computes y[rows,2] = x[rows,3] * w[3,2] + b[2]. Usage: hello [MODEL] */
#include <stdio.h>

#include "heed/heed.h"

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "examples/hello/model.onnx";
    heed_session *session = NULL;
    heed_tensor *out = NULL;
    float x[2 * 3] = {1, 2, 3, 4, 5, 6};
    heed_tensor *in = heed_tensor_wrap(HEED_FLOAT32, 2, (int64_t[]){2, 3}, x);
    int failed = heed_session_open(path, NULL, &session) ||
                 heed_session_run(session, NULL, 1, (const char *[]){"x"}, &in, 1, NULL, &out);
    if (failed)
        fprintf(stderr, "%s\n", heed_error_get()->message);
    else
        for (int64_t i = 0; i < heed_tensor_get_count(out); i++)
            printf("%g\n", (double)((const float *)heed_tensor_get_data(out))[i]);
    heed_tensor_free(out);
    heed_tensor_free(in);
    heed_session_free(session);
    return failed;
}
