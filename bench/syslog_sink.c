/*
 * The limit: what a program in C costs that receives, sorts by sender and writes, and does nothing else.
 *
 *   syslog_sink FOLDER PORT BUFFER
 *
 * UDP and TCP on one port of 127.0.0.1; a file for each sender, `FOLDER/ADDRESS`, written after each batch of
 * datagrams, and after each read of a connection up to its last LF.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS 64
#define SLOT 2048
#define BATCH 4096
#define SENDERS 65536
#define READ (128 << 10)

struct sender { unsigned address; int file; char *data; size_t length, room; int waits; };

static struct sender table[SENDERS];
static unsigned waiting[BATCH + 1], waits;
static struct { int socket; unsigned sender; char *held; size_t length; } peers[8192];
static const char *folder;

static void die(const char *what) { perror(what); exit(1); }

static unsigned find(unsigned address) {
    unsigned at = (ntohl(address) * 2654435761u) >> 16;
    while (table[at].file && table[at].address != address) at = (at + 1) % SENDERS;
    if (!table[at].file) {
        char path[4096];
        struct in_addr in = { address };
        snprintf(path, sizeof path, "%s/%s", folder, inet_ntoa(in));
        table[at].address = address;
        table[at].file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0640);
        if (table[at].file < 0) die(path);
    }
    return at;
}

static void put(int file, const char *data, size_t length) {
    while (length) {
        ssize_t n = write(file, data, length);
        if (n < 0) die("write");
        data += n; length -= n;
    }
}

static void drain(int fd) {
    static char near[SLOTS][SLOT];
    static struct sockaddr_in names[SLOTS];
    static struct iovec parts[SLOTS];
    static struct mmsghdr heads[SLOTS];
    for (int taken = 0; taken + SLOTS <= BATCH;) {
        for (int i = 0; i < SLOTS; i++) {
            parts[i] = (struct iovec){ near[i], SLOT - 1 };
            heads[i].msg_hdr = (struct msghdr){ .msg_name = &names[i], .msg_namelen = sizeof names[i],
                                                .msg_iov = &parts[i], .msg_iovlen = 1 };
        }
        int got = recvmmsg(fd, heads, SLOTS, MSG_DONTWAIT, NULL);
        if (got <= 0) break;
        for (int i = 0; i < got; i++) {
            unsigned at = find(names[i].sin_addr.s_addr);
            struct sender *s = &table[at];
            size_t length = heads[i].msg_len;
            near[i][length++] = '\n';
            if (s->length + length > s->room) {
                s->room = (s->length + length) * 2;
                s->data = realloc(s->data, s->room);
                if (!s->data) die("realloc");
            }
            memcpy(s->data + s->length, near[i], length);
            s->length += length;
            if (!s->waits) { s->waits = 1; waiting[waits++] = at; }
        }
        taken += got;
        if (got < SLOTS) break;
    }
    while (waits) {
        struct sender *s = &table[waiting[--waits]];
        put(s->file, s->data, s->length);
        s->length = 0; s->waits = 0;
    }
}

static int take(int at) {
    static char data[READ * 2];
    size_t held = peers[at].length;
    if (held) memcpy(data, peers[at].held, held);
    ssize_t n = recv(peers[at].socket, data + held, READ, MSG_DONTWAIT);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    size_t length = held + n;
    char *last = memrchr(data, '\n', length);
    size_t whole = last ? (size_t)(last - data) + 1 : 0;
    if (whole) put(table[peers[at].sender].file, data, whole);
    peers[at].length = length - whole;
    if (peers[at].length) {
        peers[at].held = realloc(peers[at].held, READ);
        if (!peers[at].held || peers[at].length > READ) die("a line");
        memcpy(peers[at].held, data + whole, peers[at].length);
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    folder = argv[1];
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])),
                                .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int size = atoi(argv[3]), on = 1;
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), all = epoll_create1(0);
    if (setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size)) setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(udp, (void *)&here, sizeof here) || bind(tcp, (void *)&here, sizeof here) || listen(tcp, 1024)) die("bind");
    struct epoll_event event = { EPOLLIN, { .u32 = 0 } };
    epoll_ctl(all, EPOLL_CTL_ADD, udp, &event);
    event.data.u32 = 1;
    epoll_ctl(all, EPOLL_CTL_ADD, tcp, &event);
    for (;;) {
        struct epoll_event found[64];
        int count = epoll_wait(all, found, 64, -1);
        for (int i = 0; i < count; i++) {
            unsigned which = found[i].data.u32;
            if (which == 0) { drain(udp); continue; }
            if (which == 1) {
                struct sockaddr_in from;
                socklen_t length = sizeof from;
                int fd = accept(tcp, (void *)&from, &length);
                if (fd < 0 || fd >= 8190) die("accept");
                peers[fd].socket = fd; peers[fd].length = 0; peers[fd].sender = find(from.sin_addr.s_addr);
                event = (struct epoll_event){ EPOLLIN, { .u32 = fd + 2 } };
                epoll_ctl(all, EPOLL_CTL_ADD, fd, &event);
            } else if (!take(which - 2)) {
                close(which - 2);
            }
        }
    }
}
