/* The vector code for the compiler's baseline (SSE2, NEON, or none): the plain-C twin. */
#define CPU_LANES      cpu_lanes_base
#define CPU_LANES_NAME "base"
#include "lanes/table.h"
