/* SPDX-License-Identifier: Apache-2.0 */
#include "store/elf.h"

#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if __SIZEOF_POINTER__ == 8
#define OUR_CLASS ELFCLASS64
#else
#define OUR_CLASS ELFCLASS32
#endif

static int read_at(int fd, void *out, size_t len, uint64_t at)
{
    return at <= INT64_MAX && pread(fd, out, len, (off_t)at) == (ssize_t)len;
}

/* Every part of the file that a program header names must be in it (System V ABI, chapter 5). */
static const char *segment_problem(int fd, const ElfW(Ehdr) * head, uint64_t size)
{
    if (head->e_phentsize != sizeof(ElfW(Phdr)))
        return "its program headers are damaged";
    for (unsigned i = 0; i < head->e_phnum; i++) {
        ElfW(Phdr) segment;
        uint64_t at = 0;
        uint64_t end = 0;
        if (__builtin_add_overflow((uint64_t)head->e_phoff, i * sizeof(segment), &at) ||
            !read_at(fd, &segment, sizeof(segment), at) ||
            __builtin_add_overflow(segment.p_offset, segment.p_filesz, &end) || end > size)
            return "it is cut off";
    }
    return NULL;
}

const char *elf_problem(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ElfW(Ehdr) head;
    struct stat st;
    const char *problem = NULL;
    if (fstat(fd, &st) == 0 && read_at(fd, &head, sizeof(head), 0) &&
        memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == OUR_CLASS)
        problem = segment_problem(fd, &head, (uint64_t)st.st_size);
    close(fd);
    return problem;
}
