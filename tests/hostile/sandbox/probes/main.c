/* hostile-probe NAME [ARGUMENT...]: run one probe, print "= worked", "= ERRNO" or "= WORD". */
#include "probe.h"
#include <stdarg.h>

static const struct probe *const tables[] = {files, kernel, leaks, processes, resources, sockets};

int said(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("= ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(stdout);
    return SAID;
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t table = 0; count > 1 && table < sizeof tables / sizeof *tables; table++)
        for (const struct probe *one = tables[table]; one->name; one++) {
            if (strcmp(one->name, words[1]))
                continue;
            int code = one->run(words + 2);
            if (code == 0)
                said("worked");
            else if (code != SAID)
                said("%s", strerrorname_np(code) ? strerrorname_np(code) : "unknown");
            return 0;
        }
    fprintf(stderr, "no such probe\n");
    return 64;
}
