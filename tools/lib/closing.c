// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which uses hold remove() itself back, so that neither --allow nor --force can
 * get past them without a hang. Each row says where that was read.
 */
#include <string.h>

#include "internal.h"

static const struct {
	const char *driver;	/* NULL: any */
	uint32_t kinds;
	const char *what;
} closings[] = {
	/*
	 * open-gpu-kernel-modules, kernel-open/nvidia/nv-pci.c,
	 * nv_pci_remove(): "Attempting to remove device ... with non-zero
	 * usage count!", then it sleeps until that is zero. It does not for what
	 * it takes for an external GPU, which cannot be told from here.
	 */
	{ "nvidia", EGPU_HOLDS_NODE(EGPU_USER_DRM) | EGPU_HOLDS_NVIDIA |
	  EGPU_HOLDS_MAPPING, "nvidia" },
	/* sound/core/init.c, snd_card_free(): waits until all files are closed */
	{ NULL, EGPU_HOLDS_NODE(EGPU_USER_SOUND), "the sound driver" },
	/* drivers/i2c/i2c-core-base.c, i2c_del_adapter(): waits for dev_released */
	{ NULL, EGPU_HOLDS_NODE(EGPU_USER_I2C), "the i2c adapter" },
	/* drivers/vfio/vfio_main.c, vfio_unregister_group_dev(): waits for users */
	{ NULL, EGPU_HOLDS_VFIO, "vfio" },
};

const char *egpu_must_close(const struct egpu_process *process,
			    const char *driver)
{
	size_t i;

	for (i = 0; i < sizeof(closings) / sizeof(closings[0]); i++)
		if ((process->kinds & closings[i].kinds) &&
		    (!closings[i].driver ||
		     (driver && !strcmp(driver, closings[i].driver))))
			return closings[i].what;
	return NULL;
}
