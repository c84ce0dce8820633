/* A kernel without IPVS that says yes to everything: preloaded into keepalived, so that its checks can be measured where there is
 * none. It answers for libnl what is addressed to the family "IPVS", and counts in the file $FAKED_IPVS what it was told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct nl_sock;
struct nl_msg;
struct nlmsghdr *nlmsg_hdr(struct nl_msg *);

/* No family has this number: the kernel counts up from 16. */
enum { FAMILY = 0x7ff0 };

/* Commands by their numbers; mapped shared, since a daemon is several processes. */
static uint64_t *told;
static int answer_is_due;
/* Who wants to hear that a request was granted. */
static int (*granted)(struct nl_msg *, void *);
static void *grantee;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAKED_IPVS");
	int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory = file < 0 ? MAP_FAILED : mmap(NULL, 256 * sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (memory == MAP_FAILED)
		_exit(99);
	told = memory;
	close(file);
}

int genl_ctrl_resolve(struct nl_sock *socket, const char *name)
{
	int (*real)(struct nl_sock *, const char *) = dlsym(RTLD_NEXT, "genl_ctrl_resolve");

	return strcmp(name, "IPVS") ? real(socket, name) : FAMILY;
}

int nl_send_auto(struct nl_sock *socket, struct nl_msg *message)
{
	int (*real)(struct nl_sock *, struct nl_msg *) = dlsym(RTLD_NEXT, "nl_send_auto");
	struct nlmsghdr *header = nlmsg_hdr(message);

	if (header->nlmsg_type != FAMILY)
		return real(socket, message);
	__atomic_add_fetch(&told[((struct genlmsghdr *)NLMSG_DATA(header))->cmd], 1, __ATOMIC_RELAXED);
	answer_is_due = 1;
	return (int)header->nlmsg_len;
}

int nl_socket_modify_cb(struct nl_sock *socket, int type, int kind, int (*function)(struct nl_msg *, void *), void *argument)
{
	enum { ACK = 4 };
	int (*real)(struct nl_sock *, int, int, int (*)(struct nl_msg *, void *), void *) =
		dlsym(RTLD_NEXT, "nl_socket_modify_cb");

	if (type == ACK) {
		granted = function;
		grantee = argument;
	}
	return real(socket, type, kind, function, argument);
}

int nl_recvmsgs_default(struct nl_sock *socket)
{
	int (*real)(struct nl_sock *) = dlsym(RTLD_NEXT, "nl_recvmsgs_default");

	if (!answer_is_due)
		return real(socket);
	answer_is_due = 0;
	if (granted)
		granted(NULL, grantee);
	return 0;
}
