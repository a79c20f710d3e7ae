/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fuzz target without a fuzzer: every input of a folder, then, for as long as there is time, what
 * a mutator makes of them. The order is the same each time, so a failure comes again; the input
 * that it came with is left in crash-input in the current folder.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUTS 64
#define INPUT_MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input {
    uint8_t *bytes;
    size_t len;
    char name[64];
} inputs[INPUTS];
static size_t ninputs;
static uint8_t now[INPUT_MAX];
static size_t now_len;

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t draw(uint64_t below)
{
    static uint64_t seed = 1;
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return below ? (z ^ (z >> 31)) % below : 0;
}

static void leave_input(int sig)
{
    static const char words[] = "the input is left in crash-input\n";
    int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int left = fd >= 0 && write(fd, now, now_len) == (ssize_t)now_len &&
               write(STDERR_FILENO, words, sizeof(words) - 1) > 0;
    (void)left;
    signal(sig, SIG_DFL);
    raise(sig);
}

static int by_name(const void *left, const void *right)
{
    const struct input *a = left, *b = right;

    return strcmp(a->name, b->name);
}

static int read_input(const char *folder, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = n > 0 && (size_t)n < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = fd < 0 ? -1 : read(fd, now, INPUT_MAX);
    if (fd >= 0)
        close(fd);
    if (len <= 0 || ninputs == INPUTS) {
        fprintf(stderr, "%s/%s: cannot be read, is empty, or one too many\n", folder, name);
        return 0;
    }
    inputs[ninputs].bytes = malloc((size_t)len);
    if (!inputs[ninputs].bytes)
        return 0;
    memcpy(inputs[ninputs].bytes, now, (size_t)len);
    inputs[ninputs].len = (size_t)len;
    snprintf(inputs[ninputs++].name, sizeof(inputs[0].name), "%s", name);
    return 1;
}

static int read_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int good = dir != NULL;
    for (struct dirent *entry; good && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.')
            good = read_input(folder, entry->d_name);
    }
    if (dir)
        closedir(dir);
    qsort(inputs, ninputs, sizeof(inputs[0]), by_name);
    return good && ninputs;
}

static void take_input(size_t i)
{
    memcpy(now, inputs[i].bytes, inputs[i].len);
    now_len = inputs[i].len;
}

static void remove_part(size_t at, size_t len)
{
    memmove(now + at, now + at + len, now_len - at - len);
    now_len -= len;
}

static void insert_part(size_t at, const uint8_t *from, size_t len)
{
    len = len < INPUT_MAX - now_len ? len : INPUT_MAX - now_len;
    memmove(now + at + len, now + at, now_len - at);
    memcpy(now + at, from, len);
    now_len += len;
}

/* One change: a byte, a digit, a part removed, doubled, or taken from another input. */
static void mutate(void)
{
    static uint8_t part[4096];
    size_t at = (size_t)draw(now_len);
    size_t len = (size_t)draw(draw(4) ? 32 : sizeof(part));
    const size_t other = (size_t)draw(ninputs);
    size_t from = (size_t)draw(inputs[other].len);

    if (!now_len)
        take_input(other);
    switch (draw(6)) {
    case 0:
        now[at] ^= (uint8_t)(1u << draw(8));
        break;
    case 1:
        now[at] = (uint8_t)draw(256);
        break;
    case 2:
        while (at < now_len && (now[at] < '0' || now[at] > '9'))
            at++;
        if (at < now_len)
            now[at] = (uint8_t)('0' + draw(10));
        break;
    case 3:
        remove_part(at, len < now_len - at ? len : now_len - at);
        break;
    case 4:
        len = len < now_len - at ? len : now_len - at;
        memcpy(part, now + at, len);
        insert_part((size_t)draw(now_len), part, len);
        break;
    default:
        len = len < inputs[other].len - from ? len : inputs[other].len - from;
        insert_part(at, inputs[other].bytes + from, len);
        break;
    }
}

static double seconds(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const char *wish = getenv("DRAY_LONG");
    double until = seconds() + (wish && *wish ? 60 : 2);
    uint64_t rounds = 0;

    if (argc != 2 || !read_folder(argv[1])) {
        fprintf(stderr, "usage: %s FOLDER-OF-INPUTS\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, leave_input);
    signal(SIGSEGV, leave_input);
    signal(SIGBUS, leave_input);
    signal(SIGFPE, leave_input);
    for (size_t i = 0; i < ninputs; i++) {
        take_input(i);
        LLVMFuzzerTestOneInput(now, now_len);
    }
    do {
        take_input((size_t)draw(ninputs));
        for (uint64_t n = draw(8) + 1; n; n--)
            mutate();
        LLVMFuzzerTestOneInput(now, now_len);
        rounds++;
    } while (seconds() < until);
    printf("%zu inputs, and %llu made of them\n", ninputs, (unsigned long long)rounds);
    for (size_t i = 0; i < ninputs; i++)
        free(inputs[i].bytes);
    return 0;
}
