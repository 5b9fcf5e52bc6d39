/* Doors of the kernel that a command has no business with. */
#include "probe.h"
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

static int mount_tmpfs(char **a) { (void)a; TRIED(mount("none", "/tmp", "tmpfs", 0, "")); }
static int mount_bind(char **a) { (void)a; TRIED(mount("/usr", "/tmp", NULL, MS_BIND, NULL)); }
static int mount_proc(char **a) { (void)a; TRIED(mount("proc", "/tmp", "proc", 0, NULL)); }
static int remount_writable(char **a) { (void)a; TRIED(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL)); }
static int umount_proc(char **a) { (void)a; TRIED(umount2("/proc", MNT_DETACH)); }
static int umount_path(char **a) { TRIED(umount2(a[0], MNT_DETACH)); }
static int fsopen_tmpfs(char **a) { (void)a; TRIED(syscall(SYS_fsopen, "tmpfs", 0)); }
static int open_tree_root(char **a) { (void)a; TRIED(syscall(SYS_open_tree, AT_FDCWD, "/", 1)); }
static int mount_setattr_root(char **a)
{
    (void)a;
    unsigned long long how[4] = {0, MS_RDONLY, 0, 0};
    TRIED(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, how, sizeof how));
}
static int chroot_tmp(char **a) { (void)a; TRIED(chroot("/tmp")); }
static int pivot(char **a)
{
    (void)a;
    mkdir("/tmp/new", 0700);
    mount("none", "/tmp/new", "tmpfs", 0, "");
    mkdir("/tmp/new/old", 0700);
    TRIED(syscall(SYS_pivot_root, "/tmp/new", "/tmp/new/old"));
}

static int unshare_user(char **a) { (void)a; TRIED(unshare(CLONE_NEWUSER)); }
static int unshare_mount(char **a) { (void)a; TRIED(unshare(CLONE_NEWNS)); }
static int unshare_net(char **a) { (void)a; TRIED(unshare(CLONE_NEWNET)); }
static int unshare_user_net(char **a) { (void)a; TRIED(unshare(CLONE_NEWUSER | CLONE_NEWNET)); }
static int clone_user(char **a)
{
    (void)a;
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    return child < 0 ? errno : 0;
}
static int clone3_user(char **a)
{
    (void)a;
    unsigned long long how[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
    long child = syscall(SYS_clone3, how, sizeof how);
    if (child == 0)
        _exit(0);
    return child < 0 ? errno : 0;
}
static int enter(const char *path)
{
    int handle = open(path, O_RDONLY);
    TRIED(handle < 0 ? -1 : setns(handle, 0));
}
static int setns_mount(char **a) { (void)a; return enter("/proc/1/ns/mnt"); }
static int setns_user(char **a) { (void)a; return enter("/proc/1/ns/user"); }
static int setns_net(char **a) { return enter(a[0]); }

static int keyctl_session(char **a) { (void)a; TRIED(syscall(SYS_keyctl, 0, -3, 1)); }
static int keyctl_join(char **a) { (void)a; TRIED(syscall(SYS_keyctl, 1, "probe")); }
static int add_key(char **a) { (void)a; TRIED(syscall(SYS_add_key, "user", "probe", "x", 1, -2)); }
static int request_key(char **a) { (void)a; TRIED(syscall(SYS_request_key, "user", "probe", NULL, -2) < 0 && errno != ENOKEY ? -1 : 0); }
static int bpf_map(char **a)
{
    (void)a;
    union bpf_attr how = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
    TRIED(syscall(SYS_bpf, BPF_MAP_CREATE, &how, sizeof how));
}
static int bpf_program(char **a)
{
    (void)a;
    struct bpf_insn code[] = {{.code = 0xb7}, {.code = 0x95}};
    union bpf_attr how = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = (unsigned long)code, .insn_cnt = 2,
                          .license = (unsigned long)"GPL"};
    TRIED(syscall(SYS_bpf, BPF_PROG_LOAD, &how, sizeof how));
}
static int uring(char **a)
{
    (void)a;
    struct io_uring_params how = {0};
    TRIED(syscall(SYS_io_uring_setup, 4, &how));
}
static int faults(char **a) { (void)a; TRIED(syscall(SYS_userfaultfd, O_CLOEXEC)); }
static int faults_user(char **a) { (void)a; TRIED(syscall(SYS_userfaultfd, O_CLOEXEC | 1)); }
static int perf(char **a)
{
    (void)a;
    struct perf_event_attr how = {.type = PERF_TYPE_SOFTWARE, .size = sizeof how, .config = PERF_COUNT_SW_CPU_CLOCK};
    TRIED(syscall(SYS_perf_event_open, &how, 0, -1, -1, 0));
}
static int module_init(char **a) { (void)a; TRIED(syscall(SYS_init_module, "x", 1, "")); }
static int module_file(char **a) { (void)a; TRIED(syscall(SYS_finit_module, open("/proc/self/exe", O_RDONLY), "", 0)); }
static int module_delete(char **a) { (void)a; TRIED(syscall(SYS_delete_module, "probe", O_NONBLOCK)); }
static int kexec(char **a) { (void)a; TRIED(syscall(SYS_kexec_load, 0, 0, NULL, 0)); }
static int kexec_file(char **a) { (void)a; TRIED(syscall(SYS_kexec_file_load, -1, -1, 0, "", 4)); }
static int reboot_off(char **a) { (void)a; TRIED(reboot(RB_DISABLE_CAD)); }
static int swap(char **a) { (void)a; TRIED(swapon("/proc/self/exe", 0)); }
static int set_time(char **a)
{
    (void)a;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    TRIED(clock_settime(CLOCK_REALTIME, &now));
}
static int adjust_time(char **a)
{
    (void)a;
    struct timex how = {.modes = ADJ_TICK, .tick = 10000};
    TRIED(adjtimex(&how));
}
static int accounting(char **a) { (void)a; TRIED(acct(NULL)); }
static int quota(char **a) { (void)a; TRIED(syscall(SYS_quotactl, 0x80000100, NULL, 0, NULL)); }
static int kernel_log(char **a) { char text[64]; (void)a; TRIED(syscall(SYS_syslog, 3, text, sizeof text)); }
static int host_name(char **a) { (void)a; TRIED(sethostname("probe", 5)); }
static int domain_name(char **a) { (void)a; TRIED(setdomainname("probe", 5)); }
static int no_randomisation(char **a) { (void)a; TRIED(personality(ADDR_NO_RANDOMIZE)); }
static int read_implies_exec(char **a) { (void)a; TRIED(personality(READ_IMPLIES_EXEC)); }
static int handle(char **a)
{
    struct { struct file_handle head; char rest[128]; } place;
    int mount = 0;
    place.head.handle_bytes = 128;
    if (name_to_handle_at(AT_FDCWD, a[0], &place.head, &mount, 0) < 0)
        return errno;
    int where = open(a[0], O_RDONLY | O_DIRECTORY);
    TRIED(open_by_handle_at(where, &place.head, O_RDONLY));
}
static int compare(char **a) { (void)a; TRIED(syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0)); }
static int watch_files(char **a) { (void)a; TRIED(syscall(SYS_fanotify_init, 0, O_RDONLY)); }

#ifdef __x86_64__
static int descriptor_table(char **a) { char text[64]; (void)a; TRIED(syscall(SYS_modify_ldt, 0, text, sizeof text)); }
static int port_level(char **a) { (void)a; TRIED(syscall(SYS_iopl, 3)); }
static int port_access(char **a) { (void)a; TRIED(syscall(SYS_ioperm, 0x80, 1, 1)); }
static int x32_call(char **a) { (void)a; TRIED(syscall(0x40000000 | SYS_getpid)); }
static int call_32(char **a)
{
    (void)a;
    int found;
    __asm__ volatile("int $0x80" : "=a"(found) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    return found > 0 ? 0 : -found;
}
#else
#define ELSEWHERE(name) static int name(char **a) { (void)a; return said("x86 only"); }
ELSEWHERE(descriptor_table) ELSEWHERE(port_level) ELSEWHERE(port_access) ELSEWHERE(x32_call) ELSEWHERE(call_32)
#endif

static int become_root(char **a) { (void)a; TRIED(setresuid(0, 0, 0)); }
static int become_group(char **a) { (void)a; TRIED(setresgid(0, 0, 0)); }
static int capabilities(char **a)
{
    (void)a;
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 0}, {0, 0, 0}};
    TRIED(syscall(SYS_capset, &head, data));
}
static int no_new_rights(char **a) { (void)a; return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) ? said("set") : 0; }

static int pty(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master))
        return -1;
    return open(ptsname(master), O_RDWR);
}
/* Type into a terminal: a fresh one of our own, made the controlling terminal of a session of our own. */
static int type_in(char **a)
{
    (void)a;
    if (fork() == 0) {
        setsid();
        int terminal = pty();
        if (terminal < 0)
            _exit(said("no terminal") && 0);
        ioctl(terminal, TIOCSCTTY, 0);
        int code = ioctl(terminal, TIOCSTI, "x") < 0 ? errno : 0;
        said("%s", code ? strerrorname_np(code) : "worked");
        _exit(0);
    }
    wait(NULL);
    return SAID;
}
static int console(char **a) { char kind[2] = {6, 0}; (void)a; int terminal = pty(); TRIED(ioctl(terminal, TIOCLINUX, kind)); }
static int own_terminal(char **a) { (void)a; TRIED(open("/dev/tty", O_RDWR)); }

const struct probe kernel[] = {
    {"mount-tmpfs", mount_tmpfs}, {"mount-bind", mount_bind}, {"mount-proc", mount_proc},
    {"remount-writable", remount_writable}, {"umount-proc", umount_proc}, {"umount", umount_path},
    {"fsopen", fsopen_tmpfs}, {"open-tree", open_tree_root}, {"mount-setattr", mount_setattr_root},
    {"chroot", chroot_tmp}, {"pivot-root", pivot},
    {"unshare-user", unshare_user}, {"unshare-mount", unshare_mount}, {"unshare-net", unshare_net},
    {"unshare-user-net", unshare_user_net}, {"clone-user", clone_user}, {"clone3-user", clone3_user},
    {"setns-mount", setns_mount}, {"setns-user", setns_user}, {"setns", setns_net},
    {"keyctl", keyctl_session}, {"keyctl-join", keyctl_join}, {"add-key", add_key}, {"request-key", request_key},
    {"bpf-map", bpf_map}, {"bpf-program", bpf_program}, {"io-uring", uring}, {"userfaultfd", faults},
    {"userfaultfd-user", faults_user}, {"perf", perf},
    {"module-init", module_init}, {"module-file", module_file}, {"module-delete", module_delete},
    {"kexec", kexec}, {"kexec-file", kexec_file}, {"reboot", reboot_off}, {"swapon", swap},
    {"set-time", set_time}, {"adjust-time", adjust_time}, {"accounting", accounting}, {"quota", quota},
    {"kernel-log", kernel_log}, {"set-host-name", host_name}, {"set-domain-name", domain_name},
    {"personality", no_randomisation}, {"personality-exec", read_implies_exec}, {"file-handle", handle},
    {"kcmp", compare}, {"fanotify", watch_files},
    {"modify-ldt", descriptor_table}, {"iopl", port_level}, {"ioperm", port_access}, {"x32", x32_call},
    {"int80", call_32}, {"setuid", become_root}, {"setgid", become_group}, {"capset", capabilities},
    {"no-new-privileges", no_new_rights}, {"tiocsti", type_in}, {"tioclinux", console}, {"controlling-terminal", own_terminal},
    {NULL, NULL},
};
