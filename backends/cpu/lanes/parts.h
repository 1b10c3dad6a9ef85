/* The parts of one instruction set's vector code, each compiled by itself. What they give has the
 * set's name behind its own: cpu_lanes_avx2. CPU_ISA comes from CMakeLists.txt. */
#ifndef CPU_LANES_PARTS_H
#define CPU_LANES_PARTS_H

#include "lanes.h"

#define CPU_JOIN_NAMES(a, b) a##_##b
#define CPU_JOIN(a, b)       CPU_JOIN_NAMES(a, b)
#define CPU_OF_ISA(name)     CPU_JOIN(name, CPU_ISA)
#define CPU_TEXT_OF(name)    #name
#define CPU_TEXT(name)       CPU_TEXT_OF(name)
#define CPU_ISA_NAME         CPU_TEXT(CPU_ISA)

extern const cpu_flash_lanes CPU_OF_ISA(cpu_flash);
extern const cpu_paged_lanes CPU_OF_ISA(cpu_paged);
void CPU_OF_ISA(cpu_multiply)(const cpu_product *p);

#endif
