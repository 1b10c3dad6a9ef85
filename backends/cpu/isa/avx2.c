/* The vector code for AVX2 with FMA; CMakeLists.txt gives this file the compiler flags. */
#if defined(__x86_64__)
#define CPU_LANES      cpu_lanes_avx2
#define CPU_LANES_NAME "avx2"
#include "lanes/table.h"
#else
#include "lanes.h"
#endif
