/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include "host/error.h"
#include "store/descriptor.h"
#include "store/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What {tmp} and {unique} are while the configuration is read: braces mean something in YAML, and a
   path that does not begin with a slash is made one against the configuration's folder. */
#define TMP_WORD "{tmp}"
#define TMP_STAND_IN "/.dray-conformance-tmp"
#define UNIQUE_WORD "{unique}"
#define UNIQUE_STAND_IN "dray-conformance-unique"

static const struct {
    const char *word, *stand_in;
} marks[] = {{TMP_WORD, TMP_STAND_IN}, {UNIQUE_WORD, UNIQUE_STAND_IN}};

#define MARKS (sizeof(marks) / sizeof(marks[0]))

/* Copies `text` with every `from` replaced by `to`. */
static void replace(char *out, size_t size, const char *text, const char *from, const char *to)
{
    size_t used = 0;

    out[0] = 0;
    for (const char *at = strstr(text, from); used < size; at = strstr(text, from)) {
        int len = at ? (int)(at - text) : (int)strlen(text);
        used += (size_t)snprintf(out + used, size - used, "%.*s%s", len, text, at ? to : "");
        if (!at)
            return;
        text = at + strlen(from);
    }
}

static int is_marked(const char *text)
{
    for (size_t i = 0; i < MARKS; i++) {
        if (strstr(text, marks[i].word) || strstr(text, marks[i].stand_in))
            return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------- */
/* Loading                                                                                     */
/* ------------------------------------------------------------------------------------------- */

/* The section of a driver that a configuration names by a path: its file name without lib and
   .so. */
static void section_of(const char *driver, char *out, size_t size)
{
    const char *slash = strrchr(driver, '/');
    const char *name = slash ? slash + 1 : driver;
    size_t len = strlen(name);

    if (slash && len > 3 && strcmp(name + len - 3, ".so") == 0)
        len -= 3;
    if (slash && len > 3 && strncmp(name, "lib", 3) == 0) {
        name += 3;
        len -= 3;
    }
    snprintf(out, size, "%.*s", (int)len, name);
}

/* The settings of the wish with their full names and stand-ins, and the driver's file. */
struct overlay {
    struct dray_setting settings[TARGET_SETTINGS_MAX + 1];
    char keys[TARGET_SETTINGS_MAX][256];
    char values[TARGET_SETTINGS_MAX][1024];
    char file[4096];
    size_t n;
};

static int add_options(struct overlay *overlay, const struct target_wish *wish, const char *section,
    struct dray_error *error)
{
    for (size_t i = 0; i < wish->nsettings; i++) {
        char once[1024];
        const struct dray_setting *given = &wish->settings[i];
        if (strlen(given->value) > sizeof(once) / 4)
            return error_set(error, DRAY_LIMIT, 0, "the value of -o %s is too long", given->key);
        snprintf(overlay->keys[i], sizeof(overlay->keys[i]), "queue.%s.%s", section, given->key);
        replace(once, sizeof(once), given->value, TMP_WORD, TMP_STAND_IN);
        replace(overlay->values[i], sizeof(overlay->values[i]), once, UNIQUE_WORD, UNIQUE_STAND_IN);
        overlay->settings[overlay->n++] =
            (struct dray_setting){overlay->keys[i], overlay->values[i]};
    }
    return DRAY_OK;
}

static int has_slash(const char *driver)
{
    return driver && strchr(driver, '/') != NULL;
}

/* A driver's file: the section `custom` names it, so that its own name may be any. */
static int read_file_alone(struct target *target, struct overlay *overlay, struct dray_error *error)
{
    const struct target_wish *wish = target->wish;
    struct dray_options options = {.yaml = "queue: {}",
        .driver = "custom",
        .settings = overlay->settings,
        .flags = DRAY_OPEN_NO_HANDLERS | DRAY_OPEN_NO_ENVIRONMENT};
    char *absolute = realpath(wish->driver, NULL);

    snprintf(overlay->file, sizeof(overlay->file), "%s", absolute ? absolute : wish->driver);
    free(absolute);
    overlay->settings[overlay->n++] = (struct dray_setting){"queue.custom.module", overlay->file};
    int code = add_options(overlay, wish, "custom", error);
    options.nsettings = overlay->n;
    return code == DRAY_OK ? config_read(&target->config, &options, error) : code;
}

/* Twice: the options on the command line go into the section of the driver that the file names. */
static int read_config(struct target *target, struct overlay *overlay, struct dray_error *error)
{
    const struct target_wish *wish = target->wish;
    struct dray_options options = {.config = wish->config,
        .driver = wish->driver,
        .yaml = wish->config ? NULL : "queue: {}",
        .flags = DRAY_OPEN_NO_HANDLERS};
    char section[256];
    int code = config_read(&target->config, &options, error);

    if (code != DRAY_OK || !wish->nsettings)
        return code;
    section_of(target->config->driver ? target->config->driver : "", section, sizeof(section));
    config_free(target->config);
    target->config = NULL;
    code = add_options(overlay, wish, section, error);
    options.settings = overlay->settings;
    options.nsettings = overlay->n;
    return code == DRAY_OK ? config_read(&target->config, &options, error) : code;
}

static int is_option(const struct target *target, const char *name)
{
    for (uint32_t i = 0; i < target->driver.noptions; i++) {
        if (strcmp(descriptor_option(&target->driver, i)->name, name) == 0)
            return 1;
    }
    return 0;
}

int target_connects(const struct target *target)
{
    for (uint32_t i = 0; i < target->driver.noptions; i++) {
        if (descriptor_option(&target->driver, i)->type == DRAY_OPTION_CONNECTION)
            return 1;
    }
    return 0;
}

int target_choice(const struct target *target, const char *option, const char *choice)
{
    for (uint32_t i = 0; i < target->driver.noptions; i++) {
        const struct dray_option *row = descriptor_option(&target->driver, i);
        if (row->type != DRAY_OPTION_CHOICE || strcmp(row->name, option) != 0)
            continue;
        int index = 0;
        for (const char *at = row->choices; at; index++) {
            size_t len = strcspn(at, "|");
            if (len == strlen(choice) && strncmp(at, choice, len) == 0)
                return index;
            at = at[len] ? at + len + 1 : NULL;
        }
    }
    return -1;
}

/* Is any option of the driver's different from store to store? */
static int is_set_apart(const struct target *target)
{
    for (uint32_t i = 0; i < target->driver.noptions; i++) {
        const struct dray_option *option = descriptor_option(&target->driver, i);
        const char *text = option_text(target->values, option->name, 0);
        if (text && (option->type == DRAY_OPTION_PATH || is_marked(text)))
            return 1;
    }
    return 0;
}

static int check_settings(const struct target *target, struct dray_error *error)
{
    static const char *const common[] = {"module", "retry_after", "durability", "queue"};

    for (size_t i = 0; i < target->wish->nsettings; i++) {
        const char *key = target->wish->settings[i].key;
        int known = is_option(target, key);
        for (size_t k = 0; k < sizeof(common) / sizeof(common[0]); k++)
            known |= strcmp(common[k], key) == 0;
        if (!known)
            return error_set(error, DRAY_CONFIG, 0, "-o %s: the driver %s has no such option", key,
                target->driver.name);
    }
    if ((target->driver.can & DRAY_IS_SHARED) && !is_set_apart(target))
        return error_set(error, DRAY_CONFIG, 0,
            "the driver %s shares its store with other programs, and no option of the type path "
            "says where it is; so that no real job is touched, give the option that sets jobs "
            "apart a value with {unique} in it, such as -o 'prefix={unique}'",
            target->driver.name);
    return DRAY_OK;
}

int target_load(struct target *target, const struct target_wish *wish, struct dray_error *error)
{
    struct overlay *overlay = calloc(1, sizeof(*overlay));
    struct found_driver *found = calloc(1, sizeof(*found));
    int code = DRAY_NOMEM;

    *target = (struct target){.wish = wish};
    if (!overlay || !found)
        error_set(error, DRAY_NOMEM, 0, "out of memory");
    else if (!wish->config && has_slash(wish->driver))
        code = read_file_alone(target, overlay, error);
    else
        code = read_config(target, overlay, error);
    if (code == DRAY_OK)
        code = registry_find(target->config, found, error);
    if (code == DRAY_OK) {
        target->driver = found->driver;
        snprintf(target->path, sizeof(target->path), "%s", found->path);
        code = option_values_read(&target->values, target->config, &target->driver, error);
    }
    if (code == DRAY_OK)
        code = check_settings(target, error);
    free(overlay);
    free(found);
    return code;
}

void target_free(struct target *target)
{
    option_values_free(target->values);
    config_free(target->config);
    target->values = NULL;
    target->config = NULL;
}

/* ------------------------------------------------------------------------------------------- */
/* Values                                                                                      */
/* ------------------------------------------------------------------------------------------- */

static int is_path(const struct target *target, const char *name)
{
    for (uint32_t i = 0; i < target->driver.noptions; i++) {
        const struct dray_option *option = descriptor_option(&target->driver, i);
        if (option->type == DRAY_OPTION_PATH && strcmp(option->name, name) == 0)
            return 1;
    }
    return 0;
}

static int is_wished(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->wish->nsettings; i++) {
        if (strcmp(target->wish->settings[i].key, name) == 0)
            return 1;
    }
    return 0;
}

static void fill_marks(const struct target_place *place, const char *text, char *out, size_t size)
{
    const char *values[MARKS] = {place->folder, place->unique};
    char from[2048];

    snprintf(out, size, "%s", text);
    for (size_t i = 0; i < MARKS; i++) {
        snprintf(from, sizeof(from), "%s", out);
        replace(out, size, from, marks[i].stand_in, values[i]);
        snprintf(from, sizeof(from), "%s", out);
        replace(out, size, from, marks[i].word, values[i]);
    }
}

const char *target_text(const struct target *target, const struct target_place *place,
    const char *option, uint32_t index, char *out, size_t size)
{
    const char *text = option_text(target->values, option, index);

    if (!text)
        return NULL;
    if (is_marked(text)) {
        fill_marks(place, text, out, size);
        return out;
    }
    if (!is_path(target, option) || is_wished(target, option))
        return text;
    const char *slash = strrchr(text, '/');
    snprintf(out, size, "%s/%s", place->folder, slash ? slash + 1 : text);
    return out;
}
