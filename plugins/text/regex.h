/* regex.h - regular expressions; see heed/text.h for the contract. */
#ifndef TEXT_REGEX_H
#define TEXT_REGEX_H

#include "heed/text.h"

heed_status regex_compile(const char *pattern, uint64_t bytes, heed_regex **out);
heed_status regex_full_match(const heed_regex *regex, const char *text, uint64_t bytes,
                             int32_t *matches);
void regex_free(heed_regex *regex);

#endif
