"""The table of programs that run the command which follows their options: `env`, `timeout`, `sudo` …

The words of each are listed by its manual: GNU coreutils 9.7, findutils 4.10, util-linux 2.41, sudo 1.9, doas 6.8,
procps 4.0. An option that is not listed makes the call uncertain.
"""

from __future__ import annotations

from typing import Final

from wirken.permissions.programs.opening import Wrapper
from wirken.permissions.programs.options import Known


def _known(
    flags: str = "", takes: str = "", long: str = "", long_takes: str = "", maybe: str = "", last: str = ""
) -> Known:
    common = frozenset({"help", "version"})
    return Known(
        flags, takes, maybe, common.union(long.split()), frozenset(long_takes.split()), frozenset(last.split())
    )


_DIGITS: Final = "0123456789"

WRAPPERS: Final[dict[str, Wrapper]] = {
    "env": Wrapper(
        _known(
            "i0v",
            "uCSa",
            "ignore-environment null debug list-signal-handling block-signal default-signal ignore-signal",
            "unset chdir split-string argv0",
            last="S split-string",
        ),
        assigns=True,
    ),
    "nohup": Wrapper(_known()),
    "nice": Wrapper(_known(_DIGITS, "n", "", "adjustment")),
    "ionice": Wrapper(_known("t", "cnpPu", "ignore", "class classdata pid pgid uid")),
    "timeout": Wrapper(_known("vfp", "ks", "foreground preserve-status verbose", "kill-after signal"), operands=1),
    "time": Wrapper(_known("pavqV", "fo", "append verbose quiet portability", "format output")),
    "setsid": Wrapper(_known("cfwVh", "", "ctty fork wait")),
    "stdbuf": Wrapper(_known("", "ioe", "", "input output error")),
    "builtin": Wrapper(_known()),
    "chroot": Wrapper(_known("", "", "skip-chdir", "userspec groups"), operands=1, alone="shell", elsewhere=True),
    "unshare": Wrapper(
        _known(
            "rcfh",
            "RwSGl",
            "fork map-root-user map-current-user map-auto keep-caps mount uts ipc net pid user cgroup time mount-proc "
            "mount-binfmt kill-child forward-signals",
            "propagation setgroups root wd setuid setgid monotonic boottime map-user map-group map-users map-groups "
            "load-interp",
            "muinpUCT",
        ),
        alone="shell",
        elsewhere=True,
    ),
    "nsenter": Wrapper(
        _known(
            "aFZceh",
            "tSGN",
            "all mount uts ipc net pid user cgroup time root wd no-fork follow-context join-cgroup env keep-caps "
            "preserve-credentials user-parent",
            "target setuid setgid wdns net-socket",
            "muinpUCTrwW",
        ),
        alone="shell",
        elsewhere=True,
    ),
    "sudo": Wrapper(
        _known(
            "AbBEeHhiKklnNPSsVv",
            "aCcDghpRrTtUu",
            "askpass background bell preserve-env edit set-home login remove-timestamp reset-timestamp list "
            "non-interactive no-update preserve-groups stdin shell validate",
            "auth-type close-from chdir group host prompt chroot role command-timeout type other-user user",
        ),
        assigns=True,
    ),
    "doas": Wrapper(_known("Lns", "aCu")),
    "setpriv": Wrapper(
        _known(
            "dh",
            "",
            "dump nnp no-new-privs clear-groups keep-groups init-groups list-caps reset-env",
            "groups inh-caps ambient-caps bounding-set ruid euid rgid egid reuid regid securebits pdeathsig ptracer "
            "selinux-label apparmor-profile landlock-access landlock-rule seccomp-filter",
        )
    ),
    "chrt": Wrapper(
        _known(
            "bdfiorReamvp",
            "TPD",
            "batch deadline fifo idle other rr ext reset-on-fork all-tasks max verbose pid",
            "sched-runtime sched-period sched-deadline",
        ),
        operands=1,
    ),
    "taskset": Wrapper(_known("acp", "", "all-tasks cpu-list pid"), operands=1),
}

XARGS: Final = _known(
    "0rtpxo",
    "adEILnPs",
    "null interactive no-run-if-empty verbose exit open-tty show-limits eof replace max-lines",
    "arg-file delimiter max-args max-procs max-chars process-slot-var",
    "eil",
)

WATCH: Final = _known(
    "bcCdefghprtwx",
    "nqs",
    "beep color no-color differences errexit chgexit follow precise no-rerun no-title no-wrap exec",
    "interval equexit shotsdir",
)

FLOCK: Final = _known(
    "sexnuoFv",
    "wE",
    "shared exclusive unlock nonblock nb close no-fork verbose fcntl",
    "timeout wait conflict-exit-code",
)

PARALLEL: Final = _known(
    "k0XmuqtgD",
    "jnNP",
    "keep-order null xargs group ungroup bar progress eta will-cite citation dry-run line-buffer lb verbose tag",
    "jobs max-args max-replace-args delay retries timeout halt max-procs",
)
