/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What may be pending for a port, and what may be done about it: the words of
 * state_table.h.
 */
#ifndef EGPU_STATE_BITS_H
#define EGPU_STATE_BITS_H

#include <linux/egpu.h>

/*
 * What may be pending for a port, consumed in this order: hardware first, then
 * results of the port's job, then what bus.c saw arrive, then timers, then
 * what users asked for.
 */
#define EGPU_BITS(X) \
	X(GONE, "the port's own pci_dev was removed") \
	X(LOST, "a gated function vanished by itself") \
	X(DOWN, "the link of a soft slot is down, confirmed") \
	X(EMPTIED, "the last gated function was deleted") \
	X(ABSENT, "presence was read absent twice") \
	X(ERROR, "an error left the device unusable") \
	X(DONE, "job: done") \
	X(WAIT, "job: checked, but not admitted") \
	X(QUARANTINE, "job: lost too often") \
	X(USED, "job: there are users") \
	X(FAILED, "job: failed") \
	X(BACK, "job: cancelled before the point of no return") \
	X(VACANT, "job: nothing is there") \
	X(PARKED, "job: unbound, the cable port does the rest") \
	X(HELD, "job: unbound, the slot stays on") \
	X(LINKED, "job: the link operation is over, nothing is bound") \
	X(LIVE, "job: the link operation is over, drivers are bound") \
	X(MANAGED, "job: a function was given to egpu, or back") \
	X(ADOPT, "job: everything found is bound already") \
	X(APPEARED, "gated functions are being added") \
	X(ARRIVED, "gated functions came") \
	X(ADMITTED, "a user's override bound all that was held") \
	X(PRESENT, "the link of a soft slot came up, nothing is below") \
	X(TICK, "the state's timer") \
	X(DEADLINE, "the transaction's deadline") \
	X(TRACK, "user: track this port") \
	X(FORGET, "user: do not track it any more") \
	X(POLICY, "user: the policy changed") \
	X(RESET, "user: end the quarantine") \
	X(CANCEL, "user: cancel the transaction") \
	X(RELEASE, "cable port: go back to your drivers") \
	X(ATTACH, "user: attach") \
	X(DETACH, "user: detach") \
	X(CABLE, "user: detach what is below, no GPU of its own") \
	X(LINK, "user: operate the link") \
	X(MANAGE, "user: give a function to egpu, or back") \
	X(MEND, "slot off and on after a failed recovery")

enum egpu_bit {
#define EGPU_BIT_ENUM(name, text) EGPU_BIT_##name,
	EGPU_BITS(EGPU_BIT_ENUM)
#undef EGPU_BIT_ENUM
	EGPU_BIT_COUNT
};

/* What the state work does in a transition; state.c has a function for each. */
#define EGPU_ACTIONS(X) \
	X(NONE, "nothing: the bit means nothing here") \
	X(LATCH, "keep the bit until the state changes") \
	X(STOP, "the port is gone: end everything") \
	X(SCAN, "job: look what is below") \
	X(SCAN_AGAIN, "job: look again once it is added") \
	X(CHECK, "job: check what is held") \
	X(RELEASE, "job: give the functions to their drivers") \
	X(RELEASE_KEEP, "the same, and keep the bit for afterwards") \
	X(DRAIN, "job: look for users") \
	X(UNBIND, "job: hold, look again, unbind, slot off") \
	X(CONTINUE, "job: have the ports below parked meanwhile?") \
	X(ENABLE, "job: slot on, or rescan") \
	X(PRESENCE, "job: read presence") \
	X(WATCH, "look at error states") \
	X(WAITING, "say why it waits") \
	X(USED, "tell the users, look again later or give up") \
	X(READY, "tell that it is ready; a transaction ends well") \
	X(DETACHED, "safe to unplug; a transaction ends well") \
	X(LEFT, "the detached card was taken away") \
	X(LOSS, "count the loss; a transaction fails") \
	X(LOSS_CLEAR, "the same; job: remove what vanished") \
	X(CLEAR, "job: remove what vanished") \
	X(EMPTIED, "what was lost is cleared away") \
	X(REMOVED, "somebody else removed it") \
	X(FAULT, "a step failed; a transaction fails") \
	X(RECOVERY, "recovery failed; begin to mend") \
	X(MEND, "job: look for users, mend when there are none") \
	X(RETRY, "attach after a fault: mend, or check again") \
	X(QUARANTINE, "wait until the losses are old") \
	X(RESET, "forget the losses") \
	X(FORGET, "leave the port alone") \
	X(FAIL, "the transaction ends with the job's error") \
	X(REFUSE, "the transaction ends: users, deadline") \
	X(CANCEL, "the transaction ends: cancelled") \
	X(CANCEL_JOB, "ask the job to turn back") \
	X(SUCCEED, "the transaction ends well: nothing more to do") \
	X(ABSENT, "the transaction ends: nothing is there") \
	X(HOLD, "unbound as asked; the transaction ends well") \
	X(TRAIN, "job: operate the link") \
	X(LINKED, "a link operation's transaction ends as the job says") \
	X(MANAGE, "job: give a function to egpu, or back")

enum egpu_action {
#define EGPU_ACTION_ENUM(name, text) EGPU_ACT_##name,
	EGPU_ACTIONS(EGPU_ACTION_ENUM)
#undef EGPU_ACTION_ENUM
	EGPU_ACT_COUNT
};

#endif /* EGPU_STATE_BITS_H */
