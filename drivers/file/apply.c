/* SPDX-License-Identifier: Apache-2.0 */
#include "file/apply.h"

#include "common/os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a record lies; for those that are out of order. */
struct spot {
    uint64_t seq;
    int64_t at;
    size_t len;
};

struct spots {
    struct spot *at;
    size_t n, room;
};

void apply_begin(struct apply *apply, struct store *store, int sorted)
{
    *apply = (struct apply){.sorted = sorted, .bad_at = -1, .last_at = -1};
    if (!store)
        return;
    apply->host = store->host;
    apply->table = store->table;
    apply->input = &store->input;
    apply->scratch = &store->scratch;
    apply->boot = store->boot;
    apply->seq = store->journal.seq;
    apply->damage = store->journal.damage;
}

static void note(struct apply *apply, int64_t at, uint64_t records, const char *what)
{
    char line[512];

    if (!apply->damage.records)
        apply->damage.first = at;
    apply->damage.records += records;
    if (!apply->call)
        return;
    snprintf(line, sizeof(line), "%s: byte %lld: %llu %s", apply->path, (long long)at,
        (unsigned long long)records, what);
    apply->call->note(apply->call, line);
}

/* The pieces since the last record, and how many records the numbers say were there. */
static void settle_damage(struct apply *apply, uint64_t missing, int64_t at)
{
    if (apply->bad_at >= 0 && missing <= apply->bad_pieces)
        note(apply, apply->bad_at, apply->bad_pieces, "damaged, set aside");
    else if (missing)
        note(apply, apply->bad_at >= 0 ? apply->bad_at : at, missing, "missing or damaged");
    apply->bad_at = -1;
    apply->bad_pieces = 0;
    apply->bad_torn = 0;
}

static void add_bad(struct apply *apply, const struct piece *piece)
{
    if (piece->at == 0) {
        apply->damage.header = 1;
        apply->looks_ours |= memmem(piece->text, piece->len, "\"dray\":\"jobs\"", 13) != NULL;
    }
    if (apply->bad_at < 0)
        apply->bad_at = piece->at;
    apply->bad_pieces++;
    apply->bad_torn |= piece->torn;
    if (apply->last_at < 0)
        apply->last_at = piece->at;
    apply->last_torn |= piece->torn;
}

static void enter_turn(struct apply *apply, const struct line *line, int64_t at)
{
    if (line->turn == apply->turn && apply->turn) {
        apply->turn_torn |= apply->bad_torn;
    } else {
        int begun = line->turn == line->seq;
        apply->turn_at = begun || apply->bad_at < 0 ? at : apply->bad_at;
        apply->turn_torn = !begun && apply->bad_torn;
        apply->turn = line->turn;
    }
    apply->turn_more = line->more != 0;
}

/* Leases, and who was seen, of another boot of the machine are over. */
static void date(const struct apply *apply, struct line *line)
{
    int timed = line->event.job.state == DRAY_STATE_ACTIVE || line->event.kind == TABLE_CONSUMER;

    if (timed && line->boot != apply->boot)
        line->event.until_ms = TABLE_LONG_AGO;
}

static int32_t add_record(struct apply *apply, struct line *line, int64_t at)
{
    if (line->seq <= apply->seq) {
        if (!apply->sorted && apply->table)
            return DRAY_CONFLICT;
        note(apply, at, 1, "there twice or out of order");
        return DRAY_OK;
    }
    uint64_t missing = line->seq - apply->seq - 1;
    if (missing && apply->bad_at < 0 && !apply->sorted && apply->table)
        return DRAY_CONFLICT;
    enter_turn(apply, line, at);
    settle_damage(apply, missing, at);
    apply->seq = line->seq;
    apply->records++;
    if (!apply->table)
        return DRAY_OK;
    date(apply, line);
    /* A job that is not there any more was lost with a damaged record. */
    return table_replay(apply->table, &line->event) == DRAY_NOMEM ? DRAY_NOMEM : DRAY_OK;
}

static int32_t add_header(struct apply *apply, const struct piece *piece)
{
    struct header header;

    if (apply->has_header ||
        !header_read(&header, piece->text, piece->len, apply->scratch, apply->host))
        return 0;
    apply->header = header;
    apply->has_header = 1;
    if (piece->at != 0)
        note(apply, piece->at, 1, "header out of its place");
    apply->damage.header |= piece->at != 0;
    return 1;
}

/* 1: stop here, a newer version wrote this. */
static int is_newer(const struct apply *apply)
{
    return apply->has_header && apply->header.version > LINE_VERSION;
}

static int32_t add_piece(struct apply *apply, const struct piece *piece, struct spots *spots)
{
    struct line line;

    if (!piece->whole) {
        add_bad(apply, piece);
        return DRAY_OK;
    }
    apply->last_at = -1;
    apply->last_torn = 0;
    if (piece->at == 0 && add_header(apply, piece))
        return DRAY_OK;
    apply->unbroken |= piece->unbroken;
    int32_t code = line_read(&line, piece->text, piece->len, apply->scratch, apply->host);
    if (code == DRAY_NOMEM)
        return code;
    if (code != DRAY_OK) {
        if (!add_header(apply, piece))
            add_bad(apply, piece);
        return DRAY_OK;
    }
    if (!spots)
        return add_record(apply, &line, piece->at);
    if (spots->n == spots->room) {
        size_t room = spots->room ? spots->room * 2 : 1024;
        struct spot *at = apply->host->resize(apply->host, spots->at, room * sizeof(*at));
        if (!at)
            return DRAY_NOMEM;
        spots->at = at;
        spots->room = room;
    }
    spots->at[spots->n++] = (struct spot){line.seq, piece->at, piece->len};
    return DRAY_OK;
}

static int32_t read_pieces(
    struct apply *apply, int fd, int64_t from, int64_t limit, struct spots *spots)
{
    struct scan scan;
    struct piece piece;
    int32_t code;

    scan_begin(&scan, apply->host, apply->input, fd, from, limit);
    while ((code = scan_next(&scan, &piece)) == DRAY_OK) {
        code = add_piece(apply, &piece, spots);
        if (code != DRAY_OK)
            return code;
        if (is_newer(apply))
            break;
    }
    apply->sys = scan.sys;
    apply->end = scan.at;
    return code == DRAY_EMPTY ? DRAY_OK : code;
}

static int by_seq(const void *left, const void *right)
{
    const struct spot *a = left, *b = right;

    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int32_t apply_spot(struct apply *apply, int fd, const struct spot *spot)
{
    struct buffer *input = apply->input;
    struct line line;

    input->len = 0;
    if (!buffer_ensure(input, apply->host, spot->len))
        return DRAY_NOMEM;
    ssize_t n = os->pread(fd, input->data, spot->len, spot->at);
    if (n != (ssize_t)spot->len) {
        apply->sys = n < 0 ? errno : 0;
        return DRAY_IO;
    }
    int32_t code = line_read(&line, input->data, spot->len, apply->scratch, apply->host);
    if (code == DRAY_OK)
        code = add_record(apply, &line, spot->at);
    return code == DRAY_INVALID ? DRAY_IO : code;
}

/* Lines that were moved or doubled: all of them by their numbers. Nothing is cut off but what is
   torn at the very end. */
static int32_t apply_sorted(struct apply *apply, int fd, int64_t from, int64_t limit)
{
    struct spots spots = {NULL, 0, 0};
    int32_t code = read_pieces(apply, fd, from, limit, &spots);

    if (code == DRAY_OK && apply->last_torn)
        apply->end = apply->last_at;
    if (code == DRAY_OK && spots.n)
        qsort(spots.at, spots.n, sizeof(spots.at[0]), by_seq);
    uint64_t pieces = apply->bad_pieces;
    int64_t bad_at = apply->bad_at;
    apply->bad_at = -1;
    apply->bad_pieces = 0;
    for (size_t i = 0; i < spots.n && code == DRAY_OK; i++)
        code = apply_spot(apply, fd, &spots.at[i]);
    apply->host->resize(apply->host, spots.at, 0);
    if (pieces)
        note(apply, bad_at, pieces, "damaged, set aside");
    if (!apply->damage.records)
        note(apply, 0, 1, "or more lines out of their order");
    return code;
}

/* What stands at the end of the range. */
static int32_t finish(struct apply *apply)
{
    int torn_piece = apply->bad_at >= 0 && apply->bad_torn;

    if (torn_piece)
        apply->end = apply->bad_at;
    /* What was torn behind it does not make a torn turn whole: the next opening would find that. */
    if (apply->records && (apply->turn_more || apply->turn_torn) &&
        (torn_piece || apply->bad_at < 0)) {
        apply->cut = apply->turn_at;
        if (apply->table)
            return DRAY_CANCELLED;
        apply->end = apply->cut;
    }
    if (torn_piece && apply->call)
        note(apply, apply->bad_at, 1, "interrupted while it was written");
    else if (!torn_piece)
        settle_damage(apply, 0, apply->end);
    return DRAY_OK;
}

int32_t apply_range(struct apply *apply, int fd, int64_t from, int64_t limit)
{
    int32_t code;

    if (apply->sorted) {
        code = apply_sorted(apply, fd, from, limit);
    } else {
        code = read_pieces(apply, fd, from, limit, NULL);
        if (code == DRAY_OK && !is_newer(apply))
            code = finish(apply);
    }
    if (code == DRAY_OK && from == 0 && !apply->has_header && !apply->damage.header) {
        note(apply, 0, 1, "header missing");
        apply->damage.header = 1;
    }
    return code;
}
