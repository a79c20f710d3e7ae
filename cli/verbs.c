/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs and how words find one. */
#include "verbs.h"
#include "cli.h"

#include <dray/text.h>

#include <stdio.h>
#include <string.h>

static const struct verb *const verbs[] = {
    &verb_push,
    &verb_work,
    &verb_status,
    &verb_list,
    &verb_show,
    &verb_why,
    &verb_retry,
    &verb_cancel,
    &verb_delete,
    &verb_pause,
    &verb_resume,
    &verb_purge,
    &verb_sweep,
    &verb_fsck,
    &verb_compact,
    &verb_move,
    &verb_export,
    &verb_import,
    &verb_config,
    &verb_check,
    &verb_doctor,
    &verb_health,
    &verb_drivers,
    &verb_driver_test,
    &verb_make_job,
    &verb_make_driver,
    &verb_bench,
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* Words that later versions will know. */
static const char *const planned[] = {"cron", "cron list", "cron next", "cron run"};

void verb_each(void (*each)(const struct verb *verb, void *user), void *user)
{
    for (size_t i = 0; i < VERBS; i++)
        each(verbs[i], user);
}

static const struct verb *find_exactly(const char *name)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    }
    return NULL;
}

/* "queue:work" is "work" and "make:job" is "make job": the habit of other command lines. */
static void plain_spelling(char *out, size_t size, const char *word)
{
    if (strncmp(word, "queue:", 6) == 0)
        word += 6;
    snprintf(out, size, "%s", word);
    char *colon = strchr(out, ':');
    if (colon)
        *colon = ' ';
}

static int is_planned(const char *name)
{
    for (size_t i = 0; i < sizeof(planned) / sizeof(planned[0]); i++) {
        if (strcmp(planned[i], name) == 0)
            return 1;
    }
    return 0;
}

static void propose(const char *name, struct option_error *error)
{
    const char *names[VERBS];
    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i]->name;
    const char *near = dray_nearest(name, names, VERBS);
    if (near)
        snprintf(error->text, sizeof(error->text), "unknown verb '%.64s'; did you mean '%s'?", name,
            near);
    else
        snprintf(error->text, sizeof(error->text), "unknown verb '%.64s'", name);
}

const struct verb *verb_find(char **words, size_t nwords, size_t *used, struct option_error *error)
{
    char one[64];
    char two[128];
    plain_spelling(one, sizeof(one), words[0]);
    snprintf(two, sizeof(two), "%s %.60s", one, nwords > 1 ? words[1] : "");
    const struct verb *verb = find_exactly(two);
    *used = verb ? 2 : 1;
    if (!verb)
        verb = find_exactly(one);
    if (verb)
        return verb;
    if (is_planned(two))
        snprintf(error->text, sizeof(error->text), "%s: not in this version", two);
    else if (is_planned(one))
        snprintf(error->text, sizeof(error->text), "%s: not in this version", one);
    else if (strcmp(one, "driver") == 0)
        snprintf(error->text, sizeof(error->text), "driver what? Try: dray driver test CONFIG");
    else if (strcmp(one, "make") == 0)
        snprintf(error->text, sizeof(error->text),
            "make what? Try: dray make job NAME, or dray make driver NAME");
    else
        propose(one, error);
    return NULL;
}
