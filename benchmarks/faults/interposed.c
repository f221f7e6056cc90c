/* Stands between a process and the C library: devices that fail, file systems without locks or with late names, and a
   clock that jumps. Native code meets it, too, but for what the C library calls within itself (fwrite) and for mapped
   memory. `amends_arm` says what happens, and to files of which directory. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { NOTHING, WRITES, SYNCS, READS, NO_LOCKS, LATE_NAMES, CLOCK };
enum { LOOKUPS = 3, LATE_OF = 4, CALLS_OF_A_JUMP = 20, DAYS = 9, SEEN = 1 << 16 };

static char prefix[PATH_MAX];
static int kind;
static long number;
static atomic_long calls;
static _Atomic unsigned char seen[SEEN];

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

void amends_arm(const char *directory, int what, long with) {
    snprintf(prefix, sizeof prefix, "%s/", directory);
    number = with;
    kind = what;
}

static int is_inside(const char *path) { return kind && path && !strncmp(path, prefix, strlen(prefix)); }

static int is_of(int descriptor) {
    char link[64], path[PATH_MAX];
    if (!kind) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_inside(path);
}

/* From the call with the number on, each fails. */
static int fails(int what, int descriptor) {
    if (kind != what || !is_of(descriptor) || atomic_fetch_add(&calls, 1) < number) return 0;
    errno = EIO;
    return 1;
}

static unsigned long hashed(const char *text, unsigned long hash) {
    for (hash ^= 5381; *text; text++) hash = hash * 33 + (unsigned char)*text;
    return hash ^ (hash >> 15);
}

/* Of some names, the first look-ups of a process find nothing. */
static int is_late(const char *path) {
    if (kind != LATE_NAMES || !is_inside(path)) return 0;
    unsigned long hash = hashed(path, (unsigned long)number * 2654435761u);
    if (hash % LATE_OF || atomic_fetch_add(&seen[(hash >> 4) % SEEN], 1) >= LOOKUPS) return 0;
    errno = ENOENT;
    return 1;
}

ssize_t write(int file, const void *from, size_t count) { return fails(WRITES, file) ? -1 : REAL(write)(file, from, count); }
ssize_t writev(int file, const struct iovec *from, int count) {
    return fails(WRITES, file) ? -1 : REAL(writev)(file, from, count);
}
ssize_t pwrite64(int file, const void *from, size_t count, off64_t at) {
    return fails(WRITES, file) ? -1 : REAL(pwrite64)(file, from, count, at);
}
int fsync(int file) { return fails(SYNCS, file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return fails(SYNCS, file) ? -1 : REAL(fdatasync)(file); }
ssize_t read(int file, void *into, size_t count) { return fails(READS, file) ? -1 : REAL(read)(file, into, count); }
ssize_t pread64(int file, void *into, size_t count, off64_t at) {
    return fails(READS, file) ? -1 : REAL(pread64)(file, into, count, at);
}

int flock(int file, int operation) {
    if (kind == NO_LOCKS && is_of(file)) return errno = ENOLCK, -1;
    return REAL(flock)(file, operation);
}

#define FCNTL(name)                                                                                                    \
    int name(int file, int command, ...) {                                                                             \
        va_list more;                                                                                                  \
        va_start(more, command);                                                                                       \
        void *argument = va_arg(more, void *);                                                                         \
        va_end(more);                                                                                                  \
        if (kind == NO_LOCKS && (command == F_SETLK || command == F_SETLKW) && is_of(file)) return errno = ENOLCK, -1; \
        return REAL(name)(file, command, argument);                                                                    \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        mode_t mode = va_arg(more, mode_t);                                                                            \
        va_end(more);                                                                                                  \
        if (!(flags & O_CREAT) && is_late(path)) return -1;                                                            \
        return REAL(name)(path, flags, mode);                                                                          \
    }
OPEN(open)
OPEN(open64)

int stat(const char *path, struct stat *status) { return is_late(path) ? -1 : REAL(stat)(path, status); }
int lstat(const char *path, struct stat *status) { return is_late(path) ? -1 : REAL(lstat)(path, status); }
int stat64(const char *path, struct stat64 *status) { return is_late(path) ? -1 : REAL(stat64)(path, status); }
int lstat64(const char *path, struct stat64 *status) { return is_late(path) ? -1 : REAL(lstat64)(path, status); }
int fstatat64(int at, const char *path, struct stat64 *status, int flags) {
    return is_late(path) ? -1 : REAL(fstatat64)(at, path, status, flags);
}

/* The wall clock alone, by some days forth and back, another jump after each so many readings. */
static long jump(void) {
    if (kind != CLOCK) return 0;
    unsigned long hash = hashed("jump", (unsigned long)(number + atomic_fetch_add(&calls, 1) / CALLS_OF_A_JUMP) * 2654435761u);
    return ((long)(hash % (2 * DAYS + 1)) - DAYS) * 86400;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = REAL(clock_gettime)(which, now);
    if (!failed && which == CLOCK_REALTIME) now->tv_sec += jump();
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = REAL(gettimeofday)(now, zone);
    if (!failed) now->tv_sec += jump();
    return failed;
}
time_t time(time_t *into) {
    time_t now = REAL(time)(NULL) + jump();
    if (into) *into = now;
    return now;
}
