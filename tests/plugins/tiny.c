/* The template that newcomers copy, built for the tests. */
#include "../../plugins/template/tiny.c"
