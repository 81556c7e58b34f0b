/*
 * Sends lines of an ASA, faster than any receiver takes them.
 *
 *   syslog_load udp HOST PORT LINES SENDERS RATE [CONNECTIONS [PERCENT]]      RATE 0: as fast as it goes
 *   syslog_load tcp HOST PORT LINES SENDERS RATE CONNECTIONS [PERCENT]
 *
 * Senders are the loopback addresses 127.0.0.11 and up, one line each in turn.  Prints the lines
 * and the bytes sent (an LF counted for each line).
 *
 * With PERCENT so many of the lines are about the policy, in the mix of an edge firewall: 106100 and 106023 of
 * TCP and UDP, pings, and lines that name a user.  Half of their outside addresses stand on the list that
 * bench_whole puts in force (45.0.0.0 and each 41st address behind it); they come as 1/n.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FORMS 64
#define MIXED 20011               /* a prime: each sender sends all of them in time */
#define BATCH 256

static char lines[MIXED][256];
static size_t lengths[MIXED];
static int forms = FORMS;

static void die(const char *what) { perror(what); exit(1); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void make_lines(void) {
    for (int i = 0; i < FORMS; i++)
        lengths[i] = snprintf(lines[i], sizeof lines[i],
            i % 10 < 7
                ? "<166>Apr 15 2026 09:36:%02d: %%ASA-6-106100: access-list global_access denied tcp "
                  "outside/198.51.100.%d(%d) -> inside/10.0.%d.%d(443) hit-cnt 1 first hit [0x%08x, 0x%08x]"
                : "<166>Apr 15 2026 09:36:%02d: %%ASA-6-302013: Built outbound TCP connection 81%d%d for "
                  "outside:203.0.113.%d/443 (203.0.113.%d/443) to inside:10.0.0.7/5%04d (198.51.100.1/5%04d)",
            i % 60, i + 1, 1024 + i * 31, i, i + 9, i * 2654435761u, i * 40503u);
}

static unsigned state = 1;

static unsigned drawn(unsigned below) {          /* xorshift: the same lines in each run */
    state ^= state << 13; state ^= state >> 17; state ^= state << 5;
    return state % below;
}

static unsigned often(unsigned kinds) {          /* number n about as often as 1/(n+1) */
    double most = 1;
    for (unsigned n = 2; n <= kinds; n *= 2) most++;
    unsigned n = 1u << drawn((unsigned)most);
    return (n + drawn(n)) % kinds;
}

static int policy_line(char *to, const char *head) {
    static const int ports[] = { 443, 80, 53, 22, 25, 123, 3389, 445, 8080, 8443, 23, 5060 };
    unsigned mood = drawn(100), outside = 0x2d000000 + often(2000) * 41 + drawn(2), inside = often(60);
    char far[32], near[32];
    int port = ports[often(12)], from = 1024 + drawn(60000), udp = drawn(4) == 0;
    const char *protocol = udp ? "udp" : "tcp";
    sprintf(far, "%u.%u.%u.%u", outside >> 24, outside >> 16 & 255, outside >> 8 & 255, outside & 255);
    sprintf(near, "10.1.%u.%u", inside / 20, inside % 20 + 1);
    if (mood < 30)
        return sprintf(to, "%s%%ASA-6-106100: access-list outside_in denied %s outside/%s(%d) -> inside/%s(%d) hit-cnt 1 first hit "
                       "[0x%08x, 0x00000000]", head, protocol, far, from, near, port, outside);
    if (mood < 45)
        return sprintf(to, "%s%%ASA-6-106100: access-list inside_in denied %s inside/%s(%d) -> outside/%s(%d) hit-cnt %d 300-second interval "
                       "[0x%08x, 0x00000000]", head, protocol, near, from, far, port, 2 + drawn(40), outside);
    if (mood < 70)
        return sprintf(to, "%s%%ASA-4-106023: Deny %s src outside:%s/%d dst inside:%s/%d by access-group \"outside_in\" [0x%08x, 0x0]",
                       head, protocol, far, from, near, port, outside);
    if (mood < 82)
        return sprintf(to, "%s%%ASA-4-106023: Deny icmp src outside:%s dst inside:%s (type 8, code 0) by access-group \"outside_in\" [0x%08x, 0x0]",
                       head, far, near, outside);
    if (mood < 88)
        return sprintf(to, "%s%%ASA-6-106100: access-list outside_in denied icmp outside/%s(8) -> inside/%s(0) hit-cnt 1 first hit "
                       "[0x%08x, 0x00000000]", head, far, near, outside);
    if (mood < 96)
        return sprintf(to, "%s%%ASA-4-106023: Deny %s src inside:%s/%d(LOCAL\\user%u) dst outside:%s/%d by access-group \"inside_in\" [0x%08x, 0x0]",
                       head, protocol, near, from, inside, far, port, outside);
    return sprintf(to, "%s%%ASA-6-106100: access-list inside_in denied %s for user 'LOCAL\\user%u' inside/%s(%d) -> outside/%s(%d) hit-cnt 1 first hit "
                   "[0x%08x, 0x00000000]", head, protocol, inside, near, from, far, port, outside);
}

static int other_line(char *to, const char *head) {
    unsigned mood = drawn(100), number = 81000000 + drawn(9000000), inside = drawn(200), near = 1024 + drawn(60000);
    unsigned far = drawn(250) + 1;
    if (mood < 38)
        return sprintf(to, "%s%%ASA-6-302013: Built outbound TCP connection %u for outside:203.0.113.%u/443 (203.0.113.%u/443) to "
                       "inside:10.1.%u.%u/%u (198.51.100.1/%u)", head, number, far, far, inside / 20, inside % 20 + 1, near, near);
    if (mood < 76)
        return sprintf(to, "%s%%ASA-6-302014: Teardown TCP connection %u for outside:203.0.113.%u/443 to inside:10.1.%u.%u/%u duration "
                       "0:00:%02u bytes %u TCP FINs", head, number, far, inside / 20, inside % 20 + 1, near, drawn(60), drawn(99999));
    if (mood < 90)
        return sprintf(to, "%s%%ASA-6-302015: Built outbound UDP connection %u for outside:203.0.113.%u/53 (203.0.113.%u/53) to "
                       "inside:10.1.%u.%u/%u (198.51.100.1/%u)", head, number, far, far, inside / 20, inside % 20 + 1, near, near);
    return sprintf(to, "%s%%ASA-6-305011: Built dynamic TCP translation from inside:10.1.%u.%u/%u to outside:198.51.100.1/%u",
                   head, inside / 20, inside % 20 + 1, near, near);
}

static void mix_lines(int percent) {
    for (int i = 0; i < MIXED; i++) {
        char head[64];
        sprintf(head, "<166>Apr 15 2026 09:%02d:%02d fw-edge : ", i / 60 % 60, i % 60);
        lengths[i] = (drawn(100) < (unsigned)percent ? policy_line : other_line)(lines[i], head);
    }
    forms = MIXED;
}

static struct in_addr sender(int number) {
    struct in_addr address = { htonl(0x7f00000b + number) };
    return address;
}

static void pace(double began, long sent, double rate) {
    if (rate <= 0) return;
    double ahead = sent / rate - (now() - began);
    if (ahead > 0) {
        struct timespec t = { (time_t)ahead, (long)((ahead - (time_t)ahead) * 1e9) };
        nanosleep(&t, NULL);
    }
}

static void udp(struct sockaddr_in *to, long count, int senders, double rate) {
    static struct mmsghdr heads[BATCH];
    static struct iovec parts[BATCH];
    static union { char raw[CMSG_SPACE(sizeof(struct in_pktinfo))]; struct cmsghdr head; } control[BATCH];
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 1 << 24;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    struct sockaddr_in any = { .sin_family = AF_INET };
    if (bind(fd, (void *)&any, sizeof any)) die("bind");
    long bytes = 0, sent = 0;
    double began = now();
    /* Paced: bursts of a millisecond. */
    int step = rate > 0 ? (int)(rate / 1000) : BATCH;
    if (step < 1) step = 1;
    if (step > BATCH) step = BATCH;
    while (sent < count) {
        int n = count - sent < step ? (int)(count - sent) : step;
        for (int i = 0; i < n; i++) {
            long number = sent + i;
            int form = number % forms;
            parts[i] = (struct iovec){ lines[form], lengths[form] };
            struct cmsghdr *c = &control[i].head;
            c->cmsg_level = IPPROTO_IP; c->cmsg_type = IP_PKTINFO;
            c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
            struct in_pktinfo *info = (void *)CMSG_DATA(c);
            memset(info, 0, sizeof *info);
            info->ipi_spec_dst = sender(number % senders);
            heads[i].msg_hdr = (struct msghdr){ .msg_name = to, .msg_namelen = sizeof *to, .msg_iov = &parts[i],
                .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof control[i].raw };
            bytes += lengths[form] + 1;
        }
        for (int done = 0; done < n;) {
            int got = sendmmsg(fd, heads + done, n - done, 0);
            if (got < 0) { if (errno == EINTR || errno == ENOBUFS) continue; die("sendmmsg"); }
            done += got;
        }
        sent += n;
        pace(began, sent, rate);
    }
    printf("%ld %ld %f\n", sent, bytes, now() - began);
}

static void tcp(struct sockaddr_in *to, long count, int senders, double rate, int connections) {
    struct pollfd *polls = calloc(connections, sizeof *polls);
    long *left = calloc(connections, sizeof *left), bytes = 0;
    size_t *at = calloc(connections, sizeof *at), chunk_length = 0;
    /* A chunk of whole lines, sent again and again; what does not fit a connection's share is trimmed. */
    static char chunk[MIXED * 256];
    static size_t ends[MIXED];
    int in_chunk = 0, most = forms > 256 ? forms : 256;
    while (in_chunk < most) {
        int form = in_chunk % forms;
        memcpy(chunk + chunk_length, lines[form], lengths[form]);
        chunk_length += lengths[form];
        chunk[chunk_length++] = '\n';
        ends[in_chunk++] = chunk_length;
    }
    for (int i = 0; i < connections; i++) {
        struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = sender(i % senders) };
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
        if (fd < 0) die("socket");
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(fd, (void *)&from, sizeof from) || connect(fd, (void *)to, sizeof *to)) die("connect");
        fcntl(fd, F_SETFL, O_NONBLOCK);
        polls[i] = (struct pollfd){ fd, POLLOUT, 0 };
        left[i] = count / connections + (i < count % connections);
    }
    double began = now();
    long sent = 0;
    for (int open = connections; open;) {
        if (poll(polls, connections, -1) < 0) die("poll");
        for (int i = 0; i < connections; i++) {
            if (!(polls[i].revents & (POLLOUT | POLLERR | POLLHUP))) continue;
            int share = left[i] < in_chunk ? (int)left[i] : in_chunk;
            size_t end = share ? ends[share - 1] : 0;
            ssize_t n = end > at[i] ? send(polls[i].fd, chunk + at[i], end - at[i], MSG_NOSIGNAL) : 0;
            if (n < 0) { if (errno == EAGAIN) continue; die("send"); }
            at[i] += n; bytes += n;
            if (at[i] == end) {
                at[i] = 0; left[i] -= share; sent += share;
                if (!left[i]) { close(polls[i].fd); polls[i].fd = -1; open--; }
            }
        }
        pace(began, sent, rate);
    }
    printf("%ld %ld %f\n", sent, bytes, now() - began);
}

int main(int argc, char **argv) {
    if (argc < 7) { fprintf(stderr, "udp|tcp HOST PORT LINES SENDERS RATE [CONNECTIONS [PERCENT]]\n"); return 2; }
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[3])) };
    if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) return 2;
    if (argc > 8) mix_lines(atoi(argv[8])); else make_lines();
    if (!strcmp(argv[1], "udp")) udp(&to, atol(argv[4]), atoi(argv[5]), atof(argv[6]));
    else tcp(&to, atol(argv[4]), atoi(argv[5]), atof(argv[6]), argc > 7 ? atoi(argv[7]) : 1);
    return 0;
}
