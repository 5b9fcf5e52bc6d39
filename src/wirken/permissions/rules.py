"""The tables that decisions are made from: which verbs and variables count as what."""

from __future__ import annotations

from typing import Final

HIGH_RISK: Final = frozenset("curl wget ssh scp sftp sudo su doas kubectl helm docker podman nc ncat socat git".split())
"""The sixteen command prefixes that are Tier 3 whatever follows them."""

DESTRUCTIVE: Final = frozenset(
    (
        "rm rmdir shred srm truncate dd wipefs mkfs mke2fs mkswap fdisk sfdisk gdisk parted blkdiscard install kill "
        "killall pkill unlink chattr setfacl mount umount swapoff fuser reboot shutdown halt poweroff crontab at "
        "userdel groupdel passwd"
    ).split()
)
"""Verbs that remove, overwrite or take away access; `mkfs.*` counts as `mkfs`. chmod, chown, chgrp, mv, find and
tee are judged by their arguments (`conditions`)."""

SCHEDULES: Final = frozenset("at batch crontab".split())
"""Of these and the next, verbs that have something run later, when nobody is there to be asked."""

OPAQUE: Final = frozenset(
    (
        "fish csh tcsh pwsh nu elvish xonsh expect tmux screen batch alias jobs bind compgen complete enable mapfile "
        "readarray fc shopt hash ld.so pkexec su-exec gosu run0 sg runcon chpst setarch linux32 linux64 prlimit choom "
        "fakeroot proot bwrap firejail start-stop-daemon valgrind perf hyperfine entr unbuffer rlwrap "
        "dbus-run-session dbus-launch xvfb-run run-parts sem chronic ifne capsh dumb-init tini flatpak proxychains "
        "proxychains4 torsocks systemd-run cpulimit numactl schedtool gpg-agent coreutils noglob nocorrect repeat nix "
        "nix-shell guix lxc-execute machinectl catchsegv eatmydata faketime distrobox toolbox i386 i486 i586 i686 "
        "x86_64 uname26 ppc ppc32 ppc64 s390 s390x sparc sparc64 mips mips64 aarch64 arm64 uclampset coresched "
        "systemd systemctl service busctl s6 lxc aa cgexec openvt cttyhack logsave multitime pexec setlock softlimit "
        "envdir envuidgid setuidgid tcpserver tcpsvd udpsvd runsv runsvdir sv svlogd execlineb hush sash lash msh rc "
        "es scsh osh ysh ion murex nsh slsh rush strace ltrace bpftrace stap gcore scanmem ksu su-rs sux newgrp login "
        "userv xdg dbus torify tsocks watchexec inotifywait nodemon runscript minicom gtester grc msgfilter msgexec "
        "pidstat nerdctl buildah crictl ctr runc crun dtach switch_root pivot_root inetd crond cron anacron sshpass "
        "autossh mosh direnv mise asdf daemonize supervise startx xinit xterm ttyd run-mailcap sensible-editor "
        "sensible-pager sensible-browser select-editor vipw vigr"
    ).split()
)
"""Verbs that run another program in ways that are not read here: Tier 3, not certain."""

INTERPRETERS: Final = frozenset(
    (
        "python pypy ipython perl ruby irb node nodejs deno bun php lua luajit tclsh wish awk gawk mawk nawk sed ed ex "
        "vi vim nvim view rvim vimdiff emacs nano pico joe micro make gmake cmake ctest ninja meson scons bazel gcc cc "
        "g++ c++ clang rustc cargo go java javac jshell scala kotlin groovy gdb lldb less more most man "
        "npm npx pnpm yarn corepack pip pip3 pipx uv uvx poetry pdm hatch tox nox pytest conda gem bundle rake "
        "composer mvn gradle gradlew ant sbt just task invoke fab ansible ansible-playbook terraform sqlite3 psql "
        "mysql mariadb mongosh redis-cli jq yq m4 bc dc gnuplot octave r rscript julia ghc runghc stack cabal "
        "ocaml sbcl guile racket erl elixir iex mix swift dotnet mono tsc tsx ts-node esbuild vite webpack jest "
        "mocha eslint prettier cpan cpanm pre-commit rpm dpkg apt apt-get dnf yum apk pacman snap brew ffmpeg "
        "ghci convert magick gs pdflatex latex tex xelatex lualatex latexmk pandoc sphinx-build logrotate rsync ftp "
        "telnet mail sendmail crash split"
    ).split()
)
"""Verbs that can run any code given to them, or other programs. Tier 2 while the sandbox reaches nothing but the
workspace; the question says that the yes covers any code in that sandbox."""

READS_CODE: Final = frozenset(
    (
        "python pypy ipython perl ruby irb node nodejs deno bun php lua luajit tclsh wish ed ex vi vim nvim emacs m4 "
        "bc dc gdb lldb psql mysql mariadb mongosh sqlite3 redis-cli gnuplot octave r rscript julia ghci guile racket "
        "sbcl ocaml erl iex elixir jshell scala groovy make gmake ftp telnet"
    ).split()
)
"""Interpreters that take what they run from their input: behind a pipe, nobody can tell what that is."""

EXEC_OPTIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "tar": (
        "IFx",
        (
            *(
                "extract",
                "get",
                "to-command",
                "checkpoint-action",
                "use-compress-program",
                "rsh-command",
                "info-script",
            ),
            *("new-volume-script", "rmt-command"),
        ),
    ),
    "sort": ("", ("compress-program",)),
    "zip": ("TU", ("unzip-command",)),
    "rg": ("", ("pre", "hostname-bin", "search-zip")),
    "fd": ("xX", ("exec", "exec-batch")),
    "fdfind": ("xX", ("exec", "exec-batch")),
    "diff": ("l", ("paginate",)),
    "diff3": ("", ("diff-program",)),
}
"""Options, short letters and long names, with which these verbs run other programs, or unpack files under names that
nobody sees; only then they are interpreters, and have a key of their own (`keys.any_code`)."""

TAME: Final = EXEC_OPTIONS.keys() | frozenset(
    (
        "arch b2sum base32 base64 basename basenc cat chgrp chmod chown cksum comm cp cut date df dir dircolors "
        "dirname du echo expand expr factor false fmt fold groups head hostid id join link ln logname ls md5sum mkdir "
        "mkfifo mknod mktemp mv nl nproc numfmt od paste pathchk pinky pr printenv printf pwd readlink realpath seq "
        "sha1sum sha224sum sha256sum sha384sum sha512sum sleep sort stat stty sum sync tac tail tee test [ touch tr "
        "true tsort tty uname unexpand uniq users vdir wc who whoami yes grep egrep fgrep rgrep diff cmp file strings "
        "column col colrm hexdump hd look rev ul tree which whereis cal ncal locale getopt clear hostname ps pgrep "
        "pidof free uptime vmstat lscpu lsblk w last : break continue return exit shift export readonly local "
        "declare typeset unset read getopts umask ulimit wait times type cd chdir pushd popd dirs let logout "
        "caller help bg fg disown"
    ).split()
)
"""Programs, and verbs of the shell itself, that run no other program, load no code and write only under names that
they are given, but with their EXEC_OPTIONS. A verb that no table holds counts as one that may run any code."""

SHELLS: Final = frozenset("sh bash dash ash zsh ksh ksh93 mksh pdksh yash rbash posh".split())
"""Shells whose `-c` text is read as the text of a command."""

ONLY_READS: Final = frozenset(
    (
        "ls cat head tail grep egrep fgrep diff cmp stat file wc readlink realpath find echo printf true false : "
        "test [ basename dirname cut tr nl od md5sum sha1sum sha256sum sha512sum b2sum cksum pwd which type du df "
        "id whoami date uname hostname expr seq sleep comm tac rev fold strings exit return shift"
    ).split()
)
"""Verbs that write no file that they are given; naming a file that steers is no writing of it."""

TALKS: Final = frozenset(
    "echo printf true false : seq sleep expr basename dirname tr exit return shift kill wait which type umask".split()
)
"""Verbs that open no file named in their arguments, so that a path there is only text."""

TAKES_PATTERN: Final = frozenset("grep egrep fgrep zgrep rg ag ack sed gsed awk gawk mawk nawk jq yq perl".split())
"""Verbs whose first operand is a program or a pattern, which may look like a path."""

NAMING: Final = frozenset("read export readonly local declare typeset unset getopts let".split())
"""Verbs of the shell itself whose operands are names of variables."""

LOOKUP: Final = frozenset(
    (
        "PATH BASH_ENV ENV IFS CDPATH HOME SHELL SHELLOPTS BASHOPTS PS0 PS1 PS2 PS3 PS4 PROMPT_COMMAND GLOBIGNORE "
        "SIMPLE_BACKUP_SUFFIX TAPE ZIPOPT PARALLEL SYSTEMD_EDITOR SYSTEMD_PAGER RIPGREP_CONFIG_PATH "
        "EXECIGNORE FIGNORE FPATH ZDOTDIR POSIXLY_CORRECT OLDPWD PWD EDITOR VISUAL FCEDIT PAGER MANPAGER BROWSER "
        "LESS LESSOPEN LESSCLOSE LESSKEY MORE NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE PERL5LIB PERL5OPT "
        "PERL5DB PERLLIB RUBYOPT RUBYLIB LUA_PATH LUA_CPATH LUA_INIT CLASSPATH JAVA_TOOL_OPTIONS _JAVA_OPTIONS "
        "JDK_JAVA_OPTIONS JAVA_HOME MAVEN_OPTS MAVEN_ARGS GRADLE_OPTS SBT_OPTS AWKPATH AWKLIBPATH TAR_OPTIONS "
        "RSYNC_RSH CVS_RSH GOFLAGS GOPATH GOROOT RUSTC RUSTC_WRAPPER RUSTFLAGS CC CXX CPP AR LD AS NM MAKE MAKEFLAGS "
        "GNUMAKEFLAGS MAKEFILES CFLAGS CXXFLAGS CPPFLAGS LDFLAGS GCC_EXEC_PREFIX COMPILER_PATH LIBRARY_PATH CPATH "
        "C_INCLUDE_PATH INPUTRC TERMINFO TERMINFO_DIRS TERMCAP LOCPATH NLSPATH GCONV_PATH HOSTALIASES RES_OPTIONS "
        "LOCALDOMAIN PHPRC PHP_INI_SCAN_DIR R_HOME R_PROFILE R_PROFILE_USER R_ENVIRON GEM_PATH GEM_HOME "
        "BUNDLE_GEMFILE VIMINIT EXINIT MYVIMRC VIMRUNTIME EMACSLOADPATH PYTEST_PLUGINS PYTEST_ADDOPTS WGETRC "
        "CURL_HOME SQLITE_HISTORY PSQLRC MYSQL_HOME OPENSSL_CONF OPENSSL_ENGINES OPENSSL_MODULES MALLOC_TRACE "
        "TCLLIBPATH GUILE_LOAD_PATH JULIA_LOAD_PATH ERL_LIBS ERL_FLAGS FZF_DEFAULT_COMMAND SUDO_ASKPASS SUDO_EDITOR "
        "ANT_OPTS ANT_ARGS"
    ).split()
)
"""Variables, in capitals, that change how commands are found, loaded or read."""

LOOKUP_PREFIXES: Final = (
    *("LD_", "DYLD_", "GIT_", "PYTHON", "BASH_FUNC_", "SSH_", "NPM_CONFIG_", "PIP_", "UV_", "CARGO_", "GLIBC_"),
    *("MALLOC_", "XDG_", "DOTNET_", "CORECLR_", "COR_", "ANSIBLE_", "TF_", "DOCKER_", "KUBE", "DBUS_", "GTK_"),
    *("QT_", "MAGICK_", "GS_", "PERF_", "CCACHE_", "DISTCC_", "ELECTRON_", "DENO_", "BUN_", "PNPM_", "YARN_"),
)

WARY: Final = HIGH_RISK | DESTRUCTIVE | OPAQUE | INTERPRETERS | SHELLS
"""Names that raise what is asked."""

KNOWN: Final = WARY | TAME
