/* verdict_reasons.c - what the user could do about each reason why attention was not fused.
 *
 * One row for each text that a walk or the emission gives; tests/style/test_reasons.py fails when
 * one is missing here. An empty help says that nothing outside of heed would change it. */
#include <string.h>

#include "passes/verdict/verdict.h"

typedef struct row {
    const char *reason, *help;
} row;

#define PLAIN "write the scores as a plain product of queries and keys, then scale, bias, mask"
#define FIXED "export with this size fixed, or with the same symbol for it everywhere"

// clang-format off
static const row rows[] = {
    /* before the softmax */
    {"no product of queries and keys comes before it", PLAIN},
    {"neither operand leads to a product of queries and keys", PLAIN},
    {"too many nodes before the softmax", PLAIN},
    {"a choice between two tensors", "choose between the scores and one number, such as -inf"},
    {"a second tanh",
     "cap the scores once, as cap * tanh(scores / cap) with a constant cap"},
    {"biases or masks inside of a bound", "add biases and masks after the scores are bounded"},
    {"scores that are bounded twice, or not by numbers", "bound the scores once, by two numbers"},
    {"scores that are put together from pieces",
     "compute the scores of all keys in one product, on concatenated keys"},
    {"scores that are no floating-point numbers", "compute the scores in a floating-point type"},
    {"the scores are multiplied with something that is no factor of them", PLAIN},
    {"hidden scores become infinite, or no numbers", "mask with -inf, or with a finite number"},
    {"masked scores are changed and bounded", "mask with -inf, after all that is added"},
    {"the scores are an input or a constant", ""},
    {"the scores are a product with weights, not with keys",
     "scores that weights mix before the softmax (talking heads) cannot be fused"},
    {"additive scores that are bounded or multiplied with a tensor",
     "multiply the vector that sums up the channels instead of the scores"},
    {"the softmax is not over the keys of a product",
     "apply the softmax to the axis of the keys alone, without mixing heads before it"},
    {"an axis that the scores do not have", "the model is wrong: correct the softmax's axis"},
    {"a softmax over one key", ""},
    {"the rank of the scores is not known", "export with fixed ranks"},
    /* after it */
    {"no product with values follows",
     "multiply the softmax's result with the values directly, without mixing heads in between"},
    {"too many nodes after the softmax", "multiply the softmax's result with the values directly"},
    {"the product after the softmax is not over its axis",
     "sum the product with the values over the keys, and over nothing else"},
    {"a product of the weights with themselves", ""},
    {"the weights are multiplied with constants, not with values", ""},
    {"something is added in the product with the values", "add to the result, after the product"},
    {"the weights are read after they were changed",
     "make the softmax's own result the output of the model, or nothing"},
    {"the weights of each query and key are changed",
     "change the scores instead: mask them with -inf, multiply before the softmax"},
    {"the weights are read before they meet the values",
     "if the weights are needed as an output, make them one after the product with the values"},
    {"the weights after the softmax are read by others",
     "export without the attention weights as an output"},
    /* too much of something */
    {"more axes than are looked at", "use fewer reshapes between the products"},
    {"more biases than are looked at", "add the biases to each other first"},
    {"more masks than are looked at", "combine the masks with And first"},
    {"more bounds than are looked at", "bound the mask once"},
    /* while the node is made */
    {"its operands cannot be arranged",
     "give queries, keys and values the axes batch, head, position, channel"},
    {"an extent that cannot be read from any input", FIXED},
    {"an axis that is not one of the products'",
     "give queries, keys and values the axes batch, head, position, channel"},
    {"a result of another type", FIXED},
    {"a mask or bias whose extents are not known", FIXED},
    {"attention is switched off", "leave --attention off away"},
};
// clang-format on

const char *verdict_help(const char *reason)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].reason, reason) == 0)
            return rows[i].help;
    return "";
}

const char *verdict_find_reason(const char *message, const char *missing)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strstr(message, rows[i].reason))
            return rows[i].reason;
    return missing;
}
