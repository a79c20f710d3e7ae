/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of a test's own. What is still there when its process ends is removed with all in it,
 * also if a check fails or somebody interrupts it; children that the process has forked remove
 * nothing. From one thread.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#define SCRATCH_SIZE 64

/* A new folder, on disk: in TMPDIR if that is not too long, else in /tmp. Ends the process if it
   cannot. */
void scratch_make(char folder[SCRATCH_SIZE]);

/* The same in memory, if the machine has a place for that: what syncs does not wait there. For
   whatever must not depend on how busy the disk is. */
void scratch_make_in_memory(char folder[SCRATCH_SIZE]);

/* Before the end, with all in it. */
void scratch_remove(const char *folder);

#endif
