/* SPDX-License-Identifier: Apache-2.0 */
#include "footprint.h"

#include <dirent.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Second number of /proc/self/statm: resident pages (proc(5)). */
static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return -1;
    uint64_t total = 0;
    uint64_t resident = 0;
    int n = fscanf(file, "%" SCNu64 " %" SCNu64, &total, &resident);
    fclose(file);
    return n == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : -1;
}

static double disk_bytes(const char *store)
{
    const char *slash = strrchr(store, '/');
    if (!slash)
        return -1;
    char folder[4096];
    int len = snprintf(folder, sizeof(folder), "%.*s", (int)(slash - store), store);
    if (len < 0 || (size_t)len >= sizeof(folder))
        return -1;
    DIR *dir = opendir(folder[0] ? folder : "/");
    if (!dir)
        return -1;
    const char *name = slash + 1;
    double sum = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        struct stat info;
        if (strncmp(entry->d_name, name, strlen(name)) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode))
            sum += (double)info.st_size;
    }
    closedir(dir);
    return sum;
}

struct footprint footprint_take(const char *store)
{
    malloc_trim(0);
    struct mallinfo2 heap = mallinfo2();
    return (struct footprint){
        .heap = (double)heap.uordblks + (double)heap.hblkhd,
        .resident = resident_bytes(),
        .disk = store ? disk_bytes(store) : -1,
    };
}

/* Below 0 means "not measured", so a shrinking that is only noise becomes 0. */
static double growth(double before, double after, uint64_t jobs)
{
    if (before < 0 || after < 0 || jobs == 0)
        return -1;
    return after > before ? (after - before) / (double)jobs : 0;
}

void footprint_sample(struct sample *out, const struct footprint *before,
    const struct footprint *after, uint64_t jobs)
{
    out->values[0] = growth(before->heap, after->heap, jobs);
    out->values[1] = growth(before->resident, after->resident, jobs);
    out->values[2] = growth(before->disk, after->disk, jobs);
}
