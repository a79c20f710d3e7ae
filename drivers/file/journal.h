/* SPDX-License-Identifier: Apache-2.0 */
/* The open queue file: reading its header, appending, syncing, room on the disk. Called with the
   lock held. */
#ifndef FILE_JOURNAL_H
#define FILE_JOURNAL_H

#include "file/line.h"
#include "file/store.h"

#include <sys/stat.h>

/* Takes over an open descriptor. */
void journal_adopt(struct journal *journal, int fd, const struct stat *st);
void journal_close(struct journal *journal);

/* 1 if the file begins with a header. */
int journal_read_header(struct store *store, int fd, struct header *header);

/* Cuts off, durably, what lies behind journal.end; with `unbroken`, puts a line break there. */
int32_t journal_mend_tail(struct store *store, struct dray_call *call, int unbroken);

/*
 * Room on the disk, allocated ahead so that nobody else can take it:
 *
 *     what a turn appends | an outcome for each job that is handed out | the reserve
 *
 * Pushes leave all of that behind them, handing out jobs leaves half of the reserve, renewals leave
 * the outcomes; outcomes take what there is. So whatever fills the disk, each job that was handed
 * out can be reported, unless texts make its outcome longer than JOURNAL_OUTCOME and others have
 * taken what the reserve holds for that.
 */
#define JOURNAL_OUTCOME 256

/* Allocates disk space for `bytes` more. DRAY_FULL if there is none. */
int32_t journal_make_room(struct store *store, struct dray_call *call, uint64_t bytes);

/* How many jobs of up to `max` there is room to hand out. 0: none, explained as DRAY_FULL. */
uint32_t journal_room_to_lease(struct store *store, struct dray_call *call, uint32_t max);

/* Is there room to renew `n` leases? DRAY_FULL if not. */
int32_t journal_room_to_extend(struct store *store, struct dray_call *call, uint32_t n);

/* Allocates what a file has to have that was written anew; if there is no room, then not. */
void journal_keep_reserve(struct store *store);

/* The disk is full, but a file of so many bytes would fit where room is allocated ahead. */
int journal_fits_reserve(const struct store *store, int64_t bytes);
/* Gives the reserve back to the disk; 0 if that fails. */
int journal_give_reserve(struct store *store);

/* Bytes on the disk behind the end of the file, at most. */
int64_t journal_ahead(const struct store *store);

/* Appends the batch, and with `sync` makes it safe on the disk. DRAY_UNKNOWN poisons the store;
   after any other error the file is as it was before. */
int32_t journal_append(struct store *store, struct dray_call *call, int sync);

/* Nothing more is changed by this instance, and the next to open the file writes it anew. */
void journal_poison(struct store *store);

/* Writes all of it at `at`, whatever the system takes at a time. 0, or -1 and errno. */
int journal_write(int fd, const char *data, size_t len, int64_t at);

#endif
