"""
Source of `_send`, the compiled helper that sends the lines of a block as datagrams.

The wheel's build hook compiles it where a compiler is there.  Without it `tscm.forward.outgoing` sends
one line at a time and gives the same results.
"""

DECLARATIONS = """
unsigned send_lines(int fd, const char *data, size_t length, unsigned most, size_t *done,
                    int *error);
"""

SOURCE = r"""
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/errqueue.h>

#define SLOTS 256                 /* datagrams a system call */

/* The error that the socket has noted about an earlier datagram (IP_RECVERR, ip(7)); 0: none. */
static int noted_error(int fd) {
    char space[512];
    struct msghdr message = {.msg_control = space, .msg_controllen = sizeof space};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
            return ((struct sock_extended_err *)CMSG_DATA(c))->ee_errno;
    return 0;
}

/* Send each line without its LF, most of them; up to *done bytes went, and *error says why no more. */
unsigned send_lines(int fd, const char *data, size_t length, unsigned most, size_t *done,
                    int *error) {
    struct mmsghdr heads[SLOTS];
    struct iovec parts[SLOTS];
    const char *at = data, *end = data + length, *next, *lf;
    unsigned sent = 0;
    *error = 0;
    while (sent < most) {
        unsigned wanted = 0;
        for (next = at; wanted < SLOTS && sent + wanted < most && next < end &&
                        (lf = memchr(next, '\n', end - next)); next = lf + 1, wanted++) {
            parts[wanted] = (struct iovec){(void *)next, lf - next};
            heads[wanted].msg_hdr = (struct msghdr){.msg_iov = &parts[wanted], .msg_iovlen = 1};
        }
        if (!wanted) break;
        int got = sendmmsg(fd, heads, wanted, MSG_DONTWAIT);
        if (got < 0) {
            if (errno == EINTR) continue;
            *error = errno;
            break;
        }
        sent += got;
        at = (const char *)parts[got - 1].iov_base + parts[got - 1].iov_len + 1;
        /* What stopped a batch half-way is not told, and an ICMP error is told only once. */
        if ((unsigned)got < wanted && (*error = noted_error(fd))) break;
    }
    *done = at - data;
    return sent;
}
"""
