// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Words for the numbers of the interface. Scripts depend on them: they are
 * added to, never changed.
 */
#include "egpu.h"

#define NAME_OF(table, index)						\
	((index) < sizeof(table) / sizeof((table)[0]) && (table)[index] ? \
	 (table)[index] : "unknown")

const char *egpu_state_name(uint32_t state)
{
	static const char * const names[EGPU_STATE_COUNT] = {
		[EGPU_STATE_UNTRACKED] = "UNTRACKED",
		[EGPU_STATE_EMPTY] = "EMPTY",
		[EGPU_STATE_TRAINING] = "TRAINING",
		[EGPU_STATE_HELD] = "HELD",
		[EGPU_STATE_BINDING] = "BINDING",
		[EGPU_STATE_READY] = "READY",
		[EGPU_STATE_DRAINING] = "DRAINING",
		[EGPU_STATE_DETACHING] = "DETACHING",
		[EGPU_STATE_DETACHED] = "DETACHED",
		[EGPU_STATE_LOST] = "LOST",
		[EGPU_STATE_QUARANTINED] = "QUARANTINED",
		[EGPU_STATE_FAULT] = "FAULT",
		[EGPU_STATE_GONE] = "GONE",
	};

	return NAME_OF(names, state);
}

const char *egpu_reason_name(uint32_t reason)
{
	static const char * const names[EGPU_REASON_COUNT] = {
		[EGPU_REASON_NONE] = "none",
		[EGPU_REASON_CHECKING] = "checking",
		[EGPU_REASON_MANUAL] = "manual",
		[EGPU_REASON_CHECK_FAILED] = "check-failed",
		[EGPU_REASON_NOT_REMOVED] = "not-removed",
		[EGPU_REASON_ADOPTED] = "adopted",
		[EGPU_REASON_OVERRIDE] = "override",
		[EGPU_REASON_BUSY] = "busy",
		[EGPU_REASON_CANCELLED] = "cancelled",
		[EGPU_REASON_DEADLINE] = "deadline",
		[EGPU_REASON_BOOT_DISPLAY] = "boot-display",
		[EGPU_REASON_LINK_DOWN] = "link-down",
		[EGPU_REASON_REMOVED] = "removed",
		[EGPU_REASON_DETACHED] = "detached",
		[EGPU_REASON_SLOT_FAILED] = "slot-failed",
		[EGPU_REASON_BIND_FAILED] = "bind-failed",
		[EGPU_REASON_RECOVERY_FAILED] = "recovery-failed",
		[EGPU_REASON_LOST_TOO_OFTEN] = "lost-too-often",
		[EGPU_REASON_CHILD] = "child",
		[EGPU_REASON_UNBOUND] = "unbound",
		[EGPU_REASON_LINK_SET] = "link-set",
		[EGPU_REASON_LINK_SPEED] = "link-speed",
		[EGPU_REASON_TUNNELLED] = "tunnelled",
		[EGPU_REASON_CXL] = "cxl",
		[EGPU_REASON_NOT_MANAGED] = "not-managed",
	};

	return NAME_OF(names, reason);
}

const char *egpu_step_name(uint32_t step)
{
	static const char * const names[EGPU_STEP_COUNT] = {
		[EGPU_STEP_NONE] = "none",
		[EGPU_STEP_SCAN] = "scan",
		[EGPU_STEP_CHECK] = "check",
		[EGPU_STEP_PROBE] = "probe",
		[EGPU_STEP_USERS] = "users",
		[EGPU_STEP_HOLD] = "hold",
		[EGPU_STEP_REMOVE] = "remove",
		[EGPU_STEP_CHILDREN] = "children",
		[EGPU_STEP_SLOT_OFF] = "slot-off",
		[EGPU_STEP_SLOT_ON] = "slot-on",
		[EGPU_STEP_PRESENCE] = "presence",
		[EGPU_STEP_LINK] = "link",
		[EGPU_STEP_LINK_RESET] = "link-reset",
		[EGPU_STEP_LINK_RESTORE] = "link-restore",
		[EGPU_STEP_MANAGE] = "manage",
		[EGPU_STEP_SPACE] = "space",
	};

	return NAME_OF(names, step);
}

const char *egpu_backend_name(uint32_t backend)
{
	static const char * const names[] = {
		[EGPU_BACKEND_NONE] = "none",
		[EGPU_BACKEND_PCIEHP] = "pciehp",
		[EGPU_BACKEND_SOFT] = "soft",
		[EGPU_BACKEND_OTHER] = "other",
	};

	return NAME_OF(names, backend);
}

const char *egpu_policy_name(uint32_t policy)
{
	static const char * const names[] = {
		[EGPU_POLICY_AUTO] = "auto",
		[EGPU_POLICY_MANUAL] = "manual",
	};

	return NAME_OF(names, policy);
}

const char *egpu_event_name(uint32_t type)
{
	static const char * const names[EGPU_EVENT_COUNT] = {
		[EGPU_EVENT_OVERFLOW] = "overflow",
		[EGPU_EVENT_PORT_ADDED] = "port-added",
		[EGPU_EVENT_PORT_REMOVED] = "port-removed",
		[EGPU_EVENT_STATE] = "state",
		[EGPU_EVENT_FUNCTION_ADDED] = "function-added",
		[EGPU_EVENT_FUNCTION_REMOVED] = "function-removed",
		[EGPU_EVENT_BOUND] = "bound",
		[EGPU_EVENT_UNBOUND] = "unbound",
		[EGPU_EVENT_STEP] = "step",
		[EGPU_EVENT_USERS] = "users",
		[EGPU_EVENT_TRANSACTION] = "transaction",
		[EGPU_EVENT_CHECK] = "check",
		[EGPU_EVENT_ERROR] = "error",
		[EGPU_EVENT_CONFIG] = "config",
		[EGPU_EVENT_LINK] = "link",
	};

	return NAME_OF(names, type);
}

const char *egpu_user_kind_name(uint32_t kind)
{
	static const char * const names[EGPU_USER_KIND_COUNT] = {
		[EGPU_USER_OTHER] = "other",
		[EGPU_USER_DRM] = "drm",
		[EGPU_USER_ACCEL] = "accel",
		[EGPU_USER_SOUND] = "sound",
		[EGPU_USER_I2C] = "i2c",
		[EGPU_USER_AUX] = "aux",
		[EGPU_USER_FB] = "fb",
		[EGPU_USER_BLOCK] = "block",
		[EGPU_USER_IMPORTER] = "importer",
	};

	return NAME_OF(names, kind);
}

const char *egpu_iommu_name(uint32_t iommu)
{
	static const char * const names[] = {
		[EGPU_IOMMU_NONE] = "none",
		[EGPU_IOMMU_IDENTITY] = "identity",
		[EGPU_IOMMU_STRICT] = "strict",
		[EGPU_IOMMU_LAZY] = "lazy",
		[EGPU_IOMMU_OTHER] = "other",
		[EGPU_IOMMU_UNKNOWN] = "unknown",
	};

	return NAME_OF(names, iommu);
}

const char *egpu_check_name(unsigned int bit)
{
	static const char * const names[] = { "config", "bar", "link" };

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}
