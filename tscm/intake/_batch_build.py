"""
Source of `_batch`, the compiled helper of the UDP listener and of the line scan.

The wheel's build hook compiles it where a compiler is there.  Without it `tscm.intake` works
through numpy or plain Python and gives the same results.
"""

DECLARATIONS = """
struct group { unsigned char key[16]; unsigned key_length; char *data; size_t length, capacity;
               unsigned lines, escaped, bucket; };
struct batch { struct group *groups; unsigned group_count, empty, cut, lost; int error;
               size_t bytes; ...; };
struct batch *batch_new(size_t max_message, unsigned max_groups);
void batch_free(struct batch *);
unsigned batch_drain(struct batch *, int fd, unsigned max_messages, size_t max_bytes, long max_ns);
void batch_release(struct batch *);
size_t batch_kept(struct batch *);
unsigned scan_lines(const char *data, size_t length, size_t *longest, int *odd);
"""

SOURCE = r"""
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define SLOTS 32                  /* datagrams a system call: 2 MB at most, whatever came before */
#define SLOT 512                  /* their first bytes lie close together */
#define REST (65536 - SLOT)       /* the rest of a long one; untouched pages cost nothing */
#define BUCKETS 32768             /* a multiple of the senders of a batch */
#define FAR ((size_t)SLOTS * REST)
#define KEEP (8 << 20)            /* buffers of all groups together, from one drain to the next */
#define KEEP_FAR (1 << 20)        /* likewise of the rests of long datagrams */
#define CALL_BYTES (1 << 18)      /* a system call is to bring no more, by the sizes of the last */
#define FEW 8
#define SENDER_NS 4000L           /* what the caller needs for a sender's chunk, and its write */
#define OCTET_NS 1L               /* likewise for each octet of it */

struct group { unsigned char key[16]; unsigned key_length; char *data; size_t length, capacity;
               unsigned lines, escaped, bucket; };
struct batch {
    struct group *groups; unsigned group_count, empty, cut, lost; int error; size_t bytes;
    size_t max_message;
    unsigned short buckets[BUCKETS];
    struct mmsghdr heads[SLOTS]; struct iovec parts[SLOTS][2];
    struct sockaddr_in6 names[SLOTS];
    char *near, *far, *whole;
    unsigned max_groups;
    size_t held;                  /* octets that the buffers of all groups have */
    size_t far_used;
};

void batch_free(struct batch *b) {
    if (!b) return;
    for (unsigned g = 0; b->groups && g < b->max_groups; g++) free(b->groups[g].data);
    free(b->groups); free(b->near); free(b->whole);
    if (b->far) munmap(b->far, FAR);
    free(b);
}

struct batch *batch_new(size_t max_message, unsigned max_groups) {
    struct batch *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->max_message = max_message;
    b->max_groups = max_groups < BUCKETS / 2 ? max_groups : BUCKETS / 2;
    b->groups = calloc(b->max_groups, sizeof *b->groups);
    b->near = malloc(SLOTS * SLOT); b->whole = malloc(65536);
    b->far = mmap(NULL, FAR, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->far == MAP_FAILED) b->far = NULL;
    if (!b->groups || !b->near || !b->far || !b->whole) { batch_free(b); return NULL; }
    for (unsigned i = 0; i < SLOTS; i++) {
        b->parts[i][0] = (struct iovec){b->near + i * SLOT, SLOT};
        b->parts[i][1] = (struct iovec){b->far + (size_t)i * REST, REST};
        b->heads[i].msg_hdr.msg_iov = b->parts[i]; b->heads[i].msg_hdr.msg_iovlen = 2;
        b->heads[i].msg_hdr.msg_name = &b->names[i];
    }
    return b;
}

static struct group *group_of(struct batch *b, struct sockaddr_in6 *name) {
    unsigned v6 = name->sin6_family == AF_INET6, length = v6 ? 16 : 4, hash = 2166136261u;
    unsigned char *key = v6 ? (unsigned char *)&name->sin6_addr
                            : (unsigned char *)&((struct sockaddr_in *)name)->sin_addr;
    for (unsigned i = 0; i < length; i++) hash = (hash ^ key[i]) * 16777619u;
    for (unsigned at = (hash ^ hash >> 15) % BUCKETS;; at = (at + 1) % BUCKETS) {
        struct group *g;
        if (b->buckets[at]) {
            g = &b->groups[b->buckets[at] - 1];
            if (g->key_length == length && !memcmp(g->key, key, length)) return g;
            continue;
        }
        g = &b->groups[b->group_count++];
        b->buckets[at] = b->group_count;
        g->bucket = at;
        memcpy(g->key, key, length); g->key_length = length;
        return g;
    }
}

static int is_trailer(char c) { return c == '\n' || c == '\r' || c == 0; }

/* By octet, the letter that stands for it behind DLE; 0 where it stands for itself (tscm.syslog.escape). */
static const char LETTERS[256] = {['\n'] = 'n', ['\r'] = 'r', [0] = '0', [16] = 'p'};

static char *put_escaped(char *to, const char *from, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char letter = LETTERS[(unsigned char)from[i]];
        *to = 16;
        to += letter != 0;
        *to++ = letter ? letter : from[i];
    }
    return to;
}

static int add(struct batch *b, struct group *g, const char *data, size_t length) {
    unsigned char odd = 0;
    size_t wanted = length + 1;
    for (size_t i = 0; i < length; i++)           /* no branch: the compiler makes vectors of it */
        odd |= (data[i] == '\n') | (data[i] == '\r') | (data[i] == 0) | (data[i] == 16);
    if (odd)
        for (size_t i = 0; i < length; i++) wanted += LETTERS[(unsigned char)data[i]] != 0;
    if (g->length + wanted > g->capacity) {
        size_t capacity = (g->length + wanted) * 2 + 512;
        char *more = realloc(g->data, capacity);
        if (!more) return ENOMEM;
        b->held += capacity - g->capacity;
        g->data = more; g->capacity = capacity;
    }
    char *to = g->data + g->length;
    if (odd) {
        to = put_escaped(to, data, length);
        g->escaped = 1;
    } else {
        memcpy(to, data, length);
        to += length;
    }
    *to = '\n';
    g->length += wanted; g->lines++; b->bytes += wanted;
    return 0;
}

/* Make ready for the next drain, and give back what was needed beyond the usual: a flood from many
   addresses must not stay.  Only what the last drain used is touched, for most drains are small. */
void batch_release(struct batch *b) {
    for (unsigned g = 0; g < b->group_count; g++) {
        struct group *old = &b->groups[g];
        if (b->held > KEEP) {
            b->held -= old->capacity;
            free(old->data); old->data = NULL; old->capacity = 0;
        }
        b->buckets[old->bucket] = 0;
        old->length = old->lines = old->escaped = 0;
    }
    if (b->far_used > KEEP_FAR) madvise(b->far, FAR, MADV_DONTNEED);
    b->far_used = 0; b->group_count = 0;
}

/* Octets that the buffers of all groups hold by now. */
size_t batch_kept(struct batch *b) { return b->held; }

static long since(const struct timespec *began) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - began->tv_sec) * 1000000000L + now.tv_nsec - began->tv_nsec;
}

/* Take what waits, up to the bounds; fewer than max_messages and no error: the socket is empty.
   What counts is what came: of 64 KB of line ends nothing is left, and they took as long.  Each sender
   and each octet takes time of the caller's, too, so they shorten what is left of it.  The clock is read
   before each system call but the first: one brings up to half a megabyte. */
unsigned batch_drain(struct batch *b, int fd, unsigned max_messages, size_t max_bytes, long max_ns) {
    unsigned taken = 0, slots = FEW;
    size_t heard = 0;
    struct timespec began;
    batch_release(b);
    b->empty = b->cut = b->lost = b->error = 0; b->bytes = 0;
    clock_gettime(CLOCK_MONOTONIC, &began);
    while (taken < max_messages && heard < max_bytes && b->group_count + SLOTS <= b->max_groups) {
        long caller_ns = b->group_count * SENDER_NS + (long)b->bytes * OCTET_NS;
        if (taken && since(&began) + caller_ns > max_ns) break;
        unsigned wanted = max_messages - taken < slots ? max_messages - taken : slots;
        size_t brought = 0;
        for (unsigned i = 0; i < wanted; i++) b->heads[i].msg_hdr.msg_namelen = sizeof b->names[i];
        int got = recvmmsg(fd, b->heads, wanted, MSG_DONTWAIT, NULL);
        if (got < 0) {
            if (errno == EINTR) continue;
            b->error = errno;
            break;
        }
        for (int i = 0; i < got; i++) {
            size_t length = b->heads[i].msg_len;
            brought += length;
            char *data = b->near + i * SLOT;
            if (length > SLOT) {
                memcpy(b->whole, data, SLOT);
                memcpy(b->whole + SLOT, b->far + (size_t)i * REST, length - SLOT);
                data = b->whole;
                b->far_used += length - SLOT;
            }
            while (length && is_trailer(data[length - 1])) length--;
            if (!length) { b->empty++; continue; }
            if (length > b->max_message) { length = b->max_message; b->cut++; }
            if (add(b, group_of(b, &b->names[i]), data, length)) b->lost++;    /* no memory */
        }
        taken += got;
        heard += brought;
        if (got) {
            size_t fit = CALL_BYTES / (brought / got + 1);
            slots = fit > SLOTS ? SLOTS : fit < FEW ? FEW : fit;
        }
        if (b->lost) { b->error = ENOMEM; break; }
        if ((unsigned)got < wanted) { b->error = EAGAIN; break; }
    }
    return taken;
}

/* Count LFs; the longest line; whether a line is empty or begins with a blank. */
unsigned scan_lines(const char *data, size_t length, size_t *longest, int *odd) {
    const char *at = data, *end = data + length, *found;
    unsigned lines = 0;
    size_t most = 0;
    int strange = 0;
    for (; at < end && (found = memchr(at, '\n', end - at)); at = found + 1, lines++) {
        if ((size_t)(found - at) > most) most = found - at;
        strange |= (*at == '\n') | (*at == ' ');
    }
    *longest = most; *odd = strange;
    return lines;
}
"""
