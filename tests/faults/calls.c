/* Counts the calls that change files below one folder, and at one of them kills the process or makes the call fail.
 *
 * Loaded with LD_PRELOAD, armed by faults_arm(). Files written through a memory map change without a call; only the
 * call that makes the map is seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, COUNT, KILL, TORN, FULL, FULL_ONCE, IO_ERROR, INTERRUPT, TERMINATE, STOP };
/* What a call needs: nothing (deleting, renaming, modes), a block of the disk, or a block for bytes that can be cut. */
enum { PLAIN, SPACE, BYTES };

static struct { int mode; long at, count; int log; size_t length; char prefix[PATH_MAX]; } state;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Count calls below `prefix` from now on. Call number `at` (from 1) meets `mode`; `log` is a descriptor or -1. */
void faults_arm(int mode, long at, const char *prefix, int log) {
    state.at = at; state.count = 0; state.log = log;
    state.length = strlen(prefix);
    snprintf(state.prefix, sizeof state.prefix, "%s", prefix);
    state.mode = mode;
}

long faults_count(void) { return state.count; }

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)

/* Write the path of `name` relative to the folder `dir`, without `.` and `..`, and return whether it is watched. */
static int watched_path(int dir, const char *name, char *out) {
    char text[2 * PATH_MAX], link[64];
    if (state.mode == OFF || !name) return 0;
    if (name[0] == '/') snprintf(text, sizeof text, "%s", name);
    else {
        if (dir == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t n = readlink(link, text, PATH_MAX - 1);
        if (n < 0) return 0;
        snprintf(text + n, sizeof text - n, "/%s", name);
    }
    char *end = out;
    for (char *rest = text, *part; (part = strsep(&rest, "/"));) {
        if (!strcmp(part, "..")) { while (end > out && *--end != '/') {} }
        else if (*part && strcmp(part, ".")) end += snprintf(end, PATH_MAX - (end - out), "/%s", part);
    }
    *end = 0;
    return !strncmp(out, state.prefix, state.length);
}

static int watched_file(int file, char *out) {
    char link[64];
    if (state.mode == OFF) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n < 0) return 0;
    out[n] = 0;
    return !strncmp(out, state.prefix, state.length);
}

/* Count a call. Returns 0 to let it pass, an error number to make it fail, or -1 to do half of it and die. */
static int met(const char *call, int needs, const char *path) {
    int kept = errno, answer = 0;
    pthread_mutex_lock(&lock);
    long number = ++state.count;
    int mode = state.mode;
    if (state.log >= 0) dprintf(state.log, "%ld %s %d %s\n", number, call, needs, path);
    pthread_mutex_unlock(&lock);
    if (mode == FULL && number >= state.at && needs != PLAIN) answer = ENOSPC;
    if (number == state.at) {
        if (mode == FULL_ONCE && needs != PLAIN) answer = ENOSPC;
        if (mode == IO_ERROR) answer = EIO;
        if (mode == INTERRUPT) raise(SIGINT);
        if (mode == TERMINATE) raise(SIGTERM);
        if (mode == STOP) raise(SIGSTOP);
        if (mode == TORN && needs == BYTES) answer = -1;
        else if (mode == KILL || mode == TORN) raise(SIGKILL);
    }
    errno = kept;
    return answer;
}

#define FAILS(answer, value) if ((answer) > 0) { errno = (answer); return (value); }
#define ON_PATH(call, needs, dir, name, value) \
    char path[PATH_MAX]; \
    if (watched_path(dir, name, path)) { int answer = met(call, needs, path); FAILS(answer, value) }
#define ON_FILE(call, needs, file, value) \
    char path[PATH_MAX]; \
    if (watched_file(file, path)) { int answer = met(call, needs, path); FAILS(answer, value) }

/* ------------------------------------------------------------------ opening */

#define CHANGES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC) || ((flags) & O_TMPFILE) == O_TMPFILE)
#define MODE mode_t mode = 0; \
    if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
        va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
#define OPENING(call) int call(const char *name, int flags, ...) { \
    MODE REAL(int, call, const char *, int, ...); \
    if (CHANGES(flags)) { ON_PATH(#call, flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? SPACE : PLAIN, AT_FDCWD, name, -1) } \
    return real(name, flags, mode); }
#define OPENING_AT(call) int call(int dir, const char *name, int flags, ...) { \
    MODE REAL(int, call, int, const char *, int, ...); \
    if (CHANGES(flags)) { ON_PATH(#call, flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? SPACE : PLAIN, dir, name, -1) } \
    return real(dir, name, flags, mode); }
OPENING(open)
OPENING(open64)
OPENING_AT(openat)
OPENING_AT(openat64)

#define OPENING_STREAM(call) FILE *call(const char *name, const char *mode) { \
    REAL(FILE *, call, const char *, const char *); \
    if (strpbrk(mode, "wa+")) { ON_PATH(#call, SPACE, AT_FDCWD, name, NULL) } \
    return real(name, mode); }
OPENING_STREAM(fopen)
OPENING_STREAM(fopen64)

/* ------------------------------------------------------------------ writing */

#define WRITING(call, half, sign, ...) ssize_t call sign { \
    char path[PATH_MAX]; \
    typeof(&call) real = dlsym(RTLD_NEXT, #call); \
    if (watched_file(file, path)) { \
        int answer = met(#call, BYTES, path); \
        FAILS(answer, -1) \
        if (answer < 0) { half; raise(SIGKILL); } \
    } \
    return real(file, __VA_ARGS__); }
WRITING(write, real(file, data, size / 2), (int file, const void *data, size_t size), data, size)
WRITING(pwrite, real(file, data, size / 2, place), (int file, const void *data, size_t size, off_t place), data, size, place)
WRITING(pwrite64, real(file, data, size / 2, place), (int file, const void *data, size_t size, off64_t place), data, size, place)
WRITING(writev, real(file, parts, count / 2), (int file, const struct iovec *parts, int count), parts, count)

#define COPYING(call, sign, ...) ssize_t call sign { \
    typeof(&call) real = dlsym(RTLD_NEXT, #call); \
    ON_FILE(#call, SPACE, file, -1) \
    return real(__VA_ARGS__); }
COPYING(sendfile, (int file, int from, off_t *place, size_t size), file, from, place, size)
COPYING(sendfile64, (int file, int from, off64_t *place, size_t size), file, from, place, size)
COPYING(copy_file_range, (int from, off64_t *begin, int file, off64_t *place, size_t size, unsigned flags), from, begin, file, place, size, flags)

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    char path[PATH_MAX];
    REAL(size_t, fwrite, const void *, size_t, size_t, FILE *);
    if (watched_file(fileno(stream), path)) {
        int answer = met("fwrite", BYTES, path);
        FAILS(answer, 0)
        if (answer < 0) { real(data, size, count / 2, stream); fflush(stream); raise(SIGKILL); }
    }
    return real(data, size, count, stream);
}

#define FLUSHING(call) int call(FILE *stream) { \
    char path[PATH_MAX]; \
    REAL(int, call, FILE *); \
    if (stream && __fwriting(stream) && __fpending(stream) && watched_file(fileno(stream), path)) { \
        int answer = met(#call, SPACE, path); \
        if (answer > 0) { __fpurge(stream); if (!strcmp(#call, "fclose")) real(stream); errno = answer; return EOF; } \
    } \
    return real(stream); }
FLUSHING(fflush)
FLUSHING(fclose)

/* ------------------------------------------------------------------ sizes, modes, flushing, maps */

#define CHANGING(call, needs, failure, sign, ...) int call sign { \
    typeof(&call) real = dlsym(RTLD_NEXT, #call); \
    char path[PATH_MAX]; \
    if (watched_file(file, path)) { int answer = met(#call, needs, path); if (answer > 0) { errno = answer; return failure; } } \
    return real(__VA_ARGS__); }
CHANGING(ftruncate, PLAIN, -1, (int file, off_t size), file, size)
CHANGING(ftruncate64, PLAIN, -1, (int file, off64_t size), file, size)
CHANGING(posix_fallocate, SPACE, answer, (int file, off_t place, off_t size), file, place, size)
CHANGING(posix_fallocate64, SPACE, answer, (int file, off64_t place, off64_t size), file, place, size)
CHANGING(fallocate, SPACE, -1, (int file, int mode, off_t place, off_t size), file, mode, place, size)
CHANGING(fsync, SPACE, -1, (int file), file)
CHANGING(fdatasync, SPACE, -1, (int file), file)
CHANGING(fchmod, PLAIN, -1, (int file, mode_t mode), file, mode)

#define MAPPING(call, off_type) void *call(void *at, size_t size, int allowed, int flags, int file, off_type place) { \
    REAL(void *, call, void *, size_t, int, int, int, off_type); \
    if (file >= 0 && (flags & MAP_SHARED) && (allowed & PROT_WRITE)) { ON_FILE(#call, PLAIN, file, MAP_FAILED) } \
    return real(at, size, allowed, flags, file, place); }
MAPPING(mmap, off_t)
MAPPING(mmap64, off64_t)

/* ------------------------------------------------------------------ names */

#define NAMING(call, needs, dir, sign, ...) int call sign { \
    typeof(&call) real = dlsym(RTLD_NEXT, #call); \
    ON_PATH(#call, needs, dir, name, -1) \
    return real(__VA_ARGS__); }
NAMING(truncate, PLAIN, AT_FDCWD, (const char *name, off_t size), name, size)
NAMING(chmod, PLAIN, AT_FDCWD, (const char *name, mode_t mode), name, mode)
NAMING(fchmodat, PLAIN, dir, (int dir, const char *name, mode_t mode, int flags), dir, name, mode, flags)
NAMING(mkdir, SPACE, AT_FDCWD, (const char *name, mode_t mode), name, mode)
NAMING(mkdirat, SPACE, dir, (int dir, const char *name, mode_t mode), dir, name, mode)
NAMING(rmdir, PLAIN, AT_FDCWD, (const char *name), name)
NAMING(remove, PLAIN, AT_FDCWD, (const char *name), name)
NAMING(unlink, PLAIN, AT_FDCWD, (const char *name), name)
NAMING(unlinkat, PLAIN, dir, (int dir, const char *name, int flags), dir, name, flags)
NAMING(rename, PLAIN, AT_FDCWD, (const char *from, const char *name), from, name)
NAMING(renameat, PLAIN, dir, (int other, const char *from, int dir, const char *name), other, from, dir, name)
NAMING(renameat2, PLAIN, dir, (int other, const char *from, int dir, const char *name, unsigned flags), other, from, dir, name, flags)
NAMING(link, SPACE, AT_FDCWD, (const char *from, const char *name), from, name)
NAMING(linkat, SPACE, dir, (int other, const char *from, int dir, const char *name, int flags), other, from, dir, name, flags)
NAMING(symlink, SPACE, AT_FDCWD, (const char *from, const char *name), from, name)
NAMING(symlinkat, SPACE, dir, (const char *from, int dir, const char *name), from, dir, name)

/* Renaming that Python and Rust do without a function of the C library. */
long syscall(long number, ...) {
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    REAL(long, syscall, long, ...);
    if (number == SYS_renameat2) { ON_PATH("renameat2", PLAIN, (int)a[2], (const char *)a[3], -1) }
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
