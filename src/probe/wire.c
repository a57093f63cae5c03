/* Frames: sent whole, received by pieces. */
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 4, FIRST_CAPACITY = 4096 };

double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Polls one descriptor until `deadline`: false once it has passed. */
static bool wait_for(int fd, short events, double deadline) {
    for (;;) {
        double left = deadline - now_seconds();
        if (left < 0)
            return false;
        struct pollfd poller = {.fd = fd, .events = events};
        int ready = poll(&poller, 1, left > 3600 ? 3600000 : (int)(left * 1000) + 1);
        if (ready > 0)
            return true;
    }
}

static size_t announced(const WireReader *reader) {
    const uint8_t *data = reader->data;
    return (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
}

/* How many more bytes make the header or the frame whole. */
static size_t missing(const WireReader *reader) {
    return reader->have < HEADER ? HEADER - reader->have : HEADER + announced(reader) - reader->have;
}

static bool reserve(WireReader *reader, size_t wanted) {
    size_t room = wanted > reader->have + FIRST_CAPACITY ? reader->have * 2 + FIRST_CAPACITY : wanted;
    room = room > wanted ? wanted : room;
    if (reader->capacity >= room && reader->capacity > reader->have)
        return true;
    uint8_t *grown = realloc(reader->data, room);
    if (grown == NULL)
        return false;
    reader->data = grown;
    reader->capacity = room;
    return true;
}

WireState wire_read(WireReader *reader) {
    for (;;) {
        if (reader->have == HEADER && announced(reader) > reader->limit) {
            reader->problem = "it announced a frame larger than any may be";
            return WIRE_BAD;
        }
        size_t left = missing(reader);
        if (left == 0)
            return WIRE_FRAME;
        if (!reserve(reader, reader->have + left)) {
            reader->problem = "there is no memory for what it sent";
            return WIRE_BAD;
        }
        size_t room = reader->capacity - reader->have;
        ssize_t got = recv(reader->fd, reader->data + reader->have, left < room ? left : room, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return WIRE_AGAIN;
        if (got <= 0)
            return WIRE_END; /* a reset connection says no more than a closed one */
        reader->have += (size_t)got;
    }
}

Status wire_take(WireReader *reader, const char *where, json_t **object, Error *error) {
    Status status = json_parse((Bytes){reader->data + HEADER, reader->have - HEADER}, where, object, error);
    wire_free(reader);
    if (status == STATUS_OK && !json_is_object(*object)) {
        json_decref(*object);
        *object = NULL;
        return error_set(error, where, "", "the frame holds no object");
    }
    return status;
}

void wire_free(WireReader *reader) {
    free(reader->data);
    reader->data = NULL;
    reader->have = reader->capacity = 0;
}

static ssize_t send_some(int fd, const char *data, size_t size, const int *descriptors, size_t count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * WIRE_MOST_DESCRIPTORS)];
        struct cmsghdr aligned;
    } control = {0};
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Status wire_send(int fd, const json_t *object, const int *descriptors, size_t count, double deadline,
                 Error *error) {
    if (count > WIRE_MOST_DESCRIPTORS)
        return error_set(error, "probe", "", "%zu files are too many for one frame", count);
    size_t size = json_dumpb(object, NULL, 0, JSON_COMPACT);
    char *frame = size == 0 || size > UINT32_MAX ? NULL : malloc(HEADER + size);
    if (frame == NULL)
        return error_set(error, "probe", "", "a frame cannot be written");
    for (size_t i = 0; i < HEADER; i++)
        frame[i] = (char)(size >> (8 * i) & 0xff);
    json_dumpb(object, frame + HEADER, size, JSON_COMPACT);
    size_t done = 0;
    int cause = 0;
    while (done < HEADER + size && cause == 0) {
        ssize_t sent = send_some(fd, frame + done, HEADER + size - done, descriptors, done == 0 ? count : 0);
        if (sent > 0)
            done += (size_t)sent;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            cause = wait_for(fd, POLLOUT, deadline) ? 0 : ETIMEDOUT;
        else if (errno != EINTR)
            cause = errno;
    }
    free(frame);
    if (cause != 0)
        return error_set(error, "probe", "", "cannot send: %s", strerror(cause));
    return STATUS_OK;
}

Status wire_receive(WireReader *reader, const char *where, double deadline, json_t **object, Error *error) {
    for (;;) {
        switch (wire_read(reader)) {
        case WIRE_FRAME: return wire_take(reader, where, object, error);
        case WIRE_END: return error_set(error, where, "", "%s", "");
        case WIRE_BAD: return error_set(error, where, "", "%s", reader->problem);
        case WIRE_AGAIN:
            if (!wait_for(reader->fd, POLLIN, deadline))
                return error_set(error, where, "", "no answer in time");
        }
    }
}
