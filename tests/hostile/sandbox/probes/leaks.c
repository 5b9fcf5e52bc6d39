/* What a sandbox tells about the machine and about us. */
#include "probe.h"
#include <ctype.h>
#include <dirent.h>
#include <sys/utsname.h>

extern char **environ;

/* environment NAME...: name every variable that is not among these */
static int environment(char **a)
{
    char found[4096] = "";
    for (char **one = environ; *one; one++) {
        size_t length = strcspn(*one, "=");
        int known = 0;
        for (char **name = a; *name; name++)
            known |= strlen(*name) == length && !strncmp(*one, *name, length);
        if (!known && strlen(found) + length + 2 < sizeof found) {
            strcat(found, found[0] ? " " : "");
            strncat(found, *one, length);
        }
    }
    return found[0] ? said("worked: %s", found) : said("nothing");
}
/* descriptors that came from outside */
static int inherited(char **a)
{
    (void)a;
    char found[4096] = "";
    for (int handle = 3; handle < 1024; handle++)
        if (fcntl(handle, F_GETFD) >= 0)
            sprintf(found + strlen(found), " %d", handle);
    return found[0] ? said("worked:%s", found) : said("nothing");
}
/* text PATH START REST: does a file hold a word? It comes in two parts, as command lines would show it. */
static int text(char **a)
{
    static char all[1024 * 1024];
    int handle = open(a[0], O_RDONLY);
    if (handle < 0)
        return errno;
    ssize_t size = 0, got;
    while ((got = read(handle, all + size, sizeof all - size)) > 0)
        size += got;
    char word[4096];
    snprintf(word, sizeof word, "%s%s", a[1], a[2]);
    return memmem(all, size, word, strlen(word)) ? 0 : said("nothing");
}
static int name(char **a)
{
    struct utsname about;
    uname(&about);
    return strcmp(about.nodename, a[0]) ? said("nothing") : 0;
}
/* ids OUTSIDE: does the map of user ids tell which one we are outside? */
static int ids(char **a)
{
    FILE *file = fopen("/proc/self/uid_map", "r");
    unsigned long inside, outside, count;
    while (file && fscanf(file, "%lu %lu %lu", &inside, &outside, &count) == 3)
        if (outside <= strtoul(a[0], NULL, 10) && strtoul(a[0], NULL, 10) < outside + count && count < 65536)
            return 0;
    return file ? said("nothing") : errno;
}
static int processes_seen(char **a)
{
    (void)a;
    DIR *folder = opendir("/proc");
    int others = 0;
    for (struct dirent *one; folder && (one = readdir(folder));)
        others += isdigit(one->d_name[0]) && atoi(one->d_name) != 1 && atoi(one->d_name) != getpid();
    return others ? 0 : said("nothing");
}
static int interfaces(char **a)
{
    (void)a;
    FILE *file = fopen("/proc/net/dev", "r");
    char line[512], one[64], found[2048] = "";
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, " %63[^: ]:", one) == 1 && strchr(line, ':') && strcmp(one, "lo"))
            strcat(strcat(found, " "), one);
    return found[0] ? said("worked:%s", found) : said("nothing");
}
/* devices NAME...: name what lies in /dev and is not among these */
static int devices(char **a)
{
    char found[4096] = "";
    DIR *folder = opendir("/dev");
    for (struct dirent *one; folder && (one = readdir(folder));) {
        int known = one->d_name[0] == '.';
        for (char **each = a; *each; each++)
            known |= !strcmp(one->d_name, *each);
        if (!known && strlen(found) + 64 < sizeof found)
            strcat(strcat(found, found[0] ? " " : ""), one->d_name);
    }
    return found[0] ? said("worked: %s", found) : said("nothing");
}
static int addresses(char **a)
{
    (void)a;
    FILE *file = fopen("/proc/kallsyms", "r");
    unsigned long where = 0;
    while (file && fscanf(file, "%lx %*[^\n]", &where) == 1)
        if (where)
            return 0;
    return file ? said("nothing") : errno;
}

const struct probe leaks[] = {
    {"environment", environment}, {"inherited", inherited}, {"text", text}, {"host-name", name}, {"ids", ids},
    {"processes-seen", processes_seen}, {"interfaces", interfaces}, {"devices", devices}, {"addresses", addresses},
    {NULL, NULL},
};
