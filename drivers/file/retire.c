/* SPDX-License-Identifier: Apache-2.0 */
#include "file/retire.h"

#include "common/os.h"

#include <signal.h>
#include <stdint.h>

#define LARGE ((int64_t)8 << 20)

static void *close_it(void *arg)
{
    os->close((int)(intptr_t)arg);
    return NULL;
}

static int is_large(int fd)
{
    struct stat st;

    return os->fstat(fd, &st) == 0 && st.st_size >= LARGE;
}

void retire_file(struct store *store, int fd)
{
    sigset_t all, before;

    /* A table that is not the system's own may not bear two threads. */
    if (os != &os_system || !is_large(fd)) {
        os->close(fd);
        return;
    }
    retire_wait(store);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    store->retiring = pthread_create(&store->retirer, NULL, close_it, (void *)(intptr_t)fd) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!store->retiring)
        os->close(fd);
}

void retire_wait(struct store *store)
{
    if (store->retiring)
        pthread_join(store->retirer, NULL);
    store->retiring = 0;
}
