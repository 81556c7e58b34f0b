"""
Source of `_tags`, the compiled search for tags of some numbers in a block of lines.

The wheel's build hook compiles it where a compiler is there.  Without it `tscm.syslog.tagged` searches by
a regular expression and gives the same lines.
"""

DECLARATIONS = """
unsigned find_tagged(const char *data, size_t length, const unsigned *numbers, unsigned count,
                     unsigned *found, unsigned most, size_t *done);
"""

SOURCE = r"""
#define _GNU_SOURCE
#include <string.h>

#define CLASS 40                  /* longer than any class with its hyphens */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_class(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }

/* Behind a `%`: a product, whatever may stand before the severity, and one of the numbers.  More than a tag
   may pass, no tag may fail: who asks looks at the lines again. */
static int is_tag(const char *at, const char *end, const unsigned *numbers, unsigned count) {
    unsigned number = 0, low = 0, high = count;
    if (end - at < 12) return 0;
    if (at[0] == 'F' && at[1] == 'W') {
        if (memcmp(at, "FWSM-", 5)) return 0;
        at += 5;
    } else {
        if (memcmp(at, "ASA-", 4) && memcmp(at, "FTD-", 4) && memcmp(at, "PIX-", 4)) return 0;
        at += 4;
    }
    for (unsigned skipped = 0; skipped < CLASS && at < end && is_class(*at); skipped++) at++;
    if (end - at < 8 || !is_digit(at[0]) || at[1] != '-') return 0;
    for (unsigned i = 2; i < 8; i++) {
        if (!is_digit(at[i])) return 0;
        number = number * 10 + (at[i] - '0');
    }
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (numbers[middle] < number) low = middle + 1; else high = middle;
    }
    return low < count && numbers[low] == number;
}

/* Where lines with such a tag begin and end, pairs up to *most*; *done* is how far was looked.
   *numbers* ascend. */
unsigned find_tagged(const char *data, size_t length, const unsigned *numbers, unsigned count,
                     unsigned *found, unsigned most, size_t *done) {
    const char *end = data + length, *at = data, *floor = data, *percent;
    unsigned pairs = 0;
    while (pairs < most && at < end && (percent = memchr(at, '%', end - at))) {
        if (!is_tag(percent + 1, end, numbers, count)) { at = percent + 1; continue; }
        const char *before = memrchr(floor, '\n', percent - floor), *behind = memchr(percent, '\n', end - percent);
        found[2 * pairs] = (before ? before + 1 : floor) - data;
        floor = at = behind ? behind + 1 : end;
        found[2 * pairs + 1] = at - data;
        pairs++;
    }
    *done = pairs < most ? length : (size_t)(at - data);
    return pairs;
}
"""
