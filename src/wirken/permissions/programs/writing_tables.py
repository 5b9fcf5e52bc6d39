"""The options of the verbs that write (GNU coreutils 9, tar 1.35, sed 4.9, patch 2.7, gzip 1.13; Info-ZIP; rsync 3.2).

An option that is missing here makes it uncertain what is written, so what may overwrite or place files in further ways
is left out on purpose.
"""

from __future__ import annotations

from typing import Final

from wirken.permissions.programs.options import Known


def _known(flags: str, takes: str = "", long: str = "", long_takes: str = "", maybe: str = "") -> Known:
    return Known(flags, takes, maybe, frozenset(long.split()), frozenset(long_takes.split()))


TOUCH: Final = _known("acfhm", "drt", "no-create no-dereference", "date reference time")
TRUNCATE: Final = _known("co", "rs", "no-create io-blocks", "reference size")
TEE: Final = _known("aip", "", "append ignore-interrupts output-error")
SHRED: Final = _known("fuvxz", "ns", "force verbose exact zero remove", "iterations random-source size")
MODE: Final = "rwxXstugo"
"""Letters of a mode that takes away, such as `-x`."""
CHMOD: Final = _known(
    f"cfvR{MODE}", "", "changes silent quiet verbose recursive preserve-root no-preserve-root", "reference"
)
CHOWN: Final = _known(
    "cfvRhHLP",
    "",
    "changes silent quiet verbose recursive preserve-root no-preserve-root dereference no-dereference",
    "from reference",
)
SORT: Final = _known(
    "bdfghiMnRrVcCmsuz",
    "kotST",
    "ignore-leading-blanks dictionary-order ignore-case general-numeric-sort ignore-nonprinting month-sort "
    "human-numeric-sort numeric-sort random-sort reverse version-sort check merge stable unique zero-terminated debug",
    "key output field-separator buffer-size temporary-directory batch-size parallel sort random-source files0-from",
)
UNIQ: Final = _known(
    "cdDuiz",
    "fsw",
    "count repeated all-repeated group ignore-case unique zero-terminated",
    "skip-fields skip-chars check-chars",
)
MKDIR: Final = _known("pv", "m", "parents verbose", "mode")
RMDIR: Final = _known("v", "", "verbose ignore-fail-on-non-empty")
RM: Final = _known(
    "firIRdv", "", "force recursive dir verbose one-file-system preserve-root no-preserve-root interactive"
)
MKNOD: Final = _known("", "m", "", "mode")
NO_OPTIONS: Final = _known("")
LN: Final = _known(
    "bdfFiLnPrsTv",
    "tS",
    "symbolic force interactive logical physical relative no-dereference no-target-directory verbose backup directory",
    "target-directory suffix",
)
MV: Final = _known(
    "bfinTuvZ",
    "tS",
    "force interactive no-clobber no-target-directory update verbose backup strip-trailing-slashes exchange no-copy "
    "debug",
    "target-directory suffix",
)
CP: Final = _known(
    "abdfHilLnPpRrsTuvx",
    "tS",
    "archive attributes-only backup copy-contents debug dereference force interactive link no-clobber no-dereference "
    "no-target-directory one-file-system parents preserve recursive reflink remove-destination sparse "
    "strip-trailing-slashes symbolic-link update verbose",
    "target-directory suffix no-preserve",
)
INSTALL: Final = _known(
    "bcCdDpsTv",
    "gmotS",
    "backup compare directory no-target-directory preserve-timestamps strip verbose debug",
    "group mode owner target-directory suffix strip-program",
)
SED: Final = _known(
    "bnErsuz",
    "efl",
    "quiet silent regexp-extended separate unbuffered null-data zero-terminated follow-symlinks debug posix sandbox "
    "binary in-place",
    "expression file line-length",
    maybe="i",
)
PATCH: Final = _known(
    "bcefElnNRstTuvZ",
    "BdDFgioprVxYz",
    "backup batch binary context dry-run ed force forward ignore-whitespace normal posix quiet silent "
    "remove-empty-files reverse set-time set-utc unified verbose version merge",
    "basename-prefix directory fuzz get ifdef input output prefix quoting-style read-only reject-file reject-format "
    "strip suffix version-control",
)
TAR: Final = _known(
    "xctruAdvzjJZpPkmohSwBGOaWilnRsU",
    "fCTXbKLNVHIgF",
    "extract get create list append update concatenate catenate delete diff compare verbose gzip bzip2 xz lzma zstd "
    "lzip lzop compress auto-compress no-auto-compress gunzip ungzip uncompress keep-old-files keep-newer-files "
    "skip-old-files overwrite overwrite-dir no-overwrite-dir no-same-owner same-owner no-same-permissions "
    "preserve-permissions same-permissions numeric-owner touch sparse dereference hard-dereference to-stdout verify "
    "wildcards no-wildcards anchored no-anchored no-recursion recursion one-file-system totals ignore-zeros null "
    "exclude-vcs exclude-vcs-ignores exclude-backups no-selinux selinux no-acls acls no-xattrs xattrs",
    "file directory files-from exclude exclude-from strip-components transform xform mode owner group mtime sort "
    "format use-compress-program newer label warning level starting-file",
)
TAR_TAKES: Final = "fCTXbKLNVHIgF"
UNZIP: Final = _known("fjlnopqtuvzaCDKLMUVWX:", "d")
ZIP: Final = _known("0123456789AcDdeEfFgjJklLoqrRSuvVwXyz", "bnPt", "recurse-paths quiet junk-paths symlinks")
GZIP: Final = _known(
    "0123456789acdfklLnNqrtvz",
    "S",
    "ascii stdout to-stdout decompress uncompress force keep list no-name name quiet recursive rsyncable test verbose "
    "fast best synchronous",
    "suffix",
)
XZ: Final = _known(
    "0123456789cdefklqtvzQ",
    "FSTM",
    "stdout to-stdout decompress uncompress compress force keep list quiet test verbose extreme no-warn",
    "format suffix threads memlimit check",
)
RSYNC: Final = _known(
    "avrlptgoDHAXSuzcnhPiIxWEdCJkKLRbyOqm0",
    "BfT",
    "archive verbose recursive links perms times group owner devices specials hard-links acls xattrs sparse update "
    "compress checksum dry-run human-readable progress partial itemize-changes ignore-times one-file-system whole-file "
    "executability dirs cvs-exclude omit-dir-times copy-links copy-dirlinks keep-dirlinks relative quiet stats "
    "prune-empty-dirs existing ignore-existing inplace append append-verify delete delete-before delete-during "
    "delete-delay delete-after delete-excluded force size-only fuzzy numeric-ids mkpath no-perms no-owner no-group "
    "no-times info",
    "exclude include exclude-from include-from filter max-size min-size modify-window bwlimit chmod timeout block-size",
)

GIT_WRITES: Final = frozenset(
    (
        "add am apply bisect branch checkout cherry-pick clean commit fetch gc init merge mv notes pull push rebase "
        "remote reset restore revert rm sparse-checkout stash submodule switch tag worktree config update-index"
    ).split()
)
"""Subcommands of git that change the repository or the files in it."""
