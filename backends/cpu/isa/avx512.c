/* The vector code for AVX-512 (F, BW, DQ, VL); CMakeLists.txt gives this file the flags. */
#if defined(__x86_64__)
#define CPU_LANES      cpu_lanes_avx512
#define CPU_LANES_NAME "avx512"
#include "lanes/table.h"
#else
#include "lanes.h"
#endif
