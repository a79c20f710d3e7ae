/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is put to the test: a driver and its options, found, read and checked by the library's own
 * code, as a program that opens the same configuration would have them.
 *
 * A store of real jobs is never touched. Every path in the driver's section of the configuration
 * keeps its file name alone and moves into a folder of the kit's, a fresh one for each store. An
 * option given on the command line is taken as it is, but for two words that may stand anywhere in
 * any text: {tmp} is that folder, {unique} a word that no other store has.
 */
#ifndef CONFORMANCE_TARGET_H
#define CONFORMANCE_TARGET_H

#include "config/config.h"
#include "dray/driver.h"

#include <stddef.h>

#define TARGET_SETTINGS_MAX 32u

/* What the command line says of the driver. */
struct target_wish {
    const char *config; /* a YAML file; NULL: none */
    const char *driver; /* a name, or the path of a shared object; NULL: what `config` says */
    struct dray_setting settings[TARGET_SETTINGS_MAX]; /* options of the driver */
    size_t nsettings;
};

struct target {
    const struct target_wish *wish;
    struct config *config;
    struct option_values *values;
    struct dray_driver driver;
    char path[4096]; /* of its file */
};

/* Loads it into this process. The code, and one line in `error`; target_free in any case. */
int target_load(struct target *target, const struct target_wish *wish, struct dray_error *error);
void target_free(struct target *target);

/* Has the driver an option that names a connection? */
int target_connects(const struct target *target);

/* The index of a choice of an option; -1 if there is none of that name. */
int target_choice(const struct target *target, const char *option, const char *choice);

/* Where a store of its own comes from. */
struct target_place {
    const char *folder; /* absolute */
    const char *unique;
};

/* The text of an option as the store in `place` has it; NULL as in host->text. Written to `out` if
   it is not the configured one, and cut if it does not fit. */
const char *target_text(const struct target *target, const struct target_place *place,
    const char *option, uint32_t index, char *out, size_t size);

#endif
