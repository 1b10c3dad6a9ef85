/* list_operators.c - prints the registry, for tools/operators. A line for each operator, separated
 * by tabs: domain, name, opset of the newest form, "kernel", "body", "view" or "nothing", flags. */
#include <stdio.h>

#include "ops/op.h"

static const char *how(const op_def *op)
{
    if (op->flags & OP_VIEW)
        return "view";
    return op->run ? "kernel" : op->decompose ? "body" : "nothing";
}

int main(void)
{
    for (const op_def *const *const *family = op_table; *family; family++)
        for (const op_def *const *op = *family; *op; op++)
            printf("%s\t%s\t%d\t%s\t%s%s\n", (*op)->domain, (*op)->name, (*op)->since, how(*op),
                   (*op)->flags & OP_RANDOM ? "random " : "",
                   (*op)->flags & OP_CONTROL ? "control" : "");
    return 0;
}
