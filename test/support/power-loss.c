/* Loaded before the C library of a process (LD_PRELOAD): notes in POWER_LOG what the process asks the system to do with
 * the files whose names begin with POWER_FILE, and when it has waited for the disk. What a loss of power leaves of them
 * is worked out from these notes (power-loss.ts). No header is needed, so the smallest compiler will do. */
typedef long i64;
typedef unsigned long u64;

extern void *dlsym(void *, const char *);
extern char *getenv(const char *);
extern char *realpath(const char *, char *);
extern void *memcpy(void *, const void *, u64);
extern i64 writev(int, const void *, int);
extern int strncmp(const char *, const char *, u64);
extern u64 strlen(const char *);
extern void abort(void);
extern int access(const char *, int);
extern int atoi(const char *);
extern int usleep(unsigned);
extern int *__errno_location(void);

#define NEXT ((void *)-1)
#define O_WRONLY 1
#define O_CREAT 0100
#define O_APPEND 02000
#define O_CLOEXEC 02000000
#define MOST 4096
#define EIO 5
/* Which of the watched names a descriptor stands for: 0 none, 1 the folder, else the name's place in `names`. */
static unsigned char watched[MOST];
static char names[16][512];
static int log_fd = -1;
static char prefix[512];
static u64 prefix_length;
static u64 folder_length;
/* While a file of this name is there, the disk fails whoever waits for it. */
static const char *disk_fault;
/* So long each wait for the disk takes at least, in microseconds. */
static unsigned disk_wait;

static int (*real_open)(const char *, int, int);
static int (*real_close)(int);
static i64 (*real_pwrite)(int, const void *, u64, i64);
static i64 (*real_write)(int, const void *, u64);
static int (*real_ftruncate)(int, i64);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

struct piece { const void *base; u64 length; };

static void begin(void) {
  const char *file;
  const char *log;
  u64 n;
  if (real_open) return;
  real_close = dlsym(NEXT, "close");
  real_pwrite = dlsym(NEXT, "pwrite64");
  real_write = dlsym(NEXT, "write");
  real_ftruncate = dlsym(NEXT, "ftruncate64");
  real_fsync = dlsym(NEXT, "fsync");
  real_fdatasync = dlsym(NEXT, "fdatasync");
  real_unlink = dlsym(NEXT, "unlink");
  real_open = dlsym(NEXT, "open64");
  file = getenv("POWER_FILE");
  log = getenv("POWER_LOG");
  disk_fault = getenv("DISK_FAULT");
  if (getenv("DISK_WAIT")) disk_wait = (unsigned)atoi(getenv("DISK_WAIT"));
  if (!file || !log || strlen(file) >= sizeof prefix) return;
  prefix_length = strlen(file);
  memcpy(prefix, file, prefix_length + 1);
  for (n = 0; n < prefix_length; n += 1) if (prefix[n] == '/') folder_length = n;
  log_fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* One line of facts and the bytes behind it, in one call, so that notes of several threads don't mix. */
static void note(char what, const char *name, i64 at, const void *bytes, u64 length) {
  char head[600];
  char digits[24];
  u64 end = 0, n;
  i64 number;
  struct piece pieces[2];
  if (log_fd < 0) return;
  head[end++] = what;
  head[end++] = ' ';
  for (number = at, n = 0; n < 2; n += 1, number = (i64)length) {
    u64 count = 0;
    do { digits[count++] = '0' + number % 10; number /= 10; } while (number > 0);
    while (count > 0) head[end++] = digits[--count];
    head[end++] = ' ';
  }
  for (n = 0; name[n] != 0; n += 1) head[end++] = name[n];
  head[end++] = '\n';
  pieces[0].base = head;
  pieces[0].length = end;
  pieces[1].base = bytes;
  pieces[1].length = bytes ? length : 0;
  if (writev(log_fd, pieces, 2) != (i64)(end + pieces[1].length)) abort();
}

/* The part of the path behind the folder, when the file is a watched one; the index files of SQLite are memory. */
static const char *name_of(const char *path) {
  char full[4097];
  u64 length;
  static char name[512];
  if (log_fd < 0) return 0;
  if (path[0] != '/' && !realpath(path, full)) return 0;
  if (path[0] != '/') path = full;
  if (strncmp(path, prefix, prefix_length) != 0) return 0;
  length = strlen(path);
  if (length >= sizeof name || strncmp(path + length - 4, "-shm", 4) == 0) return 0;
  memcpy(name, path + folder_length + 1, length - folder_length);
  return name;
}

static int is_folder(const char *path) {
  return log_fd >= 0 && strncmp(path, prefix, folder_length) == 0 && path[folder_length] == 0;
}

static int opened(const char *path, int fd) {
  const char *name;
  int place;
  if (fd < 0 || fd >= MOST) return fd;
  watched[fd] = 0;
  if (is_folder(path)) watched[fd] = 1;
  else if ((name = name_of(path))) {
    for (place = 2; place < 16 && names[place][0] != 0; place += 1) {
      if (strlen(names[place]) == strlen(name) && strncmp(names[place], name, strlen(name)) == 0) break;
    }
    if (place == 16) abort();
    memcpy(names[place], name, strlen(name) + 1);
    watched[fd] = (unsigned char)place;
    note('O', name, 0, 0, 0);
  }
  return fd;
}

static const char *file_of(int fd) {
  begin();
  return fd >= 0 && fd < MOST && watched[fd] > 1 ? names[watched[fd]] : 0;
}

/* The mode is a variable argument in C; where it is not given, what is read in its place is not used. */
int open(const char *path, int flags, int mode) { begin(); return opened(path, real_open(path, flags, mode)); }
int open64(const char *path, int flags, int mode) { begin(); return opened(path, real_open(path, flags, mode)); }

int close(int fd) {
  begin();
  if (fd >= 0 && fd < MOST) watched[fd] = 0;
  return real_close(fd);
}

i64 pwrite64(int fd, const void *bytes, u64 length, i64 at) {
  const char *name = file_of(fd);
  i64 done = real_pwrite(fd, bytes, length, at);
  if (name && done > 0) note('W', name, at, bytes, (u64)done);
  return done;
}

i64 pwrite(int fd, const void *bytes, u64 length, i64 at) { return pwrite64(fd, bytes, length, at); }

/* Nobody writes the database so; if that changes, this must not go unnoticed. */
i64 write(int fd, const void *bytes, u64 length) {
  if (file_of(fd)) abort();
  return real_write(fd, bytes, length);
}

int ftruncate64(int fd, i64 length) {
  const char *name = file_of(fd);
  int failed = real_ftruncate(fd, length);
  if (name && !failed) note('T', name, length, 0, 0);
  return failed;
}

int ftruncate(int fd, i64 length) { return ftruncate64(fd, length); }

/* What was asked for before the wait began is on the disk when it ends. */
static int sync(int fd, int (*real)(int)) {
  const char *name = file_of(fd);
  int failed;
  if (!name && fd >= 0 && fd < MOST && watched[fd] == 1) name = ".";
  if (name && disk_fault && access(disk_fault, 0) == 0) {
    note('F', name, 0, 0, 0);
    *__errno_location() = EIO;
    return -1;
  }
  if (name) note('B', name, (i64)fd, 0, 0);
  if (name && disk_wait) usleep(disk_wait);
  failed = real(fd);
  if (name && !failed) note('E', name, (i64)fd, 0, 0);
  return failed;
}

int fsync(int fd) { begin(); return sync(fd, real_fsync); }
int fdatasync(int fd) { begin(); return sync(fd, real_fdatasync); }

int unlink(const char *path) {
  const char *name;
  int failed;
  begin();
  name = name_of(path);
  failed = real_unlink(path);
  if (name && !failed) note('U', name, 0, 0, 0);
  return failed;
}
