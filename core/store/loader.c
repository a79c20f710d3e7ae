/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that knows libltdl, which needs care:
 *
 * - It keeps its state in plain globals: one lock around every call, the reading of its error
 *   included.
 * - It looks for bare names in LTDL_LIBRARY_PATH (also in a set-uid program), follows `.la` text
 *   files to other folders and adds extensions on request. It is given absolute paths that end in
 *   `.so` alone, with which it does none of this.
 * - It binds lazily and reports every failure as "file not found". So the object is first opened
 *   by dlopen itself, bound at once, which gives the true reason and keeps it resident.
 *
 * A file is checked (trust.h), then loaded by its path without links. Nobody whom the check does
 * not trust can put another file there in between; that we did not do so ourselves is looked at
 * afterwards. /proc/self/fd/N would close that gap too, but the object would then carry that name:
 * $ORIGIN no longer leads to its folder, debuggers do not find it, and the loader of the C library,
 * which compares names first, would hand out this object again for the next one under the same N.
 */
#include "store/loader.h"

#include "host/error.h"
#include "store/elf.h"
#include "store/trust.h"

#include <dlfcn.h>
#include <ltdl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* A loaded object. Never freed: objects stay until the process ends. */
struct object {
    struct object *next;
    lt_dlhandle handle;
    dev_t dev;
    ino_t ino;
    char *path;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* around libltdl and these two */
static struct object *objects;
static int initialised;

/* By identity; by path too, because the C library would give us the old object for it. */
static struct object *find_object(const struct trusted_file *file)
{
    for (struct object *o = objects; o; o = o->next) {
        if ((o->dev == file->dev && o->ino == file->ino) || strcmp(o->path, file->path) == 0)
            return o;
    }
    return NULL;
}

/* What a person can do about the complaint of the dynamic linker. */
static const char *cure(const char *cause)
{
    if (strstr(cause, "undefined symbol"))
        return "link it with the library that has it";
    if (strstr(cause, "cannot open shared object"))
        return "install the library that it needs";
    if (strstr(cause, "wrong ELF class"))
        return "build it for this machine";
    if (strstr(cause, "ELF") || strstr(cause, "too short"))
        return "it is damaged or no shared object; build it again";
    return "build it again for this system";
}

/* The probe: binds everything, so that a missing function shows now and not at its first use. */
static void *bind_now(const char *path, struct dray_error *error)
{
    const char *problem = elf_problem(path);
    if (problem) {
        error_set(error, DRAY_CONFIG, 0, "%s cannot be loaded: %s; build or copy it again", path,
            problem);
        return NULL;
    }
    void *probe = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (probe)
        return probe;
    const char *cause = dlerror();
    if (!cause)
        cause = "no reason given";
    size_t len = strlen(path);
    if (strncmp(cause, path, len) == 0 && strncmp(cause + len, ": ", 2) == 0)
        cause += len + 2;
    error_set(error, DRAY_CONFIG, 0, "%s cannot be loaded: %s; %s", path, cause, cure(cause));
    return NULL;
}

static int ltdl_failed(const char *path, int code, struct dray_error *error)
{
    const char *cause = lt_dlerror();
    return error_set(
        error, code, 0, "%s cannot be loaded: libltdl: %s", path, cause ? cause : "no reason");
}

static lt_dlhandle open_resident(const char *path)
{
    lt_dlhandle handle = NULL;
    lt_dladvise advise;
    if (lt_dladvise_init(&advise) != 0)
        return NULL;
    if (lt_dladvise_local(&advise) == 0 && lt_dladvise_resident(&advise) == 0)
        handle = lt_dlopenadvise(path, advise);
    lt_dladvise_destroy(&advise);
    return handle;
}

static int open_handle(
    const struct trusted_file *file, lt_dlhandle *handle, struct dray_error *error)
{
    if (!initialised && lt_dlinit() != 0)
        return ltdl_failed(file->path, DRAY_NOMEM, error);
    initialised = 1;
    void *probe = bind_now(file->path, error);
    if (!probe)
        return DRAY_CONFIG;
    *handle = open_resident(file->path);
    dlclose(probe); /* resident all the same */
    if (!*handle)
        return ltdl_failed(file->path, DRAY_CONFIG, error);
    if (!trust_same(file))
        return error_set(error, DRAY_BUSY, 0,
            "%s was replaced while it was being loaded; start again", file->path);
    return DRAY_OK;
}

/* Loads what is not loaded yet. NULL, and the reason in *code and `error`, if it cannot be. */
static struct object *open_object(
    const struct trusted_file *file, int *code, struct dray_error *error)
{
    struct object *object = calloc(1, sizeof(*object));
    char *path = strdup(file->path);
    lt_dlhandle handle = NULL;
    if (object && path)
        *code = open_handle(file, &handle, error);
    else
        *code = error_set(error, DRAY_NOMEM, 0, "%s: out of memory", file->path);
    if (!object || !path || *code != DRAY_OK) {
        free(object);
        free(path);
        return NULL;
    }
    *object = (struct object){objects, handle, file->dev, file->ino, path};
    objects = object;
    return object;
}

/* ISO C has no cast from an object pointer to a function pointer; POSIX makes them alike. */
static int find_symbol(
    const struct object *object, const char *symbol, void (**entry)(void), struct dray_error *error)
{
    void *address = lt_dlsym(object->handle, symbol);
    if (!address)
        return error_set(error, DRAY_CONFIG, 0,
            "%s has no function %s; it is not what it is named as, or hides its symbols",
            object->path, symbol);
    memcpy(entry, &address, sizeof(address));
    return DRAY_OK;
}

/* Whoever runs a set-uid program chooses its configuration, so paths in it mean nothing there. */
static int check_privilege(const struct trusted_file *file, struct dray_error *error)
{
    const char *folder = loader_folder();
    size_t len = strlen(folder);
    if (!getauxval(AT_SECURE) || (strncmp(file->path, folder, len) == 0 && file->path[len] == '/'))
        return DRAY_OK;
    return error_set(error, DRAY_DENIED, 0,
        "%s is outside %s, the only folder that a set-uid program loads from", file->path, folder);
}

int loader_load(
    const char *path, const char *symbol, void (**entry)(void), struct dray_error *error)
{
    size_t len = strlen(path);
    if (len < 4 || strcmp(path + len - 3, ".so") != 0)
        return error_set(
            error, DRAY_INVALID, 0, "%.200s does not end in .so; name a shared object", path);
    struct trusted_file file;
    int code = trust_check(path, &file, error);
    if (code == DRAY_OK)
        code = check_privilege(&file, error);
    if (code != DRAY_OK)
        return code;

    pthread_mutex_lock(&lock);
    struct object *object = find_object(&file);
    if (!object)
        object = open_object(&file, &code, error);
    if (object)
        code = find_symbol(object, symbol, entry, error);
    pthread_mutex_unlock(&lock);
    return code;
}
