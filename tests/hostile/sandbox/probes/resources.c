/* Take more than one's share. What would work is bounded, so that it can be tried on a machine as well. */
#include "probe.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MIB (1024L * 1024L)

static int take(long size)
{
    char *held = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (held == MAP_FAILED)
        return errno;
    for (long at = 0; at < size; at += 4096)
        held[at] = 1;
    return 0;
}
static int memory(char **a)
{
    (void)a;
    for (int piece = 0; piece < 16; piece++) {
        int code = take(64 * MIB);
        if (code)
            return code;
    }
    return 0;
}
static int memory_tree(char **a)
{
    (void)a;
    for (int child = 0; child < 5; child++)
        if (fork() == 0) {
            if (take(200 * MIB) == 0)
                sleep(3);
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    return 0;
}
static int fill(int handle, long size)
{
    static char block[1024 * 1024];
    memset(block, 'x', sizeof block);
    for (long done = 0; done < size; done += sizeof block)
        if (write(handle, block, sizeof block) < 0)
            return errno;
    return 0;
}
static int memory_file(char **a)
{
    (void)a;
    int handle = memfd_create("probe", 0);
    return handle < 0 ? errno : fill(handle, 900 * MIB);
}
static int memory_shared(char **a)
{
    (void)a;
    int segment = shmget(IPC_PRIVATE, 900 * MIB, 0600);
    if (segment < 0)
        return errno;
    char *held = shmat(segment, NULL, 0);
    shmctl(segment, IPC_RMID, NULL);
    if (held == (void *)-1)
        return errno;
    memset(held, 1, 900 * MIB);
    sleep(1);
    return 0;
}
/* fill-file PATH MIB */
static int fill_file(char **a)
{
    int handle = open(a[0], O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (handle < 0)
        return errno;
    int code = fill(handle, atol(a[1]) * MIB);
    unlink(a[0]);
    return code;
}
/* fill-names FOLDER NUMBER */
static int fill_names(char **a)
{
    char name[256];
    int count = atoi(a[1]), code = 0, made = 0;
    for (; made < count && !code; made++) {
        snprintf(name, sizeof name, "%s/probe-%d", a[0], made);
        int handle = open(name, O_WRONLY | O_CREAT, 0600);
        code = handle < 0 ? errno : 0;
        close(handle);
    }
    while (made--) {
        snprintf(name, sizeof name, "%s/probe-%d", a[0], made);
        unlink(name);
    }
    return code;
}
static int long_file(char **a)
{
    signal(SIGXFSZ, SIG_IGN);
    int handle = open(a[0], O_WRONLY | O_CREAT, 0600);
    int code = handle < 0 || ftruncate(handle, 2048 * MIB) < 0 ? errno : 0;
    unlink(a[0]);
    return code;
}
static int descriptors(char **a)
{
    (void)a;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    for (int count = 0; count < 3000; count++)
        if (open("/dev/null", O_RDONLY) < 0)
            return errno;
    return 0;
}
static int raise_limit(char **a)
{
    (void)a;
    struct rlimit low = {100, 100}, high = {200, 200};
    setrlimit(RLIMIT_NOFILE, &low);
    TRIED(setrlimit(RLIMIT_NOFILE, &high));
}
static int flood(char **a)
{
    (void)a;
    int code = fill(1, 32 * MIB);
    printf("\n");
    return code ? code : said("flooded");
}
static int core(char **a)
{
    struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_CORE, &most) < 0) {
        getrlimit(RLIMIT_CORE, &most);
        most.rlim_cur = most.rlim_max;
        setrlimit(RLIMIT_CORE, &most);
    }
    int status = 0;
    if (chdir(a[0]) < 0)
        return errno;
    if (fork() == 0)
        abort();
    wait(&status);
    return WCOREDUMP(status) ? 0 : said("no core");
}
static int realtime(char **a)
{
    (void)a;
    struct sched_param how = {.sched_priority = 1};
    TRIED(sched_setscheduler(0, SCHED_FIFO, &how));
}
static int priority(char **a) { (void)a; TRIED(setpriority(PRIO_PROCESS, 0, -20)); }
static int lock(char **a)
{
    (void)a;
    char *held = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRIED(mlock(held, 64 * MIB));
}
static int never_killed(char **a)
{
    (void)a;
    int handle = open("/proc/self/oom_score_adj", O_WRONLY);
    TRIED(handle < 0 ? -1 : write(handle, "-1000", 5));
}

const struct probe resources[] = {
    {"memory", memory}, {"memory-tree", memory_tree}, {"memory-file", memory_file}, {"memory-shared", memory_shared},
    {"fill-file", fill_file}, {"fill-names", fill_names}, {"long-file", long_file}, {"descriptors", descriptors},
    {"raise-limit", raise_limit}, {"flood", flood}, {"core", core}, {"realtime", realtime}, {"priority", priority},
    {"mlock", lock}, {"never-killed", never_killed}, {NULL, NULL},
};
