// SPDX-License-Identifier: GPL-2.0
/*
 * What a function's DMA is like: as JSON, and in words.
 */
#include <string.h>

#include "dma.h"

static bool has_driver(const struct egpu_function *f)
{
	return (f->flags & EGPU_FUNCTION_BOUND) && *f->driver;
}

struct json_object *dma_json(const struct egpu_function *f)
{
	struct json_object *o = json_object_new_object();
	bool managed = f->dma_flags & EGPU_DMA_MANAGED;
	uint32_t kind = egpu_iommu_kind(f);

	put_text(o, "iommu", kind == EGPU_IOMMU_UNKNOWN ? NULL :
						   egpu_iommu_name(kind));
	put(o, "group", f->iommu_group == EGPU_NO_IOMMU_GROUP ? NULL :
	    json_object_new_int64(f->iommu_group));
	put(o, "dma_bits", f->dma_bits ? json_object_new_int64(f->dma_bits) :
					 NULL);
	put_bool(o, "untrusted", f->flags & EGPU_FUNCTION_UNTRUSTED);
	put_bool(o, "bounces", f->dma_flags & EGPU_DMA_BOUNCES);
	put_bool(o, "bus_master", f->dma_flags & EGPU_DMA_MASTER);
	put_bool(o, "managed", managed);
	put_text(o, "revocation", egpu_revocation_name(egpu_revocation(f)));
	put(o, "bo_bytes", managed ?
	    json_object_new_int64((int64_t)f->bo_bytes) : NULL);
	put(o, "mapped_bytes", managed ?
	    json_object_new_int64((int64_t)f->mapped_bytes) : NULL);
	put(o, "mapped_segments", managed ?
	    json_object_new_int64((int64_t)f->mapped_segments) : NULL);
	return o;
}

void dma_iommu_text(const struct egpu_function *f, char *buf, size_t size)
{
	static const char * const words[] = {
		[EGPU_IOMMU_NONE] = "none",
		[EGPU_IOMMU_IDENTITY] = "lets everything through (identity)",
		[EGPU_IOMMU_STRICT] = "translates, strict",
		[EGPU_IOMMU_LAZY] = "translates, lazy",
		[EGPU_IOMMU_OTHER] = "a domain of VFIO's or the like",
		[EGPU_IOMMU_UNKNOWN] = "not known",
	};
	uint32_t kind = egpu_iommu_kind(f);
	char group[24] = "";

	if (f->iommu_group != EGPU_NO_IOMMU_GROUP)
		snprintf(group, sizeof(group), ", group %u", f->iommu_group);
	snprintf(buf, size, "%s%s", kind < ARRAY_SIZE(words) ?
		 words[kind] : "unknown", group);
}

void dma_width_text(const struct egpu_function *f, char *buf, size_t size)
{
	char bits[24] = "width not known";

	if (f->dma_bits)
		snprintf(bits, sizeof(bits), "%u bits", f->dma_bits);
	snprintf(buf, size, "%s, bus mastering %s%s%s", bits,
		 f->dma_flags & EGPU_DMA_MASTER ? "on" : "off",
		 f->dma_flags & EGPU_DMA_BOUNCES ? ", bounce buffers" : "",
		 f->flags & EGPU_FUNCTION_UNTRUSTED ? ", untrusted" : "");
}

const char *dma_revoked_text(const struct egpu_function *f)
{
	switch (egpu_revocation(f)) {
	case EGPU_REVOKED_BY_IOMMU:
		return "by the IOMMU, before it leaves";
	case EGPU_REVOKED_BY_BUS_MASTER:
		return "by switching bus mastering off, before it leaves";
	case EGPU_REVOKED_BY_DRIVER:
		return "by its driver";
	default:
		return NULL;
	}
}

/* Nothing translates. */
static void open_text(const struct egpu_function *f, char *buf, size_t size)
{
	uint32_t kind = egpu_iommu_kind(f);
	const char *who = kind == EGPU_IOMMU_IDENTITY ?
			  "The IOMMU lets it through" :
			  kind == EGPU_IOMMU_NONE ?
			  "Nothing stands between it and memory" :
			  "What stands between it and memory is not known";
	char reach[48] = "everything";

	if (f->dma_bits && f->dma_bits < 64)
		snprintf(reach, sizeof(reach), "all that its %u bits allow",
			 f->dma_bits);
	if (!(f->dma_flags & EGPU_DMA_MASTER))
		snprintf(buf, size, "%s, but its bus mastering is off: it reaches nothing now.",
			 who);
	else if (f->dma_flags & EGPU_DMA_MANAGED)
		snprintf(buf, size, "%s: it can reach %s, mapped or not, and only obedience keeps it off.",
			 who, reach);
	else
		snprintf(buf, size, "%s: it can reach %s; %s keeps it off.",
			 who, reach, has_driver(f) ? "only its driver" :
						     "nobody");
}

static void translated_text(const struct egpu_function *f, char *buf,
			    size_t size)
{
	if (egpu_iommu_kind(f) == EGPU_IOMMU_OTHER)
		snprintf(buf, size, "It reaches what %s gives it, and nothing else.",
			 has_driver(f) ? f->driver : "the owner of its group");
	else if (f->dma_flags & EGPU_DMA_MANAGED)
		snprintf(buf, size, "It reaches what is mapped, and nothing else; unmapping ends that at once.");
	else if (!has_driver(f))
		snprintf(buf, size, "It has no driver: nothing is mapped, so it reaches nothing.");
	else if (egpu_iommu_kind(f) == EGPU_IOMMU_STRICT)
		snprintf(buf, size, "It reaches what %s maps, and nothing else; unmapping ends that at once.",
			 f->driver);
	else
		snprintf(buf, size, "It reaches what %s maps and, for some milliseconds, what was unmapped.",
			 f->driver);
}

void dma_safety(const struct egpu_function *f, char *buf, size_t size)
{
	size_t used;

	if (egpu_translated(f))
		translated_text(f, buf, size);
	else
		open_text(f, buf, size);
	used = strlen(buf);
	if (f->flags & EGPU_FUNCTION_UNTRUSTED)
		snprintf(buf + used, size - used,
			 " Untrusted: what shares a page with its memory is kept from it, and it translates no addresses itself (ATS).");
}

void dma_speed(const struct egpu_function *f, char *buf, size_t size)
{
	bool managed = f->dma_flags & EGPU_DMA_MANAGED;

	if (!egpu_translated(f) && (f->dma_flags & EGPU_DMA_BOUNCES))
		snprintf(buf, size, "Memory above its %u bits is copied (bounce buffers): slow.",
			 f->dma_bits);
	else if (egpu_iommu_kind(f) == EGPU_IOMMU_UNKNOWN)
		snprintf(buf, size, "Not known.");
	else if (!egpu_translated(f))
		snprintf(buf, size, managed ?
			 "Mapping costs nothing; unmapping pauses its bus mastering." :
			 "Mapping and unmapping cost nothing.");
	else if (egpu_iommu_kind(f) == EGPU_IOMMU_OTHER)
		snprintf(buf, size, "As fast as whoever made the domain maps.");
	else if (managed || egpu_iommu_kind(f) == EGPU_IOMMU_STRICT)
		snprintf(buf, size, "Each unmapping waits for the IOMMU: map once, use often.%s",
			 f->dma_flags & EGPU_DMA_BOUNCES ?
			 " Parts of pages are copied (bounce buffers)." : "");
	else
		snprintf(buf, size, "Unmapping is cheap: the IOMMU is told later, of many at once.");
}
