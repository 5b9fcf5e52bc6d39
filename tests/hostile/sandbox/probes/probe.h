/* Hostile probes: each tries one thing and says in one line how it went. Compiled statically, so that they run in
 * any sandbox, whatever its image holds.
 *
 * A probe returns 0 if it worked, or an errno. It may instead print its own word with `said` and return SAID.
 */
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SAID (-1)
#define TRIED(call) return (call) < 0 ? errno : 0

struct probe {
    const char *name;
    int (*run)(char **arguments);
};

/* Print the answer, "= " and a word. */
int said(const char *format, ...);

extern const struct probe files[], kernel[], leaks[], processes[], resources[], sockets[];

#endif
