/* SPDX-License-Identifier: Apache-2.0 */
/* A layer between SQLite and the system, in which the k-th write or sync fails: registered as the
   default VFS before the driver opens anything. */
#ifndef TESTS_SQLITE_SHIM_H
#define TESTS_SQLITE_SHIM_H

/* 0, or an error of SQLite's. */
int shim_register(void);

/* From the k-th write (or sync) on `code` comes back, `times` times; 0 writes: none fails. */
void shim_fail_writes(int k, int times, int code);
void shim_fail_syncs(int k, int times, int code);

/* Writes and syncs since then. */
int shim_writes(void);
int shim_syncs(void);

#endif
