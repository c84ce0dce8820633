#!/bin/sh
# The first process of a machine of User-Mode Linux; $0 is in the folder that `uml::run` made. The machine's root is the
# host's, read-only. Above it comes a layer in memory: programs find all files and may write any, and nothing of it stays.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
folder=${0%/*}

power_off() {
    # stty waits until everything is out
    stty -opost <&1
    perl -e 'syscall(169, 0xfee1dead, 0x28121969, 0x4321fedc, 0)' # reboot(2), LINUX_REBOOT_CMD_POWER_OFF
    sleep 60
}

failed() {
    echo "keepalived-lab: cannot set up the machine: $1"
    echo 125 > /proc/exitcode
    power_off
}

stty -opost <&1
# in the name space of an ordinary user root's files seem to be nobody's, and a set-user-id program would become nobody
cp "$(command -v mount)" /dev/mount && /dev/mount -o remount,nosuid,ro / || failed mount
mount -t proc proc /proc || failed /proc
insmod "/usr/lib/uml/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko" || failed overlay
mount -t tmpfs -o size=75% layer /mnt || failed 'a file system in memory'
mkdir /mnt/files /mnt/work /mnt/root
mount -t overlay -o nosuid,lowerdir=/,upperdir=/mnt/files,workdir=/mnt/work layer /mnt/root || failed 'the layer'
cd /mnt/root && pivot_root . mnt || failed pivot_root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /lib
mount -t devpts -o ptmxmode=666 pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/netns /run/lock
rm -rf /lib/modules
ln -s /usr/lib/uml/modules /lib/modules
umount -l /mnt

modprobe -a ipv6 ip_vs ip_vs_rr ip_vs_wrr ip_vs_lc ip_vs_wlc ip_vs_lblc ip_vs_lblcr ip_vs_dh ip_vs_sh ip_vs_sed ip_vs_nq \
    ip_vs_fo ip_vs_ovf ip_vs_mh ip_vs_pe_sip || failed ip_vs
ip link set lo up

limit=$(cat "$folder/limit")
echo "--- keepalived-lab: here the program starts"
# in a session of its own: init would be the only parent outside of the program's group, and the kernel hangs up on such
# a group when an orphan of it ends while another of its processes is stopped (setpgid(2))
setsid timeout -k 5 "$limit" sh "$folder/command" < /dev/null
status=$?
[ $status = 124 ] && echo "keepalived-lab: not done after $limit seconds"
echo "--- keepalived-lab: here it ended"
echo $status > /proc/exitcode
power_off
