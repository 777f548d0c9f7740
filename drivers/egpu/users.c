// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who uses a GPU: the processes that have a character or block device open
 * whose struct device lies in the sysfs subtree of a gated or managed function,
 * found by device number; and the devices that a managed one's dma-bufs are
 * attached to. Advisory: opens cannot be prevented and closes send no event.
 * What a mapping alone keeps open, and others' dma-bufs, are for user space to
 * find; here it is told at which processes alone it has to look.
 */
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "egpu.h"

#define EGPU_NODES_ROOM	32
#define EGPU_USERS_ROOM	64
#define EGPU_USERS_MAX	65536
#define EGPU_USERS_PAUSES_MAX	8

/**
 * struct egpu_node - a device node of the GPU
 * @devt: device number
 * @block: a block device
 * @kind: enum egpu_user_kind
 * @opens: how often the task looked at has it open
 * @name: the device's name
 */
struct egpu_node {
	dev_t devt;
	bool block;
	u32 kind;
	u32 opens;
	char name[EGPU_NAME_LEN];
};

/**
 * struct egpu_found - an entry of the result
 * @user: as user space sees it
 * @pid: in the initial pid namespace
 */
struct egpu_found {
	struct egpu_user user;
	pid_t pid;
};

/**
 * struct egpu_users - who was found
 * @nr: found, also those that did not fit
 * @room: entries that fit into @found
 * @found: grouped by process
 * @only_own: only processes of the caller's user id
 * @count: called for each open file of a task, raises @opens of nodes
 * @mappings: count what is mapped as well, as suspect
 * @nr_nodes: nodes found, also those that did not fit
 * @nodes_room: entries that fit into @nodes
 * @nodes: what is looked for
 * @importers: devices that dma-bufs of managed functions are attached to
 */
struct egpu_users {
	u32 nr;
	u32 room;
	struct egpu_found *found;
	bool only_own;
	int (*count)(const void *users, struct file *file, unsigned int fd);
	bool mappings;
	u32 nr_nodes;
	u32 nodes_room;
	struct egpu_node *nodes;
	u32 importers;
};

static const struct {
	const char *class;
	enum egpu_user_kind kind;
} egpu_kinds[] = {
	{ "drm", EGPU_USER_DRM },
	{ "accel", EGPU_USER_ACCEL },
	{ "sound", EGPU_USER_SOUND },
	{ "i2c-dev", EGPU_USER_I2C },
	{ "drm_dp_aux_dev", EGPU_USER_AUX },
	{ "cec", EGPU_USER_AUX },
	{ "graphics", EGPU_USER_FB },
	{ "block", EGPU_USER_BLOCK },
};

static enum egpu_user_kind egpu_node_kind(const struct device *dev)
{
	u32 i;

	for (i = 0; dev->class && i < ARRAY_SIZE(egpu_kinds); i++)
		if (!strcmp(dev->class->name, egpu_kinds[i].class))
			return egpu_kinds[i].kind;
	return EGPU_USER_OTHER;
}

/* Recurses as deep as sysfs does, a handful of levels. */
static int egpu_node_collect(struct device *dev, void *data)
{
	struct egpu_users *users = data;
	struct egpu_node *node;

	if (MAJOR(dev->devt) && users->nr_nodes++ < users->nodes_room) {
		node = &users->nodes[users->nr_nodes - 1];
		node->devt = dev->devt;
		node->kind = egpu_node_kind(dev);
		node->block = node->kind == EGPU_USER_BLOCK;
		strscpy(node->name, dev_name(dev), sizeof(node->name));
	}
	return device_for_each_child(dev, data, egpu_node_collect);
}

static int egpu_file_count(const void *data, struct file *file, unsigned int fd)
{
	struct egpu_users *users = (struct egpu_users *)data;
	const struct inode *inode = file_inode(file);
	u32 i;

	if (!S_ISCHR(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return 0;
	if (file->f_mode & FMODE_PATH)
		return 0;
	for (i = 0; i < users->nr_nodes; i++)
		if (users->nodes[i].devt == inode->i_rdev &&
		    users->nodes[i].block == S_ISBLK(inode->i_mode))
			users->nodes[i].opens++;
	return 0;
}

static bool egpu_file_is_suspect(const struct inode *inode)
{
	u32 major;

	if (inode->i_sb->s_magic == SYSFS_MAGIC)
		return S_ISREG(inode->i_mode);
	if (inode->i_sb->s_magic == DMA_BUF_MAGIC)
		return true;
	if (!S_ISCHR(inode->i_mode))
		return false;
	major = imajor(inode);
	return major != MEM_MAJOR && major != TTY_MAJOR &&
	       major != TTYAUX_MAJOR &&
	       (major < UNIX98_PTY_MASTER_MAJOR ||
		major >= UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT);
}

/* There is one node, which stands for all such files. */
static int egpu_file_suspect(const void *data, struct file *file,
			     unsigned int fd)
{
	struct egpu_users *users = (struct egpu_users *)data;

	users->nodes->opens += !(file->f_mode & FMODE_PATH) &&
			       egpu_file_is_suspect(file_inode(file));
	return 0;
}

static void egpu_user_fill(struct egpu_found *found, struct task_struct *leader,
			   const struct egpu_node *node)
{
	struct egpu_user *user = &found->user;

	memset(found, 0, sizeof(*found));
	found->pid = task_tgid_nr(leader);
	user->pid = task_tgid_vnr(leader);
	user->uid = from_kuid_munged(current_user_ns(), task_uid(leader));
	user->start_time = leader->start_boottime;
	user->kind = node->kind;
	user->opens = node->opens;
	user->major = MAJOR(node->devt);
	user->minor = MINOR(node->devt);
	user->block = node->block;
	strscpy(user->comm, leader->comm, sizeof(user->comm));
	memcpy(user->node, node->name, sizeof(user->node));
}

static void egpu_users_add(struct egpu_users *users, struct task_struct *leader)
{
	struct egpu_node *node;
	u32 i;

	for (i = 0; i < users->nr_nodes; i++) {
		node = &users->nodes[i];
		if (!node->opens)
			continue;
		if (users->nr < users->room)
			egpu_user_fill(&users->found[users->nr], leader, node);
		users->nr++;
		node->opens = 0;
	}
}

/*
 * Under task_lock(), which keeps @mm. Whose mappings change just now is a suspect,
 * too: nobody is waited for.
 */
static u32 egpu_mm_suspects(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	u32 nr = 0;

	VMA_ITERATOR(vmi, mm, 0);

	if (!mmap_read_trylock(mm))
		return 1;
	for_each_vma(vmi, vma)
		nr += vma->vm_file &&
		      egpu_file_is_suspect(file_inode(vma->vm_file));
	mmap_read_unlock(mm);
	return nr;
}

static void egpu_users_look_at(struct egpu_users *users,
			       struct task_struct *leader)
{
	bool mapped = !users->mappings;
	struct task_struct *task;

	for_each_thread(leader, task) {
		/* Most share their leader's files, and all its memory. */
		bool shares = task != leader && task->files == leader->files;

		if (shares && mapped)
			continue;
		task_lock(task);
		if (task->files && !shares)
			iterate_fd(task->files, 0, users->count, users);
		if (!mapped && task->mm && !(task->flags & PF_KTHREAD)) {
			users->nodes->opens += egpu_mm_suspects(task->mm);
			mapped = true;
		}
		task_unlock(task);
		egpu_users_add(users, leader);
	}
}

/* Return: false when @leader ended meanwhile, whom nobody follows then. */
static bool egpu_users_pause(struct task_struct *leader)
{
	bool alive;

	get_task_struct(leader);
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
	alive = pid_alive(leader);
	put_task_struct(leader);
	return alive;
}

/* Return: false when it has to begin anew. */
static bool egpu_users_try(struct egpu_users *users, bool pause)
{
	struct task_struct *leader;

	users->nr = 0;
	guard(rcu)();
	for_each_process(leader) {
		if (users->only_own && !uid_eq(task_uid(leader), current_uid()))
			continue;
		egpu_users_look_at(users, leader);
		if (pause && need_resched() && !egpu_users_pause(leader))
			return false;
	}
	return true;
}

/* All of a big machine take milliseconds: others may run meanwhile. */
static void egpu_users_look(struct egpu_users *users)
{
	u32 i = 0;

	while (!egpu_users_try(users, i < EGPU_USERS_PAUSES_MAX))
		i++;
}

/* Nobody knows which process is behind it: it stands there with pid 0. */
static void egpu_users_add_importers(struct egpu_users *users)
{
	struct egpu_user *user;

	if (!users->importers || users->only_own)
		return;
	if (users->nr < users->room) {
		user = &users->found[users->nr].user;
		user->kind = EGPU_USER_IMPORTER;
		user->opens = users->importers;
		strscpy(user->node, "dma-buf", sizeof(user->node));
	}
	users->nr++;
}

static bool egpu_users_is_gated(struct egpu_fn *fn)
{
	return fn->gated || fn->manage_bits;
}

static void egpu_nodes_of(struct egpu_users *users, struct egpu_port *port,
			  bool *failed)
{
	struct egpu_pdevs *gated __free(egpu_pdevs) =
		egpu_fn_snapshot(port, egpu_users_is_gated);
	u32 i;

	*failed |= !gated;
	for (i = 0; gated && i < gated->nr; i++) {
		device_for_each_child(&gated->pdev[i]->dev, users,
				      egpu_node_collect);
		users->importers += egpu_drm_importers(gated->pdev[i]);
	}
}

/* The nodes below a port, and below the ports below it. */
static int egpu_nodes_find(struct egpu_users *users, struct egpu_port *port)
{
	struct egpu_port *child;
	bool failed = false;
	u32 id = 0;

	users->nr_nodes = 0;
	users->importers = 0;
	egpu_nodes_of(users, port, &failed);
	while ((child = egpu_port_next_below(port, id))) {
		id = child->id;
		egpu_nodes_of(users, child, &failed);
		egpu_port_put(child);
	}
	return failed ? -ENOMEM : 0;
}

/* None may be missing: one that is overlooked is a detach that hangs. */
static int egpu_nodes_collect(struct egpu_users *users, struct egpu_port *port)
{
	u32 room = EGPU_NODES_ROOM;
	int ret;

	do {
		kvfree(users->nodes);
		users->nodes = kvcalloc(room, sizeof(*users->nodes),
					GFP_KERNEL);
		if (!users->nodes)
			return -ENOMEM;
		users->nodes_room = room;
		ret = egpu_nodes_find(users, port);
		room = 2 * users->nr_nodes;
	} while (!ret && users->nr_nodes > users->nodes_room);
	return ret;
}

/* Looks again when there were more than had room. */
static int egpu_users_fill(struct egpu_users *users)
{
	u32 room = EGPU_USERS_ROOM;

	for (;;) {
		users->found = kvcalloc(room, sizeof(*users->found),
					GFP_KERNEL);
		if (!users->found)
			return -ENOMEM;
		users->room = room;
		egpu_users_look(users);
		egpu_users_add_importers(users);
		if (users->nr <= room || room == EGPU_USERS_MAX)
			break;
		room = min_t(u32, users->nr * 2, EGPU_USERS_MAX);
		kvfree(users->found);
	}
	users->nr = min(users->nr, users->room);
	return 0;
}

/**
 * egpu_users_find() - look who uses the GPU below a port
 * @port: the port, not locked; with the ports below it
 * @only_own: only processes of the caller's user id
 *
 * Return: the users, or ERR_PTR(-ENOMEM).
 */
struct egpu_users *egpu_users_find(struct egpu_port *port, bool only_own)
{
	struct egpu_users *users __free(egpu_users) = NULL;

	users = kzalloc(sizeof(*users), GFP_KERNEL);
	if (!users || egpu_nodes_collect(users, port))
		return ERR_PTR(-ENOMEM);
	users->only_own = only_own;
	users->count = egpu_file_count;
	if (users->nr_nodes && egpu_users_fill(users))
		return ERR_PTR(-ENOMEM);
	return_ptr(users);
}

/**
 * egpu_users_suspects() - look who has a file open or mapped that may lead to a
 *	GPU
 * @only_own: only processes of the caller's user id
 *
 * Return: an element for each file table or memory that has one, or
 * ERR_PTR(-ENOMEM).
 */
struct egpu_users *egpu_users_suspects(bool only_own)
{
	struct egpu_users *users __free(egpu_users) = NULL;

	users = kzalloc(sizeof(*users), GFP_KERNEL);
	if (!users)
		return ERR_PTR(-ENOMEM);
	users->nodes = kvcalloc(1, sizeof(*users->nodes), GFP_KERNEL);
	users->nr_nodes = 1;
	users->only_own = only_own;
	users->count = egpu_file_suspect;
	users->mappings = true;
	if (!users->nodes || egpu_users_fill(users))
		return ERR_PTR(-ENOMEM);
	return_ptr(users);
}

void egpu_users_free(struct egpu_users *users)
{
	kvfree(users->found);
	kvfree(users->nodes);
	kfree(users);
}

/* Entries: a process stands there once for each node that it has open. */
u32 egpu_users_entries(const struct egpu_users *users)
{
	return users->nr;
}

const struct egpu_user *egpu_users_at(const struct egpu_users *users, u32 i)
{
	return &users->found[i].user;
}

static bool egpu_users_is_accepted(const struct egpu_found *found,
				   const struct egpu_accept *accept)
{
	u32 i;

	for (i = 0; accept && i < accept->nr; i++)
		if (accept->who[i].pid == found->pid &&
		    accept->who[i].start_time == found->user.start_time)
			return true;
	return false;
}

/* Processes that are not in @accept, which may be NULL. */
u32 egpu_users_unaccepted(const struct egpu_users *users,
			  const struct egpu_accept *accept)
{
	u32 count = 0;
	u32 i;

	for (i = 0; i < users->nr; i++) {
		if (i && users->found[i].pid == users->found[i - 1].pid)
			continue;
		count += !egpu_users_is_accepted(&users->found[i], accept);
	}
	return count;
}
