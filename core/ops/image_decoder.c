/* image_decoder.c - ImageDecoder: the bytes of an image file become pixels, by a plugin. The shape
 * depends on data. */
#include <string.h>

#include "base/log.h"
#include "base/service.h"
#include "heed/image.h"
#include "ops/op.h"

static const struct {
    const char *name;
    uint32_t pixels;
    int64_t channels;
} formats[] = {
    {"RGB", HEED_PIXELS_RGB, 3},
    {"BGR", HEED_PIXELS_BGR, 3},
    {"Grayscale", HEED_PIXELS_GRAY, 1},
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

static size_t find_format(const ir_node *n)
{
    const char *name = ir_attr_string(n, "pixel_format", "RGB");
    size_t i = 0;
    while (i < FORMATS && strcmp(formats[i].name, name) != 0)
        i++;
    return i;
}

static heed_status infer_image(op_infer *c)
{
    size_t format = find_format(c->node);
    ir_dim dims[3] = {DIM_UNKNOWN, DIM_UNKNOWN, 0};
    if (format == FORMATS)
        return infer_error(c, "pixel_format RGB, BGR or Grayscale", "%s",
                           ir_attr_string(c->node, "pixel_format", "RGB"));
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 1)
        return infer_error(c, "bytes in a tensor of rank 1", "rank %d", infer_rank(c, 0));
    dims[2] = formats[format].channels;
    return infer_set(c, 0, 0, 3, dims);
}

static heed_status decode(op_call *c, const heed_image *service, size_t format)
{
    const heed_tensor *in = c->in[0];
    heed_image_size size;
    TRY(service->measure(tensor_data(in), (uint64_t)tensor_count(in), &size));
    int64_t dims[3] = {(int64_t)size.height, (int64_t)size.width, formats[format].channels};
    TRY(call_output(c, 0, HEED_UINT8, 3, dims));
    return service->decode(tensor_data(in), (uint64_t)tensor_count(in), formats[format].pixels,
                           tensor_data(c->out[0]), (uint64_t)tensor_count(c->out[0]));
}

/* What is no image becomes one without pixels: so the standard has it. */
static heed_status run_image(op_call *c)
{
    const void *found;
    size_t format = find_format(c->node);
    if (!call_out(c, 0))
        return HEED_OK;
    TRY(service_find(HEED_IMAGE_ID, &found));
    heed_status status = decode(c, found, format);
    if (status != HEED_INVALID)
        return status;
    log_write(LOG_WARN, "ImageDecoder: %s", err_get()->message);
    return call_output(c, 0, HEED_UINT8, 3, (int64_t[]){0, 0, formats[format].channels});
}

// clang-format off
static const op_def image_decoder = {
    .domain = "", .name = "ImageDecoder", .since = 20, .flags = OP_DATA_SHAPE,
    .signature = "encoded_stream:uint8 -> image:uint8", .attrs = "pixel_format:string=RGB",
    .infer = infer_image, .run = run_image};
// clang-format on

const op_def *const ops_image_decoder[] = {&image_decoder, NULL};
