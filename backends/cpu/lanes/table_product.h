/* Matrix products: one function. */
#include "lanes/parts.h"
#include "lanes/product.h"

void CPU_OF_ISA(cpu_multiply)(const cpu_product *p) { product(p); }
