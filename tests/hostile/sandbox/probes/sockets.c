/* Ways out over sockets. */
#include "probe.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static int made(int family, int type, int protocol) { TRIED(socket(family, type, protocol)); }

/* socket FAMILY TYPE PROTOCOL, as numbers */
static int any(char **a) { return made(atoi(a[0]), atoi(a[1]), atoi(a[2])); }

static int reach(struct sockaddr *place, socklen_t length, int type)
{
    int handle = socket(place->sa_family, type | SOCK_NONBLOCK, 0);
    if (handle < 0)
        return errno;
    if (connect(handle, place, length) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    struct pollfd wait = {handle, POLLOUT, 0};
    if (poll(&wait, 1, 2000) == 0)
        return ETIMEDOUT;
    int code = 0;
    socklen_t size = sizeof code;
    getsockopt(handle, SOL_SOCKET, SO_ERROR, &code, &size);
    return code;
}

/* connect ADDRESS PORT */
static int tcp(char **a)
{
    struct sockaddr_in old = {.sin_family = AF_INET, .sin_port = htons(atoi(a[1]))};
    struct sockaddr_in6 new = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(a[1]))};
    if (inet_pton(AF_INET, a[0], &old.sin_addr) == 1)
        return reach((struct sockaddr *)&old, sizeof old, SOCK_STREAM);
    if (inet_pton(AF_INET6, a[0], &new.sin6_addr) != 1)
        return EINVAL;
    return reach((struct sockaddr *)&new, sizeof new, SOCK_STREAM);
}

/* dns ADDRESS PORT: ask for a name over UDP, and wait for any answer */
static int dns(char **a)
{
    static const char question[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1";
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(atoi(a[1]))};
    inet_pton(AF_INET, a[0], &place.sin_addr);
    int handle = socket(AF_INET, SOCK_DGRAM, 0);
    if (handle < 0 || connect(handle, (struct sockaddr *)&place, sizeof place) < 0)
        return errno;
    if (send(handle, question, sizeof question - 1, 0) < 0)
        return errno;
    struct pollfd wait = {handle, POLLIN, 0};
    if (poll(&wait, 1, 1000) == 0)
        return ETIMEDOUT;
    char answer[512];
    TRIED(recv(handle, answer, sizeof answer, 0));
}

static int local(const char *name, int abstract)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    if (length + 2 > sizeof place.sun_path)
        return ENAMETOOLONG;
    memcpy(place.sun_path + abstract, name, length + 1);
    return reach((struct sockaddr *)&place, offsetof(struct sockaddr_un, sun_path) + abstract + length + !abstract,
                 SOCK_STREAM);
}
static int path_name(char **a) { return local(a[0], 0); }
static int abstract_name(char **a) { return local(a[0], 1); }

const struct probe sockets[] = {
    {"socket", any}, {"connect", tcp}, {"dns", dns}, {"unix", path_name}, {"abstract", abstract_name}, {NULL, NULL},
};
