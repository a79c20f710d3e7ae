/* SPDX-License-Identifier: Apache-2.0 */
#include "common/xfsz.h"

#include <time.h>

void xfsz_block(struct xfsz *xfsz)
{
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    xfsz->blocked = pthread_sigmask(SIG_BLOCK, &set, &xfsz->before) == 0;
    xfsz->pending = sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1;
}

void xfsz_restore(struct xfsz *xfsz)
{
    sigset_t set, pending;
    if (!xfsz->blocked)
        return;
    xfsz->blocked = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    if (!xfsz->pending && sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 1)
        sigtimedwait(&set, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &xfsz->before, NULL);
}
