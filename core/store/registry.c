/* SPDX-License-Identifier: Apache-2.0 */
#include "store/registry.h"

#include "config/tree.h"
#include "dray/text.h"
#include "host/error.h"
#include "store/descriptor.h"
#include "store/folders.h"
#include "store/loader.h"
#include "text/name.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 33  /* a driver's name and its zero */
#define NAMES_MAX 256 /* drivers in all folders together */

/* Drivers linked into the program. Never freed: instances may use them until the process ends. */
struct registered {
    struct registered *next;
    char name[NAME_SIZE];
    struct dray_driver driver;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct registered *registered;

static struct registered *find_locked(const char *name)
{
    struct registered *r = registered;
    while (r && strcmp(r->name, name) != 0)
        r = r->next;
    return r;
}

static int find_registered(const char *name, struct found_driver *out)
{
    pthread_mutex_lock(&lock);
    const struct registered *r = find_locked(name);
    if (r) {
        out->driver = r->driver;
        out->path[0] = 0;
    }
    pthread_mutex_unlock(&lock);
    return r != NULL;
}

int dray_register_driver(
    const char *name, const struct dray_driver *driver, struct dray_error *error)
{
    const char *problem = name ? driver_name_check(name) : "is missing";
    if (problem)
        return error_set(
            error, DRAY_INVALID, 0, "register: the name '%.40s' %s", name ? name : "", problem);
    struct dray_driver copy;
    int code = descriptor_check(driver, &copy, error);
    if (code != DRAY_OK)
        return error_prefix(error, DRAY_INVALID, "register driver %s: ", name);

    pthread_mutex_lock(&lock);
    struct registered *r = find_locked(name);
    if (!r) {
        r = calloc(1, sizeof(*r));
        if (r) {
            snprintf(r->name, sizeof(r->name), "%s", name);
            r->next = registered;
            registered = r;
        }
    }
    if (r)
        r->driver = copy;
    pthread_mutex_unlock(&lock);
    return r ? DRAY_OK : error_set(error, DRAY_NOMEM, 0, "register driver %s: out of memory", name);
}

/* Loads and checks the shared object at an absolute path. `label` is what a person called it;
   `name`, if not NULL, is what the driver must call itself. */
static int load(const char *label, const char *name, const char *path, struct found_driver *out,
    struct dray_error *error)
{
    void (*entry)(void) = NULL;
    int code = loader_load(path, "dray_driver_entry", &entry, error);
    if (code != DRAY_OK)
        return error_prefix(error, code, "driver %s: ", label);
    const struct dray_driver *(*describe)(void);
    memcpy(&describe, &entry, sizeof(describe));
    code = descriptor_check(describe(), &out->driver, error);
    if (code != DRAY_OK)
        return error_prefix(error, code, "driver %s: %s: ", label, path);
    if (name && strcmp(name, out->driver.name) != 0)
        return error_set(error, DRAY_CONFIG, 0,
            "driver %s: %s calls itself %s; rename the file to %s.so", label, path,
            out->driver.name, out->driver.name);
    snprintf(out->path, sizeof(out->path), "%s", path);
    return DRAY_OK;
}

/* The file of a driver's name. */
static int find_file(const char *name, char *path, size_t size)
{
    char file[NAME_SIZE + 3];
    snprintf(file, sizeof(file), "%.32s.so", name);
    return folders_find(file, path, size);
}

/* By a name that is no path. DRAY_NOTFOUND, without a text, if there is none. */
static int find_named(const char *name, struct found_driver *out, struct dray_error *error)
{
    char path[PATH_MAX];
    if (find_registered(name, out))
        return DRAY_OK;
    if (!find_file(name, path, sizeof(path)))
        return DRAY_NOTFOUND;
    int code = load(name, name, path, out, error);
    return code == DRAY_NOTFOUND ? DRAY_IO : code;
}

/* ------------------------------------------------------------------------------------------- */

/* Names without repetition. */
struct names {
    char text[NAMES_MAX][NAME_SIZE];
    const char *sorted[NAMES_MAX];
    size_t n;
};

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->text[i], name) == 0)
            return;
    }
    if (names->n == NAMES_MAX)
        return;
    snprintf(names->text[names->n], NAME_SIZE, "%s", name);
    names->sorted[names->n] = names->text[names->n];
    names->n++;
}

static void add_folder(struct names *names, const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char name[NAME_SIZE];
        size_t len = strlen(entry->d_name);
        if (len < 4 || len - 3 >= sizeof(name) || strcmp(entry->d_name + len - 3, ".so") != 0)
            continue;
        memcpy(name, entry->d_name, len - 3);
        name[len - 3] = 0;
        if (!driver_name_check(name))
            add_name(names, name);
    }
    closedir(dir);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every name that could be opened. NULL without memory; for free. */
static struct names *all_names(void)
{
    struct names *names = calloc(1, sizeof(*names));
    if (!names)
        return NULL;
    pthread_mutex_lock(&lock);
    for (const struct registered *r = registered; r; r = r->next)
        add_name(names, r->name);
    pthread_mutex_unlock(&lock);
    char folder[PATH_MAX];
    for (size_t i = 0; folders_at(i, folder, sizeof(folder)); i++)
        add_folder(names, folder);
    qsort(names->sorted, names->n, sizeof(names->sorted[0]), compare_names);
    return names;
}

/* `origin` is "FILE:LINE", or what else named the driver. */
static int set_at_origin(struct dray_error *error, int code, const char *origin, const char *text)
{
    if (origin && strcmp(origin, "setting") == 0)
        origin = NULL; /* whoever is told has just said it */
    const char *colon = origin ? strrchr(origin, ':') : NULL;
    unsigned line = 0;
    char rest;
    if (!colon || colon == origin || sscanf(colon + 1, "%9u%c", &line, &rest) != 1)
        return error_set(error, code, 0, "%s%s%s", origin ? origin : "", origin ? ": " : "", text);
    char file[256];
    snprintf(file, sizeof(file), "%.*s", (int)(colon - origin), origin);
    return error_set_at(error, code, file, line, "%s", text);
}

static int not_found(const char *name, const char *origin, struct dray_error *error)
{
    struct names *names = all_names();
    const char *meant = names ? dray_nearest(name, names->sorted, names->n) : NULL;
    char known[160] = "";
    for (size_t i = 0, used = 0; names && i < names->n && used < sizeof(known); i++) {
        int len =
            snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "", names->sorted[i]);
        used += len > 0 ? (size_t)len : 0;
    }
    char folders[200];
    char text[512];
    snprintf(text, sizeof(text), "no driver '%.40s'%s%s%s; there %s%s (looked in %s)", name,
        meant ? " (did you mean " : "", meant ? meant : "", meant ? "?)" : "",
        names && names->n ? "are " : "is none", known, folders_list(folders, sizeof(folders)));
    free(names);
    return set_at_origin(error, DRAY_NOTFOUND, origin, text);
}

/* ------------------------------------------------------------------------------------------- */

/* What was found only by its path is not there, or no driver: the path is the mistake. */
static int place_path(const struct config *config, int code, struct dray_error *error)
{
    char text[sizeof(error->text)];
    if (code == DRAY_OK || !error)
        return code;
    snprintf(text, sizeof(text), "%s", error->text);
    return set_at_origin(error, code, config->driver_origin, text);
}

/* A section that is misspelled would leave the driver with its defaults, silently. One of another
   driver that is installed is none of ours. */
static int check_sections(const struct config *config, struct dray_error *error)
{
    struct found_driver other;
    char path[PATH_MAX];
    const char *meant = NULL;
    const struct node *section = config_stray_section(config, &meant);
    if (!section || find_registered(section->key, &other) ||
        find_file(section->key, path, sizeof(path)))
        return DRAY_OK;
    return node_error(error, section,
        "queue.%.40s: there is no such driver; did you mean queue.%.40s, the section of the driver "
        "in use?",
        section->key, meant);
}

/* `custom`: the module that its section names, else what the program registered under that name. */
static int find_custom(
    const struct config *config, struct found_driver *out, struct dray_error *error)
{
    if (config->module)
        return config_place(
            config, config->module_line, load("custom", NULL, config->module, out, error), error);
    if (find_registered("custom", out))
        return DRAY_OK;
    int code = find_named("custom", out, error);
    if (code != DRAY_NOTFOUND)
        return code;
    return set_at_origin(error, DRAY_CONFIG, config->driver_origin,
        "the driver custom needs the path of a module; add custom: {module: ./libmydriver.so} "
        "under queue, or register one with dray_register_driver");
}

int registry_find(const struct config *config, struct found_driver *out, struct dray_error *error)
{
    const char *name = config->driver;
    if (strchr(name, '/'))
        return place_path(config, load(name, NULL, name, out, error), error);
    int code = DRAY_NOTFOUND;
    if (strcmp(name, "custom") == 0)
        code = find_custom(config, out, error);
    else if (driver_name_check(name) || (code = find_named(name, out, error)) == DRAY_NOTFOUND)
        code = not_found(name, config->driver_origin, error);
    return code == DRAY_OK ? check_sections(config, error) : code;
}

static int show(const char *name, const char *path, int code, const struct found_driver *driver,
    const struct dray_error *problem, dray_found_driver_fn each, void *user)
{
    struct dray_found_driver found = {.name = name, .path = path[0] ? path : NULL};
    if (code == DRAY_OK)
        found.driver = &driver->driver;
    else
        found.problem = problem->text;
    return each(&found, user);
}

/* *there is 0, and nothing shown, if there is no such driver. */
static int show_named(const char *name, dray_found_driver_fn each, void *user, int *there)
{
    struct found_driver driver = {.path = ""};
    struct dray_error problem = DRAY_ERROR_INIT;
    char path[PATH_MAX] = "";
    int code = find_named(name, &driver, &problem);
    *there = code == DRAY_OK || (code != DRAY_NOTFOUND && find_file(name, path, sizeof(path)));
    if (!*there)
        return DRAY_OK;
    return show(name, code == DRAY_OK ? driver.path : path, code, &driver, &problem, each, user);
}

/* A path that a person gave: relative to the current folder, which its slash says is meant. */
static int show_path(
    const char *name, dray_found_driver_fn each, void *user, struct dray_error *error)
{
    char path[PATH_MAX];
    char folder[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s", name);
    if (name[0] != '/') {
        if (!realpath(".", folder))
            return error_set(error, DRAY_IO, errno, "the current folder: %s", strerror(errno));
        len = snprintf(path, sizeof(path), "%s/%s", folder, name);
    }
    if (len < 0 || (size_t)len >= sizeof(path))
        return error_set(error, DRAY_INVALID, 0, "%.200s is too long a path", name);
    struct found_driver driver = {.path = ""};
    struct dray_error problem = DRAY_ERROR_INIT;
    int code = load(name, NULL, path, &driver, &problem);
    if (code == DRAY_NOTFOUND)
        return error_copy(error, &problem);
    return show(
        code == DRAY_OK ? driver.driver.name : name, path, code, &driver, &problem, each, user);
}

int dray_each_driver(
    const char *name, dray_found_driver_fn each, void *user, struct dray_error *error)
{
    int there = 0;
    if (!each)
        return error_set(error, DRAY_INVALID, 0, "no function was given");
    if (name && strchr(name, '/'))
        return show_path(name, each, user, error);
    if (name) {
        int code = driver_name_check(name) ? DRAY_OK : show_named(name, each, user, &there);
        return there ? code : not_found(name, NULL, error);
    }
    struct names *names = all_names();
    if (!names)
        return error_set(error, DRAY_NOMEM, 0, "drivers: out of memory");
    int code = DRAY_OK;
    for (size_t i = 0; i < names->n && code == DRAY_OK; i++)
        code = show_named(names->sorted[i], each, user, &there);
    free(names);
    return code;
}
