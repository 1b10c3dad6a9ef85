/* registry.c - finding an operator by domain and name. A fixed table, filled once from what the
 * build collected, so that it costs no allocation and needs no shutdown. */
#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "ops/op.h"

#define SLOTS 4096u /* a power of two, several times the number of operators */

static const op_def *slots[SLOTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t hash(const char *domain, const char *name)
{
    return map_hash(domain, strlen(domain)) * 31 + map_hash(name, strlen(name));
}

static void add(const op_def *op)
{
    uint64_t i = hash(op->domain, op->name);
    while (slots[i % SLOTS])
        i++;
    slots[i % SLOTS] = op;
}

static void fill(void)
{
    for (const op_def *const *const *family = op_table; *family; family++)
        for (const op_def *const *op = *family; *op; op++)
            add(*op);
}

const op_def *op_find(const char *domain, const char *name)
{
    if (strcmp(domain, "ai.onnx") == 0)
        domain = "";
    pthread_once(&once, fill);
    for (uint64_t i = hash(domain, name); slots[i % SLOTS]; i++) {
        const op_def *op = slots[i % SLOTS];
        if (strcmp(op->name, name) == 0 && strcmp(op->domain, domain) == 0)
            return op;
    }
    return NULL;
}
