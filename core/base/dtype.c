/* dtype.c - the facts about each data type, one row each. Separate from convert.c, which moves
 * elements: most callers only ask what a type is. */
#include "base/dtype.h"

enum {
    KIND_FLOAT = 1u << 0,
    KIND_INT = 1u << 1,
    KIND_SIGNED = 1u << 2,
};

typedef struct dtype_facts {
    const char *name;
    uint32_t bits;
    uint32_t kind;
    dtype_class class;
    DLDataType dl;
} dtype_facts;

// clang-format off
static const dtype_facts table[HEED_DTYPE_COUNT] = {
    [HEED_UNDEFINED]      = {"?",              0,   0,                      CLASS_NONE,   {0, 0, 0}},
    [HEED_FLOAT32]        = {"float32",        32,  KIND_FLOAT,             CLASS_F32,    {kDLFloat, 32, 1}},
    [HEED_UINT8]          = {"uint8",          8,   KIND_INT,               CLASS_U64,    {kDLUInt, 8, 1}},
    [HEED_INT8]           = {"int8",           8,   KIND_INT | KIND_SIGNED, CLASS_I64,    {kDLInt, 8, 1}},
    [HEED_UINT16]         = {"uint16",         16,  KIND_INT,               CLASS_U64,    {kDLUInt, 16, 1}},
    [HEED_INT16]          = {"int16",          16,  KIND_INT | KIND_SIGNED, CLASS_I64,    {kDLInt, 16, 1}},
    [HEED_INT32]          = {"int32",          32,  KIND_INT | KIND_SIGNED, CLASS_I64,    {kDLInt, 32, 1}},
    [HEED_INT64]          = {"int64",          64,  KIND_INT | KIND_SIGNED, CLASS_I64,    {kDLInt, 64, 1}},
    [HEED_STRING]         = {"string",         128, 0,                      CLASS_STRING, {kDLOpaqueHandle, 64, 2}},
    [HEED_BOOL]           = {"bool",           8,   0,                      CLASS_BOOL,   {kDLBool, 8, 1}},
    [HEED_FLOAT16]        = {"float16",        16,  KIND_FLOAT,             CLASS_F32,    {kDLFloat, 16, 1}},
    [HEED_FLOAT64]        = {"float64",        64,  KIND_FLOAT,             CLASS_F64,    {kDLFloat, 64, 1}},
    [HEED_UINT32]         = {"uint32",         32,  KIND_INT,               CLASS_U64,    {kDLUInt, 32, 1}},
    [HEED_UINT64]         = {"uint64",         64,  KIND_INT,               CLASS_U64,    {kDLUInt, 64, 1}},
    [HEED_COMPLEX64]      = {"complex64",      64,  0,                      CLASS_C64,    {kDLComplex, 64, 1}},
    [HEED_COMPLEX128]     = {"complex128",     128, 0,                      CLASS_C128,   {kDLComplex, 128, 1}},
    [HEED_BFLOAT16]       = {"bfloat16",       16,  KIND_FLOAT,             CLASS_F32,    {kDLBfloat, 16, 1}},
    [HEED_FLOAT8E4M3FN]   = {"float8e4m3fn",   8,   KIND_FLOAT,             CLASS_F32,    {kDLFloat8_e4m3fn, 8, 1}},
    [HEED_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8,   KIND_FLOAT,             CLASS_F32,    {kDLFloat8_e4m3fnuz, 8, 1}},
    [HEED_FLOAT8E5M2]     = {"float8e5m2",     8,   KIND_FLOAT,             CLASS_F32,    {kDLFloat8_e5m2, 8, 1}},
    [HEED_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8,   KIND_FLOAT,             CLASS_F32,    {kDLFloat8_e5m2fnuz, 8, 1}},
    [HEED_UINT4]          = {"uint4",          4,   KIND_INT,               CLASS_U64,    {kDLUInt, 4, 1}},
    [HEED_INT4]           = {"int4",           4,   KIND_INT | KIND_SIGNED, CLASS_I64,    {kDLInt, 4, 1}},
    [HEED_FLOAT4E2M1]     = {"float4e2m1",     4,   KIND_FLOAT,             CLASS_F32,    {kDLFloat4_e2m1fn, 4, 1}},
    [HEED_FLOAT8E8M0]     = {"float8e8m0",     8,   KIND_FLOAT,             CLASS_F32,    {kDLFloat8_e8m0fnu, 8, 1}},
    [HEED_UINT2]          = {"uint2",          2,   KIND_INT,               CLASS_U64,    {kDLUInt, 2, 1}},
    [HEED_INT2]           = {"int2",           2,   KIND_INT | KIND_SIGNED, CLASS_I64,    {kDLInt, 2, 1}},
};
// clang-format on

static const dtype_facts *facts(heed_dtype dtype)
{
    return &table[dtype < HEED_DTYPE_COUNT ? dtype : HEED_UNDEFINED];
}

bool dtype_valid(heed_dtype dtype) { return dtype != HEED_UNDEFINED && dtype < HEED_DTYPE_COUNT; }

const char *dtype_name(heed_dtype dtype) { return facts(dtype)->name; }

uint32_t dtype_bits(heed_dtype dtype) { return facts(dtype)->bits; }

dtype_class dtype_get_class(heed_dtype dtype) { return facts(dtype)->class; }

bool dtype_is_float(heed_dtype dtype) { return (facts(dtype)->kind & KIND_FLOAT) != 0; }

bool dtype_is_int(heed_dtype dtype) { return (facts(dtype)->kind & KIND_INT) != 0; }

bool dtype_is_signed(heed_dtype dtype) { return (facts(dtype)->kind & KIND_SIGNED) != 0; }

DLDataType dtype_to_dl(heed_dtype dtype) { return facts(dtype)->dl; }

heed_dtype dtype_from_dl(DLDataType type)
{
    for (heed_dtype dtype = 1; dtype < HEED_DTYPE_COUNT; dtype++) {
        DLDataType dl = table[dtype].dl;
        if (dl.code == type.code && dl.bits == type.bits && dl.lanes == type.lanes)
            return dtype;
    }
    return HEED_UNDEFINED;
}

bool dtype_bytes(heed_dtype dtype, uint64_t n, size_t *bytes)
{
    uint32_t bits = dtype_bits(dtype);
    uint64_t total = 0;
    if (bits == 0)
        return false;
    if (bits < 8) {
        uint64_t in_byte = 8 / bits;
        total = n / in_byte + (n % in_byte != 0);
    } else if (__builtin_mul_overflow(n, (uint64_t)(bits / 8), &total)) {
        return false;
    }
    if (total > PTRDIFF_MAX)
        return false;
    *bytes = (size_t)total;
    return true;
}
