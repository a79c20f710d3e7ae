/* SPDX-License-Identifier: Apache-2.0 */
#include "dray/text.h"

#include <string.h>

enum { WORD_MAX = 64 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`: the table of
 * Wagner and Fischer with the swap of Damerau (1964), in the form that edits no piece twice. Three
 * rows of the table are enough.
 */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= blen; j++) {
        before[j] = j;
        above[j] = j;
        row[j] = j;
    }
    for (size_t i = 1; i <= alen; i++) {
        row[0] = i;
        for (size_t j = 1; j <= blen; j++) {
            size_t best = smaller(above[j], row[j - 1]) + 1;
            best = smaller(best, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, before[j - 2] + 1);
            row[j] = best;
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[blen];
}

const char *dray_nearest(const char *word, const char *const *words, size_t n)
{
    if (!word || !words)
        return NULL;
    size_t len = strlen(word);
    if (len == 0 || len > WORD_MAX)
        return NULL;
    size_t allowed = len / 3 > 1 ? len / 3 : 1;
    const char *nearest = NULL;
    size_t least = allowed + 1;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(words[i]);
        if (other == 0 || other > WORD_MAX)
            continue;
        size_t d = distance(word, len, words[i], other);
        if (d < least) {
            least = d;
            nearest = words[i];
        }
    }
    return nearest;
}
