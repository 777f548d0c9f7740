// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: subscribe, read one at a time, wait for a transaction's end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* size, type and the two before them: less is no record */
#define EVENT_MIN	offsetof(struct egpu_event, generation)

int egpu_subscribe(struct egpu *egpu, uint64_t mask, uint32_t port,
		   uint64_t *seq)
{
	struct egpu_event_subscribe subscribe = {
		.size = sizeof(subscribe),
		.mask = mask,
		.port = port,
	};
	int ret = egpu_sys_ioctl(egpu->fd, EGPU_IOC_EVENT_SUBSCRIBE,
				 &subscribe);

	if (ret >= 0 && seq)
		*seq = subscribe.seq;
	return ret < 0 ? ret : 0;
}

/* The next record of the buffer; a newer module's longer one is cut. */
static int take(struct egpu *egpu, struct egpu_event *event)
{
	size_t left = egpu->end - egpu->start;
	uint32_t size;

	if (left < sizeof(size))
		return 0;
	memcpy(&size, egpu->buf + egpu->start, sizeof(size));
	if (size < EVENT_MIN || size > left)
		return -EPROTO;
	memset(event, 0, sizeof(*event));
	memcpy(event, egpu->buf + egpu->start,
	       size < sizeof(*event) ? size : sizeof(*event));
	event->name[EGPU_NAME_LEN - 1] = 0;
	egpu->start += size;
	return 1;
}

int egpu_event_next(struct egpu *egpu, struct egpu_event *event,
		    int timeout_ms)
{
	struct pollfd pollfd = { .fd = egpu->fd, .events = POLLIN };
	ssize_t got;
	int ret;

	if (!egpu->buf)
		egpu->buf = malloc(EGPU_EVENT_BUF);
	if (!egpu->buf)
		return -ENOMEM;
	ret = take(egpu, event);
	if (ret)
		return ret;
	ret = poll(&pollfd, 1, timeout_ms);
	if (ret <= 0)
		return ret < 0 ? -errno : 0;
	got = read(egpu->fd, egpu->buf, EGPU_EVENT_BUF);
	if (got < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!got)
		return -ENODEV;
	egpu->start = 0;
	egpu->end = (size_t)got;
	return take(egpu, event);
}

/* After lost events: how did it end, as far as the port tells. */
static int look(struct egpu *egpu, uint32_t port, uint32_t transaction)
{
	struct egpu_port_info info;
	int ret = egpu_port(egpu, port, &info);

	if (ret < 0)
		return ret == -ENOENT ? -ENODEV : ret;
	if (info.transaction == transaction)
		return 1;
	switch (info.state) {
	case EGPU_STATE_READY:
	case EGPU_STATE_DETACHED:
	case EGPU_STATE_EMPTY:
		return 0;
	case EGPU_STATE_LOST:
		return -ENODEV;
	default:
		return info.step_error ? -(int)info.step_error : -EIO;
	}
}

int egpu_transaction_wait(struct egpu *egpu, uint32_t port,
			  uint32_t transaction, egpu_progress_fn progress,
			  void *arg)
{
	struct egpu_event event;
	int ret, end;

	for (;;) {
		ret = egpu_event_next(egpu, &event, 1000);
		if (ret < 0 && ret != -EINTR)
			return ret;
		if (progress) {
			end = progress(ret == 1 ? &event : NULL, arg);
			if (end)
				return end;
		}
		if (ret != 1)
			continue;
		if (event.type == EGPU_EVENT_TRANSACTION &&
		    event.transaction == transaction)
			return -(int)event.error;
		if (event.type == EGPU_EVENT_OVERFLOW) {
			ret = look(egpu, port, transaction);
			if (ret <= 0)
				return ret;
		}
		if (event.type == EGPU_EVENT_PORT_REMOVED && event.port == port)
			return -ENODEV;
	}
}
