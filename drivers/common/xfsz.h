/* SPDX-License-Identifier: Apache-2.0 */
/* A limit on file sizes (RLIMIT_FSIZE) raises SIGXFSZ in whoever writes past it, and the default
   action ends the process. Between the two calls below the writer gets EFBIG alone. */
#ifndef DRIVERS_COMMON_XFSZ_H
#define DRIVERS_COMMON_XFSZ_H

#include <signal.h>

struct xfsz {
    sigset_t before; /* the thread's signal mask */
    int pending;     /* one was pending already: not ours to take away */
    int blocked;
};

void xfsz_block(struct xfsz *xfsz);
void xfsz_restore(struct xfsz *xfsz);

#endif
