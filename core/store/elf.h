/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a shared object whole? The dynamic linker maps segments without a look at the length of the
 * file, so a copy that was cut off ends the process with SIGBUS instead of an error.
 */
#ifndef CORE_STORE_ELF_H
#define CORE_STORE_ELF_H

/* NULL if so, or if it is no ELF file of this machine's kind, which the linker says better; else
   why not, as a static phrase. */
const char *elf_problem(const char *path);

#endif
