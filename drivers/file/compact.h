/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the file is written anew, and how much of that a turn does. Called with the lock held.
 *
 * What is promised: with L the bytes of a file that holds no more than what lives, M the option
 * max_file_size (2 MiB if that is less) and B the option max_backups, after each turn
 *
 *     file, space allocated behind it, and what is being written    <= 3 L + M
 *     the same while nothing is being written                       <= 2 L + M
 *     old copies                                                    <= B M
 *
 * How: let W be what the table says that L is at least (line_least), E the size of the file with
 * the space behind it. Copying begins at E = max(15/16 M, 7/4 W). A turn then copies PACE = 32
 * bytes for each byte that it has appended and each byte of W that it has set free. So when W + D
 * bytes have been copied, D being what was appended meanwhile, D and what was set free are W/31
 * together: E has become 7/4 W + W/31, the new file is W + W/31, and at least 30/31 W still
 * lives. 1.782 W is less than 1.85 times that, and both files together are 2.814 W, less than 2.91
 * times. Beginning from 15/16 M, where W is less than 4/7 of that, E stays below 15/16 M + 2 % of
 * M: it can be kept as an old copy. The next time comes when W * (7/4 - 32/31) has been appended: a
 * byte appended costs at most 1.5 bytes of copying.
 *
 * Where that does not hold - turns that are larger than MOST allows to keep pace with, another
 * process that began and does not go on, large jobs that went all at once - the end of the turn
 * finds the bound passed, and writes the file anew there and then: what lives is less than half of
 * it. Only a disk that takes no new file keeps it from that.
 */
#ifndef FILE_COMPACT_H
#define FILE_COMPACT_H

#include "file/store.h"

/* Before a turn that may write: goes on with what is under way, or begins it. Failing is logged and
   tried again later, but for DRAY_POISONED, which is returned. */
int32_t compact_begin_turn(struct store *store, struct dray_call *call);

/* After it: holds the bound. */
void compact_end_turn(struct store *store, struct dray_call *call);

#endif
