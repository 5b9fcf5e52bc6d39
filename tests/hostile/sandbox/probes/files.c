/* Files outside, device nodes, and files that lend somebody's rights. */
#include "probe.h"
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static int read_one(int handle)
{
    char letters[8];
    if (handle < 0)
        return errno;
    ssize_t got = read(handle, letters, sizeof letters);
    return got < 0 ? errno : got == 0 ? said("empty") : 0;
}
static int read_file(char **a) { return read_one(open(a[0], O_RDONLY | O_NONBLOCK)); }
static int open_write(char **a) { TRIED(open(a[0], O_WRONLY | O_NONBLOCK)); }
static int open_both(char **a) { TRIED(open(a[0], O_RDWR | O_NONBLOCK)); }
static int create(char **a)
{
    int handle = open(a[0], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    TRIED(handle < 0 ? -1 : write(handle, "probe\n", 6));
}
static int make_folder(char **a) { TRIED(mkdir(a[0], 0700)); }
static int moved(char **a) { TRIED(rename(a[0], a[1])); }
static int exchange(char **a) { TRIED(renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE)); }
static int removed(char **a) { TRIED(unlink(a[0])); }
static int by_link(char **a)
{
    unlink("link");
    if (symlink(a[0], "link") < 0)
        return errno;
    return read_one(open("link", O_RDONLY));
}
static int by_hard_link(char **a)
{
    unlink("hard");
    if (link(a[0], "hard") < 0)
        return errno;
    return read_one(open("hard", O_RDONLY));
}
static int by_dots(char **a)
{
    char path[4096];
    snprintf(path, sizeof path, "../../../../../../../../../../..%s", a[0]);
    return read_one(openat(open(".", O_RDONLY), path, O_RDONLY));
}
static int by_folder(char **a)
{
    int handle = open("..", O_PATH | O_DIRECTORY);
    for (int up = 0; up < 20; up++)
        handle = openat(handle, "..", O_PATH | O_DIRECTORY);
    return read_one(openat(handle, a[0] + 1, O_RDONLY));
}
/* Move the working folder while standing in a folder below it, then climb: the classic way out of a chroot. */
static int by_moving(char **a)
{
    mkdir("outer", 0700), mkdir("outer/inner", 0700);
    int handle = open("outer/inner", O_PATH | O_DIRECTORY);
    if (rename("outer/inner", "inner") < 0)
        return errno;
    for (int up = 0; up < 20; up++)
        handle = openat(handle, "..", O_PATH | O_DIRECTORY);
    rmdir("inner"), rmdir("outer");
    return read_one(openat(handle, a[0] + 1, O_RDONLY));
}
static int by_process(char **a)
{
    char path[4096];
    snprintf(path, sizeof path, "/proc/1/root%s", a[0]);
    return read_one(open(path, O_RDONLY));
}

static int node(char **a)
{
    TRIED(mknod("node", (a[0][0] == 'c' ? S_IFCHR : S_IFBLK) | 0666, makedev(atoi(a[1]), atoi(a[2]))));
}
static int lend_later(char **a)
{
    (void)a;
    close(open("lent", O_CREAT | O_WRONLY, 0755));
    int code = chmod("lent", 04755) < 0 ? errno : 0;
    unlink("lent");
    return code;
}
static int lend_group(char **a)
{
    (void)a;
    close(open("lent", O_CREAT | O_WRONLY, 0755));
    int code = fchmodat(AT_FDCWD, "lent", 02755, 0) < 0 ? errno : 0;
    unlink("lent");
    return code;
}
static int lend_at_once(char **a)
{
    (void)a;
    int code = open("lent", O_CREAT | O_EXCL | O_WRONLY, 04755) < 0 ? errno : 0;
    unlink("lent");
    return code;
}
static int lend_beneath(char **a)
{
    (void)a;
    unsigned long long how[3] = {O_CREAT | O_EXCL | O_WRONLY, 04755, 0};
    int code = syscall(SYS_openat2, AT_FDCWD, "lent", how, sizeof how) < 0 ? errno : 0;
    unlink("lent");
    return code;
}
static int file_capability(char **a)
{
    (void)a;
    /* VFS_CAP_REVISION_2, effective, all permitted */
    static const unsigned int all[5] = {0x02000001, 0xffffffff, 0, 0xffffffff, 0};
    close(open("able", O_CREAT | O_WRONLY, 0755));
    int code = setxattr("able", "security.capability", all, sizeof all, 0) < 0 ? errno : 0;
    unlink("able");
    return code;
}
static int own_files(char **a)
{
    (void)a;
    close(open("given", O_CREAT | O_WRONLY, 0644));
    int code = chown("given", 0, 0) < 0 ? errno : 0;
    unlink("given");
    return code;
}
/* start PATH: run a copy of this program that somebody prepared, which says who it is */
static int start(char **a)
{
    execl(a[0], a[0], "who", NULL);
    return errno;
}
static int who(char **a)
{
    (void)a;
    if (geteuid() == 0)
        return said("root");
    return setuid(0) == 0 ? said("root") : said("nobody else");
}
static int lends_here(char **a)
{
    struct statvfs about;
    if (statvfs(a[0], &about) < 0)
        return errno;
    return about.f_flag & ST_NOSUID ? said("nosuid") : 0;
}

const struct probe files[] = {
    {"read", read_file}, {"open-write", open_write}, {"open-both", open_both}, {"create", create},
    {"mkdir", make_folder}, {"rename", moved}, {"exchange", exchange}, {"unlink", removed}, {"by-link", by_link},
    {"by-hard-link", by_hard_link}, {"by-dots", by_dots}, {"by-folder", by_folder}, {"by-moving", by_moving},
    {"by-process", by_process}, {"node", node}, {"setuid-later", lend_later}, {"setgid-later", lend_group},
    {"setuid-at-once", lend_at_once}, {"setuid-openat2", lend_beneath}, {"file-capability", file_capability},
    {"chown-root", own_files}, {"start", start}, {"who", who}, {"lends", lends_here}, {NULL, NULL},
};
