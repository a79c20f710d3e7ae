/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the command share: the run itself, errors and notes, the open instance. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "exit.h"
#include "options.h"

#include <dray/dray.h>

#include <limits.h>

struct verb;

/* One run of the command. */
struct cli {
    const struct verb *verb;
    const char *config; /* -c, or NULL */
    const char *driver; /* --driver, or NULL */
    int json;
    int quiet;
    int verbose;
    int help;
    int version;
    int out_is_terminal;
    int err_is_terminal;
    char **words; /* what is no option, without the verb */
    size_t nwords;
    void *values; /* the verb's own options */
    int progress; /* a progress line stands on the terminal: clear it before printing */
    const struct dray_setting *settings; /* flags laid over the configuration: [nsettings] */
    size_t nsettings;
    dray_log_fn log; /* takes the library's log instead of standard error; NULL: none does */
    void *log_user;
    struct dray *dray;
    char config_path[PATH_MAX]; /* in force; "" if there is none */
};

/* One verb. Its table of options fills a zeroed struct of `values_size` bytes. */
struct verb {
    const char *name;    /* "make job" */
    const char *summary; /* for the list of verbs */
    const char *words;   /* "TYPE [JSON|-]", or "" */
    size_t min_words;
    size_t max_words; /* SIZE_MAX: any number */
    const struct option *options;
    size_t values_size;
    int raw;           /* arguments behind the verb are its own business */
    int usage_status;  /* 0: EXIT_USAGE */
    const char *notes; /* shown by -h; NULL: none */
    const char *examples[3];
    int (*run)(struct cli *cli);
};

/* The verb that `words` begin with, and how many of them name it. NULL and one line in `error` if
   there is none. Takes the colon spellings too. */
const struct verb *verb_find(char **words, size_t nwords, size_t *used, struct option_error *error);

/* Calls `each` for every verb in the order of the documentation. */
void verb_each(void (*each)(const struct verb *verb, void *user), void *user);

extern const struct option global_options[]; /* for struct cli */

void help_all(struct cli *cli);
void help_verb(const struct verb *verb);

/* ---- Errors and notes: standard error, one line each ---- */

/* Reports an error of the library and returns the exit status for it. */
int report(const struct cli *cli, const struct dray_error *error);

/* The same for what happened before there was an open instance. */
int report_open(const struct cli *cli, const struct dray_error *error);

/* An error of the command's own: `status`, and the DRAY_ code that says what it is. */
int fail(const struct cli *cli, int status, int code, const char *fmt, ...) DRAY_PRINTF(4, 5);

/* What is wrong in a file of the user's, at `line` (0: in it somewhere). */
int fail_at(const struct cli *cli, int status, int code, const char *file, unsigned line,
    const char *fmt, ...) DRAY_PRINTF(6, 7);

/* Wrong usage. */
int misuse(const struct cli *cli, const char *fmt, ...) DRAY_PRINTF(2, 3);

/* A remark; not with -q. */
void note(const struct cli *cli, const char *fmt, ...) DRAY_PRINTF(2, 3);

/* Lines of the library's log: warnings and errors, with -v all, with -q errors alone. `user` is the
   struct cli. */
void log_to_stderr(void *user, int level, const char *line);

/* ---- The instance ---- */

/* Finds the configuration into cli->config_path. 0, or the exit status, reported. With --driver
   there may be none. */
int find_config(struct cli *cli);

/* What find_config found, as options to open or check. Borrows from `cli`. */
void open_options(struct cli *cli, uint32_t flags, struct dray_options *options);

/* Opens cli->dray, which main closes. 0, or the exit status, reported. */
int open_dray(struct cli *cli, uint32_t flags);

/* DRAY_CAN_ and DRAY_IS_ bits of the open driver. */
uint64_t driver_traits(const struct cli *cli);

/* A queue that was named and showed nothing: does it exist? EXIT_NOT_FOUND, reported, if no job was
   ever pushed into it; NULL and the configured default do. */
int require_queue(const struct cli *cli, const char *queue);

/* Nonzero if no job was ever in it; `near` is then the name that may be meant, or "". */
int is_new_queue(const struct cli *cli, const char *queue, char near[DRAY_ID_SIZE]);

/* How many jobs one batch of the open driver may have; 1 if that cannot be told. */
size_t driver_max_push(const struct cli *cli);

/* Refuses a store that ends with this process. 0, or EXIT_CONFIG, reported. */
int require_lasting(const struct cli *cli);

/* Says so when the store is not shared with other processes. */
void note_if_private(const struct cli *cli);

/* ---- Verbs on ids: `retry`, `cancel`, `delete` ---- */

/* Calls `act` for each word; the rest goes on after an error, whose status is the result. *done is
   how many succeeded. */
int each_id(struct cli *cli, int (*act)(struct cli *cli, const char *id, struct dray_error *error),
    uint64_t *done);

/* "3 jobs" and "1 job" with a verb's word: a note, or {"KEY": n} on standard output. */
void report_count(const struct cli *cli, const char *key, uint64_t count);

#endif
