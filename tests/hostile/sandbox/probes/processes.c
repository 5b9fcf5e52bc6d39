/* Other processes: to be hit, read or taken over; and ways to go on after the command has ended. */
#include "probe.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define MANY 1000

static int signal_one(char **a) { TRIED(kill(atoi(a[0]), SIGUSR1)); }
static int signal_all(char **a)
{
    (void)a;
    signal(SIGUSR1, SIG_IGN);
    TRIED(kill(-1, SIGUSR1));
}
static int descriptor_of(char **a) { TRIED(syscall(SYS_pidfd_open, atoi(a[0]), 0)); }
static int trace(char **a)
{
    int pid = atoi(a[0]);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
        return errno;
    ptrace(PTRACE_DETACH, pid, 0, 0);
    return 0;
}
static int trace_child(char **a)
{
    (void)a;
    int status = 0;
    if (fork() == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
    wait(&status);
    return WEXITSTATUS(status);
}
static int read_memory(char **a)
{
    char text[8];
    struct iovec here = {text, 1}, there = {(void *)read_memory, 1};
    TRIED(process_vm_readv(atoi(a[0]), &here, 1, &there, 1, 0));
}
static int list(char **a)
{
    DIR *folder = opendir(a[0]);
    if (!folder)
        return errno;
    for (struct dirent *one; (one = readdir(folder));)
        if (strcmp(one->d_name, ".") && strcmp(one->d_name, ".."))
            return 0;
    return said("empty");
}

/* Go on after the command: each leaves a process behind, which lives for a minute at most. */
static void linger(void)
{
    for (int second = 0; second < 60; second++)
        sleep(1);
    _exit(0);
}
static int background(char **a)
{
    (void)a;
    if (fork() == 0) {
        fclose(stdout);
        close(2);
        linger();
    }
    return said("started");
}
static int twice(char **a)
{
    (void)a;
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int number = 1; number < 32; number++)
                signal(number, SIG_IGN);
            close(0), close(1), close(2);
            linger();
        }
        _exit(0);
    }
    wait(NULL);
    return said("started");
}
static int stopped(char **a)
{
    (void)a;
    if (fork() == 0) {
        setsid();
        close(1), close(2);
        raise(SIGSTOP);
        linger();
    }
    return said("started");
}
static int holds_output(char **a)
{
    (void)a;
    if (fork() == 0) {
        setsid();
        linger();
    }
    return said("started");
}

/* Do not end. */
static int ignore_signals(char **a)
{
    (void)a;
    for (int number = 1; number < 32; number++)
        signal(number, SIG_IGN);
    linger();
    return 0;
}
static int stop_itself(char **a) { (void)a; raise(SIGSTOP); return 0; }
static int uninterruptible(char **a)
{
    (void)a;
    if (vfork() == 0)
        linger();
    return 0;
}
static int silent(char **a)
{
    (void)a;
    close(0), close(1), close(2);
    linger();
    return 0;
}
static int busy(char **a)
{
    (void)a;
    alarm(60);
    for (volatile int more = 1; more;)
        ;
    return 0;
}

/* Become many. */
static int forks(char **a)
{
    (void)a;
    static pid_t made[MANY];
    int count = 0, code = 0;
    while (count < MANY && !code) {
        pid_t child = fork();
        if (child == 0) {
            pause();
            _exit(0);
        }
        if (child < 0)
            code = errno;
        else
            made[count++] = child;
    }
    for (int each = 0; each < count; each++)
        kill(made[each], SIGKILL);
    return code;
}
static int forks_of_forks(char **a)
{
    (void)a;
    pid_t self = getpid();
    alarm(20);
    for (int round = 0; round < 4000; round++)
        if (fork() < 0) {
            if (getpid() != self)
                pause();
            return errno;
        }
    pause();
    return 0;
}
static int zombies(char **a)
{
    (void)a;
    signal(SIGCHLD, SIG_DFL);
    for (int count = 0; count < MANY; count++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (child < 0)
            return errno;
    }
    return 0;
}
static void *wait_for_ever(void *a) { pause(); return a; }
static int threads(char **a)
{
    (void)a;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    for (int count = 0; count < MANY; count++) {
        pthread_t one;
        int code = pthread_create(&one, &small, wait_for_ever, NULL);
        if (code)
            return code;
    }
    return 0;
}

/* canary: lives until its input ends, and says "hit" for each SIGUSR1 */
static void hit(int number) { (void)number; if (write(1, "hit\n", 4)) {} }
static int canary(char **a)
{
    (void)a;
    struct sigaction how = {.sa_handler = hit, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &how, NULL);
    char text[8];
    printf("ready\n");
    while (read(0, text, sizeof text) > 0)
        ;
    _exit(0);
}

const struct probe processes[] = {
    {"signal", signal_one}, {"signal-all", signal_all}, {"pidfd", descriptor_of}, {"ptrace", trace},
    {"ptrace-child", trace_child}, {"read-memory", read_memory}, {"list", list},
    {"background", background}, {"double-fork", twice}, {"stopped-daemon", stopped}, {"holds-output", holds_output},
    {"ignore-signals", ignore_signals}, {"stop-itself", stop_itself}, {"uninterruptible", uninterruptible},
    {"silent", silent}, {"busy", busy},
    {"fork-bomb", forks}, {"fork-tree", forks_of_forks}, {"zombies", zombies}, {"threads", threads},
    {"canary", canary}, {NULL, NULL},
};
