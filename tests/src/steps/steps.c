/* The calls by which a process changes files below a folder, counted; at one of them the process dies as by `kill -9`, a write in its
 * middle. It is preloaded by `steps.rs`, which says what the variables are; the programs know nothing of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *folder;
static long last;
static int told = -1;
static atomic_long count;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("STEPS_AT"), *tell = getenv("STEPS_TOLD");
    last = at ? atol(at) : 0;
    if (tell) told = (int)syscall(SYS_openat, AT_FDCWD, tell, O_WRONLY | O_CREAT | O_APPEND, 0600);
    folder = getenv("STEPS_IN");
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* Path of a descriptor, or of a name below one. */
static void resolve(int fd, const char *name, char *path) {
    char link[64];
    path[0] = 0;
    if (name && name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (fd == AT_FDCWD) {
        if (!getcwd(path, PATH_MAX)) return;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t bytes = readlink(link, path, PATH_MAX - 1);
        if (bytes < 0) return;
        path[bytes] = 0;
    }
    if (name) {
        size_t used = strlen(path);
        snprintf(path + used, PATH_MAX - used, "/%s", name);
    }
}

/* Counts a step; says whether it is the one at which the process dies. */
static int step(const char *what, int fd, const char *name) {
    char path[PATH_MAX], line[PATH_MAX + 64];
    if (!folder) return 0;
    resolve(fd, name, path);
    size_t bytes = strlen(folder);
    if (strncmp(path, folder, bytes) || path[bytes] != '/') return 0;
    long number = atomic_fetch_add(&count, 1) + 1;
    if (told >= 0) {
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, what, path + bytes + 1);
        syscall(SYS_write, told, line, (size_t)length);
    }
    return number == last;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *from, size_t bytes) {
    REAL(write);
    if (step("write", fd, NULL)) real(fd, from, bytes / 2), die();
    return real(fd, from, bytes);
}

ssize_t writev(int fd, const struct iovec *from, int parts) {
    REAL(writev);
    if (step("write", fd, NULL)) real(fd, from, parts / 2), die();
    return real(fd, from, parts);
}

ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) {
    REAL(pwrite64);
    if (step("write", fd, NULL)) real(fd, from, bytes / 2, at), die();
    return real(fd, from, bytes, at);
}

int ftruncate64(int fd, off64_t bytes) {
    REAL(ftruncate64);
    if (step("size", fd, NULL)) die();
    return real(fd, bytes);
}

int fsync(int fd) {
    REAL(fsync);
    if (step("sync", fd, NULL)) die();
    return real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    if (step("sync", fd, NULL)) die();
    return real(fd);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (step("rename", AT_FDCWD, from)) die();
    return real(from, to);
}

int unlink(const char *name) {
    REAL(unlink);
    if (step("remove", AT_FDCWD, name)) die();
    return real(name);
}

int unlinkat(int fd, const char *name, int flags) {
    REAL(unlinkat);
    if (step("remove", fd, name)) die();
    return real(fd, name, flags);
}

int rmdir(const char *name) {
    REAL(rmdir);
    if (step("remove", AT_FDCWD, name)) die();
    return real(name);
}

int mkdir(const char *name, mode_t mode) {
    REAL(mkdir);
    if (step("make", AT_FDCWD, name)) die();
    return real(name, mode);
}

int open64(const char *name, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (flags & (O_CREAT | O_TRUNC) && step("open", AT_FDCWD, name)) die();
    return real(name, flags, mode);
}
