/* SPDX-License-Identifier: Apache-2.0 */
/* For loops that watch memory for a moment. */
#ifndef CORE_HOST_SPIN_H
#define CORE_HOST_SPIN_H

/* Tells the processor that this is such a loop: it saves power and lets its sibling run. */
static inline void spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
