/* inputs.h - the inputs of a model, as words of the command line say them.
 *
 *   name=@f.npy  name=@f.npz  name=@f.pb  name=@folder     from a file, by input name or number
 *   @f.npz  @folder                                        all inputs that it holds
 *   name=rand[:seed]  name=zeros  name=ones  name=range    filled
 *   name=2x2xf32=1 2 3 4   name=1 2 3 4   name=7           written out
 *   name:1x128  name:[1,128]  symbol=128                   shapes only
 *
 * What nobody gives is filled by itself (floats at random, whole numbers and bools with ones, which
 * are valid ids, positions and masks), and symbols that nobody gives are guessed and named. */
#ifndef HEED_CLI_INPUTS_H
#define HEED_CLI_INPUTS_H

#include "cli.h"
#include "shapes.h"

typedef struct input_item {
    const heed_value_info *info;
    char *text;       /* the value as given, or NULL */
    shape_dims shape; /* as given with name:DIMS */
    bool shaped;
    heed_tensor *tensor; /* once it is there */
    char *from;          /* where its values come from, for people */
} input_item;

typedef struct input_set {
    heed_model *model;
    size_t n; /* the model's inputs */
    input_item *items;
    shape_env env;
    uint64_t seed;
    size_t n_fed; /* the inputs that are given to a run */
    const char **names;
    heed_tensor **tensors;
} input_set;

/* Takes words[first..] and every --shape, makes all tensors, and prints guesses to stderr.
 * EXIT_OK, or an exit code after a message; free the set either way. */
int input_build(input_set *set, heed_model *model, const cli_args *args, size_t first);
/* The same with a seed for inputs that nobody gives; guesses are printed if `loud`. */
int input_build_seeded(input_set *set, heed_model *model, const cli_args *args, size_t first,
                       uint64_t seed, bool loud);
void input_free(input_set *set);

/* The symbol of an axis: its name, expression, or "INPUT.AXIS" when it has none. */
const char *input_symbol(const heed_value_info *info, int32_t axis, char *room, size_t size);

#endif
