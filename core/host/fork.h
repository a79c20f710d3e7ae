/* SPDX-License-Identifier: Apache-2.0 */
/* Noticing a fork without a system call. */
#ifndef CORE_HOST_FORK_H
#define CORE_HOST_FORK_H

/* A number that differs in a child from what it was in its parent. Never 0. Any thread. */
unsigned fork_generation(void);

#endif
