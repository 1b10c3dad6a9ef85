/* What must hold of any operator on any input, drawn from bytes (op_draw.h).
 *
 * Beside what the sanitizers see: results are the same whatever was in memory before, they have the
 * shapes that inference promised before binding, no error is called a defect of heed, and what is
 * refused on one backend is refused on all. */
#ifndef OP_CHECK_H
#define OP_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* Once, before anything is allocated: memory is filled, limited, and one thread works. */
void op_check_start(void);
/* How many rules were broken; each is printed. */
unsigned op_check_bytes(const uint8_t *bytes, size_t size);

#endif
