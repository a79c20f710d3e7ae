/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the command line, described by tables. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum {
    OPTION_FLAG = 1,     /* int: 1 */
    OPTION_TEXT = 2,     /* const char * */
    OPTION_OPTIONAL = 3, /* const char *: "" for `--name`, the value for `--name=VALUE` */
    OPTION_LIST = 4,     /* struct option_list: repeatable */
    OPTION_NUMBER = 5,   /* struct option_number, within min and max */
    OPTION_DURATION = 6, /* struct option_number, in milliseconds */
    OPTION_CHOICE = 7    /* const char *: one of `words` */
};

struct option_list {
    const char **at;
    size_t n;
};

struct option_number {
    uint64_t value;
    int given;
};

struct option {
    const char *name; /* without dashes; NULL ends a table */
    char letter;      /* 0: none */
    int kind;
    size_t offset; /* of the value in the struct that the table is for */
    const char *meta;
    const char *help;
    uint64_t min, max;        /* OPTION_NUMBER; max 0: no bound */
    const char *const *words; /* OPTION_CHOICE: ends in NULL */
};

/* Rows of a table for a struct of type `type`. */
#define OPT_FLAG(type, member, name_, help_)                                                       \
    {                                                                                              \
        .name = (name_), .kind = OPTION_FLAG, .offset = offsetof(type, member), .help = (help_)    \
    }
#define OPT_VALUE(kind_, type, member, name_, meta_, help_)                                        \
    {                                                                                              \
        .name = (name_), .kind = (kind_), .offset = offsetof(type, member), .meta = (meta_),       \
        .help = (help_)                                                                            \
    }
#define OPT_TEXT(...) OPT_VALUE(OPTION_TEXT, __VA_ARGS__)
#define OPT_OPTIONAL(...) OPT_VALUE(OPTION_OPTIONAL, __VA_ARGS__)
#define OPT_LIST(...) OPT_VALUE(OPTION_LIST, __VA_ARGS__)
#define OPT_DURATION(...) OPT_VALUE(OPTION_DURATION, __VA_ARGS__)
#define OPT_NUMBER(type, member, name_, meta_, help_, min_, max_)                                  \
    {                                                                                              \
        .name = (name_), .kind = OPTION_NUMBER, .offset = offsetof(type, member), .meta = (meta_), \
        .help = (help_), .min = (min_), .max = (max_)                                              \
    }
#define OPT_CHOICE(type, member, name_, meta_, help_, words_)                                      \
    {                                                                                              \
        .name = (name_), .kind = OPTION_CHOICE, .offset = offsetof(type, member), .meta = (meta_), \
        .help = (help_), .words = (words_)                                                         \
    }
#define OPT_END                                                                                    \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* A table and the struct that receives its values. */
struct option_table {
    const struct option *options;
    void *values;
};

struct option_error {
    char text[256]; /* one line: what is wrong and what to do */
};

/*
 * Reads arguments from args[0] on. Words that are no options are moved to the front of `args`, in
 * order, and counted in *nwords; `--` makes words of all that follows. With `stop_at_word` reading
 * ends at the first word, and *nread tells how many arguments came before it. 0, or -1 and `error`.
 * The values point into `args`; lists are freed by options_free.
 */
int options_read(const struct option_table *tables, size_t ntables, char **args, size_t nargs,
    int stop_at_word, size_t *nwords, size_t *nread, struct option_error *error);

void options_free(const struct option_table *table);

/* A whole number in `text`. 0, or -1 if it is none or out of range. */
int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

#endif
