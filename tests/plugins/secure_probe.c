/* SPDX-License-Identifier: Apache-2.0 */
/* Tries what a set-uid program must not do; its caller has set the environment. */
#include "handler/command.h"
#include "store/loader.h"

#include <stdio.h>
#include <sys/auxv.h>

static int ignore_driver(const struct dray_found_driver *found, void *user)
{
    (void)found;
    (void)user;
    return 0;
}

/* The leak sanitizer cannot look into a set-uid program, and cannot be told so by its environment.
 */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

int main(void)
{
    static const char *const vector[] = {"/bin/true", NULL};
    const struct config config = {.folder = "/"};
    const struct config_handler handler = {.type = "test", .command = vector};
    struct command *command = NULL;
    void (*entry)(void) = NULL;
    int found = dray_each_driver("good", ignore_driver, NULL, NULL);
    int loaded = loader_load(PLUGIN_DIR "/good.so", "dray_driver_entry", &entry, NULL);
    int made = command_new(&command, &config, &handler, NULL);
    printf("secure=%d folder=%s find=%d load=%d command=%d\n", getauxval(AT_SECURE) != 0,
        dray_folder(), found, loaded, made);
    command_free(command);
    return 0;
}
