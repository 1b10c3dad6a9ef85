/* reasons.c - what the user could do about each reason why a decoder gets no pages.
 *
 * One row for each text of a paging_stop; tests/style/test_reasons.py fails when one is missing
 * here. An empty help says that nothing outside of heed would change it. */
#include <string.h>

#include "passes/paging/paging.h"

// clang-format off
static const struct {
    const char *reason, *help;
} rows[] = {
    {"no input of tokens or of their embeddings was found",
     "give the decoder an input of token ids [batch, sequence] that looks up its embeddings"},
    {"two inputs look up tables, and nothing tells which has the tokens",
     "export so that the result has as many classes as the table of tokens has rows, or computes "
     "positions itself"},
    {"the number of tokens is not known to be one",
     "give the decoder an input of token ids [batch, sequence]"},
    {"the number of tokens is fixed in the file",
     "export with the axis of tokens dynamic, so that a step may have any number of them"},
    {"sequences that depend on each other, or on which they are",
     "export with a batch of one, or with the axis of sequences dynamic"},
    {"the number of tokens is fixed in the graph",
     "export with dynamic axes, without numbers of the example in shapes of Reshape or Expand"},
    {"a past of heads whose size only a run tells",
     "export with heads and head size as numbers in the shape of the past"},
    {"a mask of neither a row of tokens a sequence nor queries and keys",
     "give the model a mask [batch, tokens] or none, and let it make the causal one itself"},
    {"the result is an input", ""},
    {"what is computed for a token depends on others, and not by causal attention alone",
     "export so that a token reads others by causal attention alone, and positions are an input or "
     "are counted from the shape of the tokens"},
    {"a number of tokens that only one sequence has",
     "export without a length that is cut to what a table has"},
    {"nothing reads earlier tokens by attention", ""},
    {"heads whose number or size only a run tells",
     "export with the number of heads and their size as numbers"},
    {"scores with bounds", ""},
    {"a bias that cannot be computed for other numbers of tokens",
     "compute the bias from positions, by distance or by key, and not from a table of one size"},
};
// clang-format on

const char *paging_help(const char *reason)
{
    for (size_t i = 0; reason && i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].reason, reason) == 0)
            return rows[i].help;
    return "";
}
