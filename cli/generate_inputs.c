/* generate_inputs.c - inputs besides the prompt, as words NAME=VALUE: sounds and pictures for an
 * encoder, or what an encoder gave. Separate because the model that has the input must be found
 * first: the one that was named, the encoder, or one beside it. */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "inputs.h"
#include "model_files.h"

/* Does the model have the inputs of all words? */
static bool has_inputs(const heed_model *model, const cli_args *args)
{
    for (size_t i = 1; i < args->n_words; i++) {
        size_t length = strcspn(args->words[i], "="), n = heed_model_get_input_count(model), k = 0;
        for (; k < n; k++) {
            const char *name = heed_model_get_input(model, k)->name;
            if (strlen(name) == length && !strncmp(name, args->words[i], length))
                break;
        }
        if (k == n)
            return false;
    }
    return true;
}

static heed_model *load_if_fits(const cli_args *args, const char *path)
{
    heed_model *model = NULL;
    if (!path || files_is_folder(path) || heed_model_load(path, NULL, &model))
        return NULL;
    if (has_inputs(model, args))
        return model;
    heed_model_free(model);
    return NULL;
}

static heed_model *find_beside(const cli_args *args, const char *path)
{
    char *folder = prompts_folder(path);
    size_t n;
    char **files = model_files_list(folder, &n);
    heed_model *model = NULL;
    for (size_t i = 0; i < n && !model; i++)
        model = load_if_fits(args, files[i]);
    model_files_free(files, n);
    free(folder);
    return model;
}

/* Of all inputs that could be made up, only those of the words are given. */
static void take_given(generate_job *job, input_set *set)
{
    job->input_names = cli_alloc(set->n, sizeof *job->input_names);
    job->inputs = cli_alloc(set->n, sizeof(heed_tensor *));
    for (size_t i = 0; i < set->n; i++) {
        input_item *item = &set->items[i];
        if (!item->text || !item->tensor)
            continue;
        job->input_names[job->n_inputs] = cli_copy(item->info->name);
        job->inputs[job->n_inputs++] = item->tensor;
        item->tensor = NULL;
    }
    job->request.n_inputs = job->n_inputs;
    job->request.input_names = (const char *const *)job->input_names;
    job->request.inputs = job->inputs;
}

int generate_read_inputs(generate_job *job)
{
    const cli_args *args = job->args;
    input_set set = {0};
    if (args->n_words < 2)
        return EXIT_OK;
    heed_model *model = load_if_fits(args, job->path);
    if (!model)
        model = load_if_fits(args, job->options.encoder);
    if (!model)
        model = find_beside(args, job->path);
    if (!model)
        return exit_with(EXIT_USAGE,
                         "'%s': neither the model nor its encoder has such an input; a prompt is "
                         "--prompt 'TEXT'",
                         args->words[1]);
    int code = input_build_seeded(&set, model, args, 1, 0, false);
    if (!code)
        take_given(job, &set);
    input_free(&set);
    heed_model_free(model);
    return code;
}

void generate_free_inputs(generate_job *job)
{
    for (size_t i = 0; i < job->n_inputs; i++) {
        heed_tensor_free(job->inputs[i]);
        free(job->input_names[i]);
    }
    free(job->inputs);
    free(job->input_names);
}
