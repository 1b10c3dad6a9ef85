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
#define TALKING                                                                                    \
    "talking heads: fused attention takes one head at a time and cannot; computed node by node"
#define QUANTISED                                                                                  \
    "quantise weights alone, or leave the products of attention and what stands between them out"
#define FIXED "export with this size fixed, or with the same symbol for it everywhere"

// clang-format off
static const row rows[] = {
    /* before the softmax */
    {"no product of queries and keys comes before it", PLAIN},
    {"the scores are quantised before the softmax", QUANTISED},
    {"an operator that attention has no place for changes the scores",
     "scale, bias, mask, bound or cap the scores; with anything else they are computed node by "
     "node"},
    {"neither operand leads to a product of queries and keys", PLAIN},
    {"too many nodes before the softmax", PLAIN},
    {"the scores are chosen from two tensors",
     "choose between the scores and one number, such as -inf"},
    {"the scores are capped by tanh twice, or by a cap that is not above 0",
     "cap the scores once, as cap * tanh(scores / cap) with a constant cap"},
    {"biases or masks are applied before the scores are capped or clipped",
     "add biases and masks after the scores are bounded"},
    {"the scores are clipped twice, or not by numbers", "bound the scores once, by two numbers"},
    {"the scores are concatenated from several products",
     "compute the scores of all keys in one product, on concatenated keys"},
    {"the scores are no floating-point numbers", "compute the scores in a floating-point type"},
    {"the scores are multiplied with a tensor that cannot be a factor of them", PLAIN},
    {"masked scores become +inf or NaN", "mask with -inf, or with a finite number"},
    {"masked scores are changed and then clipped", "mask with -inf, after all that is added"},
    {"the scores are an input or a constant", ""},
    {"the scores are a product with a layer's weights, not with keys",
     "attention multiplies queries with keys: what weights alone score is computed as it is"},
    {"a layer's weights mix the scores of all heads before the softmax", TALKING},
    {"a layer's weights mix the heads between the softmax and the values", TALKING},
    {"the scores of additive attention are clipped, or multiplied with a tensor",
     "multiply the vector that sums up the channels instead of the scores"},
    {"the softmax is not over the keys of a product",
     "apply the softmax to the axis of the keys alone, without mixing heads before it"},
    {"the softmax's axis is none of the scores'", "the model is wrong: correct the softmax's axis"},
    {"a softmax over one key", ""},
    {"the rank of the scores is not known", "export with fixed ranks"},
    /* after it */
    {"no product with values follows the softmax",
     "multiply the softmax's result with the values at once: heads that are picked, added or "
     "mixed in between cannot be fused"},
    {"a dropout in training mode draws which weights count",
     "export after model.eval(), or run with --no-dropout"},
    {"the attention weights are quantised before they meet the values", QUANTISED},
    {"something is added to the attention weights",
     "multiply the softmax's own result with the values, and add a product of what is added"},
    {"too many nodes after the softmax", "multiply the softmax's result with the values directly"},
    {"the product after the softmax is not over its axis",
     "sum the product with the values over the keys, and over nothing else"},
    {"the softmax's result is multiplied with itself", ""},
    {"the softmax's result is multiplied with constants, not with values", ""},
    {"something is added in the product with the values", "add to the result, after the product"},
    {"the attention weights are read by others after they were changed",
     "make the softmax's own result the output of the model, or nothing"},
    {"the attention weights are changed one by one",
     "change the scores instead: mask them with -inf, multiply before the softmax"},
    {"the attention weights are read by others before they meet the values",
     "if the weights are needed as an output, make them one after the product with the values"},
    {"the attention weights are read by others",
     "export without the attention weights as an output"},
    /* too much of something */
    {"there are too many axes to follow", "use fewer reshapes between the products"},
    {"too many biases are added to the scores", "add the biases to each other first"},
    {"too many masks are applied to the scores", "combine the masks with And first"},
    {"a mask is bounded too often", "bound the mask once"},
    /* while the node is made */
    {"queries, keys and values do not fit together",
     "give queries, keys and values the axes batch, head, position, channel"},
    {"a size can be read from no input", FIXED},
    {"an operand has an axis that neither product has",
     "give queries, keys and values the axes batch, head, position, channel"},
    {"the fused result would have another type or shape", FIXED},
    {"the size of a mask or a bias is not known", FIXED},
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
