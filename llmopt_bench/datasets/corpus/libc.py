"""What the C library of the corpus's compiler has: what a package's ``configure`` would find out.

Answers come from the headers alone, so they are the same on every machine. A function counts as
there when a header declares it; that is what a compiler needs to know.
"""

from __future__ import annotations

import functools
import re

from llmopt_bench.datasets.corpus.hermetic import libc_folders

SIZES = {
    "CHAR": 1,
    "SIGNED_CHAR": 1,
    "UNSIGNED_CHAR": 1,
    "SHORT": 2,
    "SHORT_INT": 2,
    "UNSIGNED_SHORT": 2,
    "INT": 4,
    "UNSIGNED": 4,
    "UNSIGNED_INT": 4,
    "LONG": 8,
    "LONG_INT": 8,
    "UNSIGNED_LONG": 8,
    "LONG_LONG": 8,
    "LONG_LONG_INT": 8,
    "UNSIGNED_LONG_LONG": 8,
    "UNSIGNED_LONG_LONG_INT": 8,
    "FLOAT": 4,
    "DOUBLE": 8,
    "LONG_DOUBLE": 16,
    "VOID_P": 8,
    "VOIDP": 8,
    "CHAR_P": 8,
    "INT_P": 8,
    "UINTPTR_T": 8,
    "INTPTR_T": 8,
    "PTRDIFF_T": 8,
    "SIZE_T": 8,
    "SSIZE_T": 8,
    "OFF_T": 8,
    "TIME_T": 8,
    "WCHAR_T": 4,
    "WINT_T": 4,
    "PID_T": 4,
    "INTMAX_T": 8,
    "UINTMAX_T": 8,
    "INT8_T": 1,
    "INT16_T": 2,
    "INT32_T": 4,
    "INT64_T": 8,
    "UINT8_T": 1,
    "UINT16_T": 2,
    "UINT32_T": 4,
    "UINT64_T": 8,
    "STRUCT_TIMEVAL": 16,
    "STRUCT_TIMESPEC": 16,
}
"""Bytes of C types on x86-64 Linux, as ``SIZEOF_`` macros spell them."""

_FACTS = {
    "STDC_HEADERS": "1",
    "_GNU_SOURCE": "1",
    "_ALL_SOURCE": "1",
    "_POSIX_PTHREAD_SEMANTICS": "1",
    "_TANDEM_SOURCE": "1",
    "__EXTENSIONS__": "1",
    "TIME_WITH_SYS_TIME": "1",
    "HAVE_LONG_LONG": "1",
    "HAVE_LONG_LONG_INT": "1",
    "HAVE_UNSIGNED_LONG_LONG": "1",
    "HAVE_UNSIGNED_LONG_LONG_INT": "1",
    "HAVE_LONG_DOUBLE": "1",
    "HAVE__BOOL": "1",
    "HAVE_PTRDIFF_T": "1",
    "HAVE_INTPTR_T": "1",
    "HAVE_UINTPTR_T": "1",
    "HAVE_INTMAX_T": "1",
    "HAVE_UINTMAX_T": "1",
    "HAVE_INT64_T": "1",
    "HAVE_UINT64_T": "1",
    "HAVE_INT32_T": "1",
    "HAVE_UINT32_T": "1",
    "HAVE_UINT16_T": "1",
    "HAVE_INT16_T": "1",
    "HAVE_INT8_T": "1",
    "HAVE_UINT8_T": "1",
    "HAVE_U_INT": "1",
    "HAVE_MODE_T": "1",
    "HAVE_OFF_T": "1",
    "HAVE_SIZE_T": "1",
    "HAVE_SSIZE_T": "1",
    "HAVE_PID_T": "1",
    "HAVE_SOCKLEN_T": "1",
    "HAVE_SA_FAMILY_T": "1",
    "HAVE_SIG_ATOMIC_T": "1",
    "HAVE_WCHAR_T": "1",
    "HAVE_WINT_T": "1",
    "HAVE_LIBM": "1",
    "HAVE_LIBPTHREAD": "1",
    "HAVE_PTHREAD": "1",
    "HAVE_DLFCN": "1",
    "HAVE_LIBDL": "1",
    "HAVE_ALLOCA": "1",
    "HAVE_VA_COPY": "1",
    "HAVE_INLINE": "1",
    "HAVE_C_INLINE": "1",
    "HAVE_RESTRICT": "1",
    "HAVE_VARIADIC_MACROS": "1",
    "HAVE_C99_VLA": "1",
    "HAVE_FLEXIBLE_ARRAY_MEMBER": "1",
    "HAVE_STDBOOL": "1",
    "HAVE_STDINT": "1",
    "HAVE_GNUC": "1",
    "HAVE_VISIBILITY": "1",
    "HAVE___ATTRIBUTE__": "1",
    "HAVE_ATTRIBUTE": "1",
    "HAVE_BUILTIN_EXPECT": "1",
    "HAVE___BUILTIN_EXPECT": "1",
    "HAVE___BUILTIN_CLZ": "1",
    "HAVE___BUILTIN_CTZ": "1",
    "HAVE___BUILTIN_BSWAP16": "1",
    "HAVE___BUILTIN_BSWAP32": "1",
    "HAVE___BUILTIN_BSWAP64": "1",
    "HAVE___BUILTIN_POPCOUNT": "1",
    "HAVE___BUILTIN_UNREACHABLE": "1",
    "HAVE___INT128": "1",
    "HAVE_FSEEKO": "1",
    "HAVE_STRUCT_TIMESPEC": "1",
    "HAVE_STRUCT_TIMEVAL": "1",
    "HAVE_STRUCT_STAT_ST_BLKSIZE": "1",
    "HAVE_STRUCT_STAT_ST_BLOCKS": "1",
    "HAVE_STRUCT_STAT_ST_RDEV": "1",
    "HAVE_STRUCT_STAT_ST_MTIM": "1",
    "HAVE_STRUCT_STAT_ST_MTIM_TV_NSEC": "1",
    "HAVE_STRUCT_TM_TM_ZONE": "1",
    "HAVE_STRUCT_TM_TM_GMTOFF": "1",
    "HAVE_TM_ZONE": "1",
    "HAVE_TM_GMTOFF": "1",
    "HAVE_STRUCT_ADDRINFO": "1",
    "HAVE_STRUCT_SOCKADDR_STORAGE": "1",
    "HAVE_STRUCT_SOCKADDR_IN6": "1",
    "HAVE_STRUCT_IN6_ADDR": "1",
    "HAVE_STRUCT_DIRENT_D_TYPE": "1",
    "HAVE_DIRENT_D_TYPE": "1",
    "HAVE_MBSTATE_T": "1",
    "HAVE_LANGINFO_CODESET": "1",
    "HAVE_LC_MESSAGES": "1",
    "HAVE_NL_LANGINFO": "1",
    "CPU_IS_LITTLE_ENDIAN": "1",
    "CPU_IS_BIG_ENDIAN": "0",
    "RETSIGTYPE": "void",
    "LT_OBJDIR": '".libs/"',
}
"""Further answers of ``configure`` on x86-64 Linux with glibc."""


@functools.cache
def headers() -> frozenset[str]:
    """Return the paths of all headers, as they are included."""
    return frozenset(
        file.relative_to(folder).as_posix()
        for folder in libc_folders()
        for file in folder.rglob("*.h")
    )


@functools.cache
def declared() -> frozenset[str]:
    """Return every identifier that a header follows with a parenthesis: functions and macros."""
    return _identifiers(r"\b([A-Za-z_]\w+)\s*\(")


@functools.cache
def mentioned() -> frozenset[str]:
    """Return every identifier in the headers."""
    return _identifiers(r"\b([A-Za-z_]\w+)\b")


def answer(macro: str) -> str | None:
    """Return the value that ``configure`` would give a macro of ``config.h``.

    Returns:
        The text after ``#define <macro>``, or None to leave it undefined. ``HAVE_DECL_`` macros
        are 0 rather than undefined, as Autoconf has it.
    """
    if macro in _FACTS:
        return _FACTS[macro]
    if macro.startswith("SIZEOF_"):
        size = SIZES.get(macro.removeprefix("SIZEOF_"))
        return str(size) if size is not None else None
    if macro.startswith("HAVE_DECL_"):
        name = macro.removeprefix("HAVE_DECL_")
        return "1" if name in mentioned() or name.lower() in declared() else "0"
    if macro.startswith("HAVE_"):
        return "1" if _have(macro.removeprefix("HAVE_")) else None
    return None


def _have(what: str) -> bool:
    if what.endswith("_H"):
        return what in _header_macros()
    name = what.lower()
    return name in declared() or (name.startswith("working_") and name[8:] in declared())


@functools.cache
def _header_macros() -> frozenset[str]:
    """Return the headers as macros spell them: ``sys/stat.h`` is ``SYS_STAT_H``."""
    return frozenset(re.sub(r"\W", "_", header).upper() for header in (*headers(), *_COMPILERS))


_COMPILERS = (
    *("stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h", "float.h", "iso646.h"),
    *("stdalign.h", "stdatomic.h", "stdnoreturn.h", "cpuid.h", "x86intrin.h", "immintrin.h"),
    *("emmintrin.h", "xmmintrin.h", "mmintrin.h", "tgmath.h", "inttypes.h"),
)
"""Headers that come with clang and not with the C library."""


def _identifiers(pattern: str) -> frozenset[str]:
    expression = re.compile(pattern)
    found: set[str] = set()
    for folder in libc_folders()[:2]:
        for file in folder.rglob("*.h"):
            found.update(expression.findall(file.read_text("utf-8", errors="replace")))
    return frozenset(found)
