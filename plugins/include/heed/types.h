/* heed/types.h - what both public headers share: status codes, data types, tensors.
 *
 * Programs that run models (heed/heed.h) and plugins (heed/plugin.h) agree on these three
 * things, and on nothing else. Everything here is plain data, frozen within ABI 1. */
#ifndef HEED_TYPES_H
#define HEED_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HEED_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define HEED_EXPORT              __attribute__((visibility("default")))
#else
#define HEED_PRINTF(text, first)
#define HEED_EXPORT
#endif

/* ---- Status -----------------------------------------------------------------------------
 * Every function that can fail returns one. Numbers never change; the type is a plain
 * uint32_t wherever it crosses a library boundary. */
typedef uint32_t heed_status;
enum {
    HEED_OK = 0,
    HEED_UNSUPPORTED = 1, /* understood, but not offered: an operator, a dtype, a shape   */
    HEED_INVALID = 2,     /* the model, the input or the argument breaks a rule           */
    HEED_NOMEM = 3,       /* out of memory, or over the limit that was asked for          */
    HEED_NOTFOUND = 4,    /* no such file, plugin, name, or end of a list                 */
    HEED_DEVICE = 5,      /* the device or its driver failed or is not there              */
    HEED_INTERNAL = 6,    /* a defect of heed or of a plugin                              */
    HEED_CANCELLED = 7,   /* the caller cancelled the run                                 */
    HEED_DEADLINE = 8,    /* the deadline of the run has passed                           */
    HEED_IO = 9,          /* reading or writing a file failed                             */
    HEED_USAGE = 10,      /* an argument of a call is wrong (not the model's fault)       */
    HEED_FORKED = 11      /* a session of the parent was used in a forked child           */
};

/* ---- Data types -------------------------------------------------------------------------
 * Numbered as TensorProto.DataType of the ONNX standard, so that attributes such as Cast's
 * `to` need no translation. Types below a byte are packed low bits first. */
typedef uint32_t heed_dtype;
enum {
    HEED_UNDEFINED = 0,
    HEED_FLOAT32 = 1,
    HEED_UINT8 = 2,
    HEED_INT8 = 3,
    HEED_UINT16 = 4,
    HEED_INT16 = 5,
    HEED_INT32 = 6,
    HEED_INT64 = 7,
    HEED_STRING = 8, /* elements are heed_string */
    HEED_BOOL = 9,   /* one byte, 0 or 1 */
    HEED_FLOAT16 = 10,
    HEED_FLOAT64 = 11,
    HEED_UINT32 = 12,
    HEED_UINT64 = 13,
    HEED_COMPLEX64 = 14,
    HEED_COMPLEX128 = 15,
    HEED_BFLOAT16 = 16,
    HEED_FLOAT8E4M3FN = 17,
    HEED_FLOAT8E4M3FNUZ = 18,
    HEED_FLOAT8E5M2 = 19,
    HEED_FLOAT8E5M2FNUZ = 20,
    HEED_UINT4 = 21,
    HEED_INT4 = 22,
    HEED_FLOAT4E2M1 = 23,
    HEED_FLOAT8E8M0 = 24,
    HEED_UINT2 = 25,
    HEED_INT2 = 26,
    HEED_DTYPE_COUNT = 27
};

/* One element of a HEED_STRING tensor: `size` bytes, which may hold zeros. Owned by the
 * tensor's buffer. NULL data with size 0 is the empty string. */
typedef struct heed_string {
    const char *data;
    uint64_t size;
} heed_string;

/* ---- Tensors: the layout of DLPack 1.1 ---------------------------------------------------
 * When DLPack's own header was included first, its types are used. A test that has that
 * header asserts equal sizes and offsets. */
#if !defined(DLPACK_VERSION) && !defined(DLPACK_MAJOR_VERSION)
typedef enum {
    kDLCPU = 1,
    kDLCUDA = 2,
    kDLCUDAHost = 3,
    kDLOpenCL = 4,
    kDLVulkan = 7,
    kDLMetal = 8,
    kDLROCM = 10,
    kDLExtDev = 12,
    kDLCUDAManaged = 13
} DLDeviceType;

typedef struct {
    DLDeviceType device_type;
    int32_t device_id;
} DLDevice;

typedef enum {
    kDLInt = 0,
    kDLUInt = 1,
    kDLFloat = 2,
    kDLOpaqueHandle = 3, /* bits 64, lanes 2: heed_string */
    kDLBfloat = 4,
    kDLComplex = 5,
    kDLBool = 6,
    kDLFloat8_e4m3fn = 10,
    kDLFloat8_e4m3fnuz = 11,
    kDLFloat8_e5m2 = 12,
    kDLFloat8_e5m2fnuz = 13,
    kDLFloat8_e8m0fnu = 14,
    kDLFloat4_e2m1fn = 17
} DLDataTypeCode;

typedef struct {
    uint8_t code;   /* DLDataTypeCode */
    uint8_t bits;   /* of one lane; 4 and 2 are packed, low bits first */
    uint16_t lanes; /* 1, but 2 for strings */
} DLDataType;

typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;       /* ndim extents, 0 allowed */
    int64_t *strides;     /* in elements; NULL is dense row-major */
    uint64_t byte_offset; /* of element 0 from data; a kernel that ignores it is wrong on views */
} DLTensor;
#endif

#ifdef __cplusplus
}
#endif
#endif
