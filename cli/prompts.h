/* prompts.h - what a user gives a model to read: texts, files of text, lists of tokens. */
#ifndef HEED_CLI_PROMPTS_H
#define HEED_CLI_PROMPTS_H

#include "cli.h"

typedef struct prompt {
    char *text; /* NULL: tokens */
    size_t bytes;
    int32_t *tokens;
    size_t n_tokens;
} prompt;

typedef struct prompt_list {
    prompt *items;
    size_t n;
} prompt_list;

/* Every --TEXT, then every --tokens, then every --FILE ("-" for stdin), whole, without one line end
 * at its end, or each line that is not empty. Where there may be none, there is one without text
 * and tokens then. EXIT_OK, or an exit code after a message; free the list either way. */
int prompts_read(const cli_args *args, const char *text, const char *file, bool each_line,
                 bool may_be_none, prompt_list *out);
void prompts_free(prompt_list *list);

/* "1,2,3", "1 2 3" or "[1, 2, 3]": the value of --FLAG. EXIT_OK, or EXIT_USAGE after a message that
 * names the word; then *out is left alone. */
int prompts_parse_tokens(const char *flag, const char *text, int32_t **out, size_t *n);

/* The first words of a prompt in at most `size` bytes, on one line; what is no character is a
 * question mark. */
const char *prompts_excerpt(const prompt *p, char *out, size_t size);

/* The path that --tokenizer says, or of the tokenizer.json beside the model, or in the folder above
 * it, since graphs often have a folder of their own. NULL when there is none. */
char *prompts_find_tokenizer(const cli_args *args, const char *model);
/* The exit code of "there is no tokenizer", after a message that says where one was looked for. */
int prompts_no_tokenizer(const char *model, const char *instead);
/* The folder that a model lies in, or is. */
char *prompts_folder(const char *model);

#endif
