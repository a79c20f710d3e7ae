/* SPDX-License-Identifier: Apache-2.0 */
#include "file/scan.h"

#include "common/os.h"
#include "file/line.h"

#include <errno.h>
#include <string.h>

#define CHUNK ((size_t)1 << 20)
#define LONGEST ((size_t)64 << 20) /* no line of ours comes near */

void scan_begin(struct scan *scan, const struct dray_host *host, struct buffer *input, int fd,
    int64_t from, int64_t limit)
{
    *scan = (struct scan){.host = host, .input = input, .fd = fd, .at = from, .limit = limit};
    input->len = 0;
}

/* More of the file behind what is there. */
static int32_t fill(struct scan *scan)
{
    struct buffer *input = scan->input;

    if (scan->pos) {
        input->len -= scan->pos;
        memmove(input->data, input->data + scan->pos, input->len);
        scan->pos = 0;
    }
    int64_t from = scan->at + (int64_t)input->len;
    size_t want = scan->limit - from < (int64_t)CHUNK ? (size_t)(scan->limit - from) : CHUNK;
    if (!buffer_ensure(input, scan->host, want))
        return DRAY_NOMEM;
    for (;;) {
        ssize_t n = os->pread(scan->fd, input->data + input->len, want, from);
        if (n > 0) {
            input->len += (size_t)n;
            return DRAY_OK;
        }
        if (n == 0 || errno != EINTR) {
            scan->sys = n == 0 ? 0 : errno;
            return DRAY_IO;
        }
    }
}

static void take(struct scan *scan, struct piece *piece, size_t len, size_t with_break)
{
    *piece = (struct piece){.text = scan->input->data + scan->pos, .len = len, .at = scan->at};
    scan->pos += with_break;
    scan->at += (int64_t)with_break;
}

/* What is behind the first `len` bytes of the piece is a piece of its own. */
static void give_back(struct scan *scan, struct piece *piece, size_t len)
{
    size_t back = (size_t)(scan->at - piece->at) - len;

    scan->pos -= back;
    scan->at -= (int64_t)back;
    piece->len = len;
}

static const char *find_start(const char *text, size_t len)
{
    return memmem(text, len, LINE_START, LINE_START_LEN);
}

/* Two zeros in a row: a hole, which only an interrupted write leaves. Behind the last zero a line
   may begin, for no line holds one. */
static int split_hole(struct scan *scan, struct piece *piece)
{
    const char *hole = memmem(piece->text, piece->len, "\0", 2);
    const char *last = memrchr(piece->text, 0, piece->len);

    if (!hole || !last)
        return 0;
    piece->torn = 1;
    size_t len = (size_t)(last + 1 - piece->text);
    if (find_start(last + 1, piece->len - len) == last + 1)
        give_back(scan, piece, len);
    return 1;
}

/* A line whose break alone is damaged is whole, and so may be the one behind it. */
static int split_line(struct scan *scan, struct piece *piece)
{
    size_t from = 1;

    while (from < piece->len) {
        const char *start = find_start(piece->text + from, piece->len - from);
        if (!start)
            return 0;
        size_t len = (size_t)(start - piece->text) - 1;
        if (line_is_whole(piece->text, len)) {
            give_back(scan, piece, len + 1);
            piece->len = len;
            piece->whole = 1;
            return 1;
        }
        from = len + 2;
    }
    return 0;
}

static void judge(struct scan *scan, struct piece *piece, int has_break)
{
    piece->whole = has_break && line_is_whole(piece->text, piece->len);
    if (piece->whole || split_hole(scan, piece) || split_line(scan, piece) || has_break)
        return;
    if (piece->len > LINE_MIN && line_is_whole(piece->text, piece->len - 1)) {
        piece->len--;
        piece->whole = piece->unbroken = 1;
        return;
    }
    piece->torn = 1;
}

int32_t scan_next(struct scan *scan, struct piece *piece)
{
    struct buffer *input = scan->input;
    size_t looked = 0;

    for (;;) {
        size_t have = input->len - scan->pos;
        if (have > looked) {
            const char *begin = input->data + scan->pos;
            const char *end = memchr(begin + looked, '\n', have - looked);
            if (end) {
                take(scan, piece, (size_t)(end - begin), (size_t)(end - begin) + 1);
                judge(scan, piece, 1);
                return DRAY_OK;
            }
            looked = have;
        }
        int at_end = scan->at + (int64_t)have >= scan->limit;
        if (at_end && !have)
            return DRAY_EMPTY;
        if (at_end || have > LONGEST) {
            take(scan, piece, have, have);
            judge(scan, piece, 0);
            return DRAY_OK;
        }
        int32_t code = fill(scan);
        if (code != DRAY_OK)
            return code;
    }
}
