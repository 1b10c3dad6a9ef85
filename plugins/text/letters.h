/* letters.h - letter case of UTF-8 text; see heed/text.h for the contract. */
#ifndef TEXT_LETTERS_H
#define TEXT_LETTERS_H

#include "heed/text.h"

heed_status letters_change_case(uint32_t to, const char *text, uint64_t bytes, char *out,
                                uint64_t capacity, uint64_t *needed);

#endif
