// Preloaded into a process, it stands between it and the files below one directory:
//   DISK_SHIM_DIR    that directory; nothing else is touched
//   DISK_SHIM_TRACE  a file to which everything that changes them is written down, with what the process says on its
//                    standard output in between: so it is known what was said when
//   DISK_SHIM_FAIL   "N ERRNO [half]": the Nth write or sync of a file there fails; `half`: after half of the bytes
//   DISK_SHIM_AMONG  "CALL FILE": of such calls only, as they are written down by DISK_SHIM_CALLS; `any` is any
//   DISK_SHIM_AFTER  and only of those after the process has said this on its standard output
//   DISK_SHIM_AGAIN  "N CALL FILE": and then the Nth such call after that one
//   DISK_SHIM_CALLS  a file to which each such call is written, a line each: "CALL FILE NAME"
//   DISK_SHIM_FAILED a file to which those are written that were made to fail
// One call at a time: the order in the trace is the order of what happened.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *names[FDS];
static int appends[FDS];
static const char *dir;
static size_t dir_length;
static int trace = -1;
static long calls, fail_at, again_in;
static int fail_errno, fail_half, failed_once, heard = 1;
static char among_call[16] = "any", among_file[16] = "any", again_call[16] = "any", again_file[16] = "any";
static const char *after, *failed_to;
static int calls_to = -1;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

// The program is told of the directory once main() runs: before that its libraries are being loaded.
__attribute__((constructor)) static void begin(void) {
  const char *to = getenv("DISK_SHIM_TRACE"), *fail = getenv("DISK_SHIM_FAIL"), *among = getenv("DISK_SHIM_AMONG");
  const char *again = getenv("DISK_SHIM_AGAIN"), *each = getenv("DISK_SHIM_CALLS");
  dir = getenv("DISK_SHIM_DIR");
  dir_length = dir ? strlen(dir) : 0;
  if (to) trace = REAL(open)(to, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (fail) {
    char how[16] = "";
    sscanf(fail, "%ld %d %15s", &fail_at, &fail_errno, how);
    fail_half = !strcmp(how, "half");
  }
  if (among) sscanf(among, "%15s %15s", among_call, among_file);
  if (again) sscanf(again, "%ld %15s %15s", &again_in, again_call, again_file);
  after = getenv("DISK_SHIM_AFTER");
  heard = !after;
  if (each) calls_to = REAL(open)(each, O_WRONLY | O_CREAT | O_APPEND, 0600);
  failed_to = getenv("DISK_SHIM_FAILED");
}

// The name within the directory; "" is the directory itself, NULL is none of ours.
static const char *ours(const char *path) {
  if (!dir || !path || strncmp(path, dir, dir_length)) return NULL;
  if (path[dir_length] == '\0') return "";
  return path[dir_length] == '/' ? path + dir_length + 1 : NULL;
}

static const char *name_of(int fd) { return fd >= 0 && fd < FDS ? names[fd] : NULL; }

static void all(int fd, const void *bytes, size_t length) {
  const char *from = bytes;
  while (length > 0) {
    ssize_t n = REAL(write)(fd, from, length);
    if (n <= 0) _exit(99);
    from += n, length -= n;
  }
}

// op, length of a name, the name, of another, that, offset, length, bytes. Little-endian.
static void note(char op, const char *name, const char *other, uint64_t offset, const void *bytes, uint32_t length) {
  if (trace < 0) return;
  uint32_t a = strlen(name), b = strlen(other);
  size_t size = 1 + 4 + a + 4 + b + 8 + 4 + length;
  char *row = malloc(size), *at = row;
  *at++ = op;
  memcpy(at, &a, 4), at += 4, memcpy(at, name, a), at += a;
  memcpy(at, &b, 4), at += 4, memcpy(at, other, b), at += b;
  memcpy(at, &offset, 8), at += 8, memcpy(at, &length, 4), at += 4;
  if (length) memcpy(at, bytes, length);
  all(trace, row, size);
  free(row);
}

static int ends_with(const char *name, const char *end) {
  size_t a = strlen(name), b = strlen(end);
  return a >= b && !strcmp(name + a - b, end);
}

// What LevelDB and the log have there.
static const char *kind_of(int fd, const char *name) {
  struct stat found;
  const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
  if (!fstat(fd, &found) && S_ISDIR(found.st_mode)) return "folder";
  if (ends_with(base, ".log")) return "log";
  if (ends_with(base, ".ldb")) return "table";
  if (!strncmp(base, "MANIFEST", 8)) return "manifest";
  if (ends_with(base, ".dbtmp")) return "current";
  return strcmp(base, "WITNESS") ? "other" : "witness";
}

static int is(const char *wanted, const char *one) { return !strcmp(wanted, "any") || !strcmp(wanted, one); }

// Whether this call is to fail.
static int fails(const char *call, int fd, const char *name) {
  if (calls_to < 0 && !fail_at) return 0;
  const char *kind = kind_of(fd, name);
  int failing = failed_once ? again_in > 0 && is(again_call, call) && is(again_file, kind) && --again_in == 0 : heard && is(among_call, call) && is(among_file, kind) && ++calls == fail_at;
  failed_once |= failing;
  char line[512];
  int length = snprintf(line, sizeof line, "%s %s %s\n", call, kind, name);
  if (calls_to >= 0) all(calls_to, line, length);
  if (failing && failed_to) {
    int to = REAL(open)(failed_to, O_WRONLY | O_CREAT | O_APPEND, 0600);
    all(to, line, length);
    REAL(close)(to);
  }
  return failing;
}

static void opened(int fd, const char *path, int flags, int existed) {
  const char *name = ours(path);
  if (fd < 0 || fd >= FDS) return;
  free(names[fd]);
  names[fd] = name ? strdup(name) : NULL;
  appends[fd] = (flags & O_APPEND) != 0;
  if (name && ((flags & O_TRUNC) || ((flags & O_CREAT) && !existed))) note('O', name, "", existed ? 1 : 0, "", 0);
}

#define OPEN(function) \
  int function(const char *path, int flags, ...) { \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); } \
    if (!ours(path)) { int fd = REAL(function)(path, flags, mode); if (fd >= 0 && fd < FDS && names[fd]) { free(names[fd]); names[fd] = NULL; } return fd; } \
    pthread_mutex_lock(&lock); \
    struct stat found; \
    int existed = stat(path, &found) == 0; \
    int fd = REAL(function)(path, flags, mode), error = errno; \
    opened(fd, path, flags, existed); \
    pthread_mutex_unlock(&lock); \
    errno = error; \
    return fd; \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  if (!name_of(fd)) return REAL(close)(fd);
  pthread_mutex_lock(&lock);
  free(names[fd]);
  names[fd] = NULL;
  int result = REAL(close)(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

static ssize_t put(int fd, const char *name, const void *bytes, size_t length, off_t offset, int moves) {
  size_t most = length;
  pthread_mutex_lock(&lock);
  int failing = fails("write", fd, name);
  if (failing && fail_half) most = length / 2;
  ssize_t written = -1;
  int error = fail_errno;
  if (!failing || most < length) {
    struct stat size;
    if (moves) offset = appends[fd] && !fstat(fd, &size) ? size.st_size : lseek(fd, 0, SEEK_CUR);
    written = moves ? REAL(write)(fd, bytes, most) : REAL(pwrite)(fd, bytes, most, offset);
    error = errno;
    if (written > 0) note('W', name, "", offset, bytes, written);
    // A short write would be gone on with: the rest has to fail, too.
    if (failing) written = -1, error = fail_errno;
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return written;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  const char *name = name_of(fd);
  if (name) return put(fd, name, bytes, length, 0, 1);
  if (fd != 1 || (trace < 0 && calls_to < 0 && heard)) return REAL(write)(fd, bytes, length);
  pthread_mutex_lock(&lock);
  note('A', "", "", 0, bytes, length);
  if (calls_to >= 0) all(calls_to, "said ", 5), all(calls_to, bytes, length);
  heard |= after && memmem(bytes, length, after, strlen(after)) != NULL;
  ssize_t written = REAL(write)(fd, bytes, length);
  pthread_mutex_unlock(&lock);
  return written;
}

#define PWRITE(function) \
  ssize_t function(int fd, const void *bytes, size_t length, off_t offset) { \
    const char *name = name_of(fd); \
    return name ? put(fd, name, bytes, length, offset, 0) : REAL(function)(fd, bytes, length, offset); \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

// LevelDB 1.20 writes through stdio, whose own calls cannot be stood in the way of: its buffer is this one. As in glibc
// (new_do_write), what could not be written is forgotten.
#define BUFFER 4096
static struct { char *bytes; size_t length, room; } buffers[FDS];

static int flush(int fd) {
  while (buffers[fd].length > 0) {
    ssize_t n = write(fd, buffers[fd].bytes, buffers[fd].length);
    if (n <= 0) return buffers[fd].length = 0, -1;
    memmove(buffers[fd].bytes, buffers[fd].bytes + n, buffers[fd].length - n);
    buffers[fd].length -= n;
  }
  return 0;
}

static size_t buffered(const void *bytes, size_t length, FILE *file) {
  int fd = fileno(file);
  size_t needed = buffers[fd].length + length;
  if (needed > buffers[fd].room) buffers[fd].bytes = realloc(buffers[fd].bytes, buffers[fd].room = needed * 2);
  memcpy(buffers[fd].bytes + buffers[fd].length, bytes, length);
  buffers[fd].length = needed;
  return needed > BUFFER && flush(fd) ? 0 : length;
}

// None of ours, whatever had that number before.
static FILE *unnamed(FILE *file) {
  int fd = file ? fileno(file) : -1;
  if (!name_of(fd)) return file;
  pthread_mutex_lock(&lock);
  free(names[fd]);
  names[fd] = NULL;
  pthread_mutex_unlock(&lock);
  return file;
}

#define FOPEN(function) \
  FILE *function(const char *path, const char *mode) { \
    const char *name = ours(path); \
    if (!name || *mode == 'r' || !strcmp(name + (strlen(name) < 3 ? 0 : strlen(name) - 3), "LOG")) return unnamed(REAL(function)(path, mode)); \
    int fd = open(path, *mode == 'a' ? O_WRONLY | O_CREAT | O_APPEND : O_WRONLY | O_CREAT | O_TRUNC, 0666); \
    if (fd < 0 || fd >= FDS) return NULL; \
    buffers[fd].length = 0; \
    return fdopen(fd, mode); \
  }
FOPEN(fopen)
FOPEN(fopen64)

static int tracked(FILE *file) { return file && name_of(fileno(file)) != NULL; }

#define FWRITE(function) \
  size_t function(const void *bytes, size_t size, size_t count, FILE *file) { \
    return tracked(file) && size == 1 ? buffered(bytes, count, file) : REAL(function)(bytes, size, count, file); \
  }
#undef fwrite_unlocked
FWRITE(fwrite)
FWRITE(fwrite_unlocked)

#define FFLUSH(function) \
  int function(FILE *file) { return tracked(file) ? flush(fileno(file)) : REAL(function)(file); }
FFLUSH(fflush)
FFLUSH(fflush_unlocked)

int fclose(FILE *file) {
  if (!tracked(file)) return REAL(fclose)(file);
  int failed = flush(fileno(file));
  pthread_mutex_lock(&lock);
  free(names[fileno(file)]);
  names[fileno(file)] = NULL;
  int result = REAL(fclose)(file);
  pthread_mutex_unlock(&lock);
  return failed ? -1 : result;
}

// How files are written that Node is given several buffers for: none of ours, or the trace would lack them.
ssize_t writev(int fd, const struct iovec *list, int count) {
  if (name_of(fd)) note('?', name_of(fd), "", 0, "", 0);
  return REAL(writev)(fd, list, count);
}

#define SYNC(function) \
  int function(int fd) { \
    const char *name = name_of(fd); \
    if (!name) return REAL(function)(fd); \
    pthread_mutex_lock(&lock); \
    int failing = fails(#function, fd, name), result = failing ? -1 : REAL(function)(fd), error = failing ? fail_errno : errno; \
    if (result == 0) note('S', name, "", 0, "", 0); \
    pthread_mutex_unlock(&lock); \
    errno = error; \
    return result; \
  }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(function) \
  int function(int fd, off_t length) { \
    const char *name = name_of(fd); \
    if (!name) return REAL(function)(fd, length); \
    pthread_mutex_lock(&lock); \
    int result = REAL(function)(fd, length), error = errno; \
    if (result == 0) note('T', name, "", length, "", 0); \
    pthread_mutex_unlock(&lock); \
    errno = error; \
    return result; \
  }
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int rename(const char *from, const char *to) {
  const char *a = ours(from), *b = ours(to);
  if (!a || !b) return REAL(rename)(from, to);
  pthread_mutex_lock(&lock);
  int result = REAL(rename)(from, to), error = errno;
  if (result == 0) note('R', a, b, 0, "", 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int unlink(const char *path) {
  const char *name = ours(path);
  if (!name) return REAL(unlink)(path);
  pthread_mutex_lock(&lock);
  int result = REAL(unlink)(path), error = errno;
  if (result == 0) note('U', name, "", 0, "", 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int mkdir(const char *path, mode_t mode) {
  const char *name = ours(path);
  if (!name) return REAL(mkdir)(path, mode);
  pthread_mutex_lock(&lock);
  int result = REAL(mkdir)(path, mode), error = errno;
  if (result == 0) note('D', name, "", 0, "", 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

#define MMAP(function) \
  void *function(void *at, size_t length, int protection, int flags, int fd, off_t offset) { \
    if (name_of(fd) && (protection & PROT_WRITE) && (flags & MAP_SHARED)) note('M', name_of(fd), "", offset, "", 0); \
    return REAL(function)(at, length, protection, flags, fd, offset); \
  }
MMAP(mmap)
MMAP(mmap64)
