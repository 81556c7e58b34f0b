"""
Source of `_tags`, the compiled search for tags of some numbers in a block of lines.

The wheel's build hook compiles it where a compiler is there.  Without it `tscm.syslog.tagged` searches by
a regular expression and gives the same lines.
"""

DECLARATIONS = """
unsigned find_tagged(const char *data, size_t length, const unsigned *numbers, const unsigned *sets, unsigned count,
                     unsigned *found, unsigned most, size_t *done);
"""

SOURCE = r"""
#define _GNU_SOURCE
#include <string.h>

#define CLASS 31                  /* the longest class, without its hyphen */

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/* Behind a `%`: which sets the number of a tag is of (tscm.syslog.asa_tag); 0 where no tag stands there, or none of
   the numbers. */
static unsigned sets_of(const char *at, const char *end, const unsigned *numbers, const unsigned *sets, unsigned count) {
    unsigned number = 0, low = 0, high = count;
    if (end - at < 12) return 0;
    if (at[0] == 'F' && at[1] == 'W') {
        if (memcmp(at, "FWSM-", 5)) return 0;
        at += 5;
    } else {
        if (memcmp(at, "ASA-", 4) && memcmp(at, "FTD-", 4) && memcmp(at, "PIX-", 4)) return 0;
        at += 4;
    }
    if (*at == '-') at++;
    if (is_letter(*at)) {
        const char *class = at;
        while (at < end && at - class <= CLASS && (is_letter(*at) || *at == '-' || *at == '_')) at++;
        if (at[-1] != '-') return 0;
    }
    if (end - at < 8 || at[0] < '0' || at[0] > '7' || at[1] != '-') return 0;
    for (unsigned i = 2; i < 8; i++) {
        if (!is_digit(at[i])) return 0;
        number = number * 10 + (at[i] - '0');
    }
    if (end - at > 8 && is_digit(at[8])) return 0;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (numbers[middle] < number) low = middle + 1; else high = middle;
    }
    return low < count && numbers[low] == number ? sets[low] : 0;
}

/* Where lines with such a tag begin and end, and the sets of all tags in them: threes up to *most*; *done* is how far
   was looked.  *numbers* ascend; *sets* has a bit for each set that the number beside it is of. */
unsigned find_tagged(const char *data, size_t length, const unsigned *numbers, const unsigned *sets, unsigned count,
                     unsigned *found, unsigned most, size_t *done) {
    const char *end = data + length, *at = data, *floor = data, *percent;
    unsigned threes = 0, all = 0;
    for (unsigned i = 0; i < count; i++) all |= sets[i];
    while (threes < most && at < end && (percent = memchr(at, '%', end - at))) {
        unsigned known = sets_of(percent + 1, end, numbers, sets, count);
        at = percent + 1;
        if (!known) continue;
        const char *before = memrchr(floor, '\n', percent - floor), *behind = memchr(percent, '\n', end - percent);
        const char *stop = behind ? behind + 1 : end;
        for (; known != all && (percent = memchr(at, '%', stop - at)); at = percent + 1)
            known |= sets_of(percent + 1, end, numbers, sets, count);
        found[3 * threes] = (before ? before + 1 : floor) - data;
        found[3 * threes + 1] = stop - data;
        found[3 * threes + 2] = known;
        floor = at = stop;
        threes++;
    }
    *done = threes < most ? length : (size_t)(at - data);
    return threes;
}
"""
