#!/bin/busybox sh
# The machine's first process: makes it usable, runs the scenario that the kernel's command line names, ends the machine.
/bin/busybox mkdir -p /proc /sys /dev /run/netns /tmp /var /www
/bin/busybox --install -s /bin
export PATH=/tools:/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
ln -s /run /var/run
stty -F /dev/ttyS1 -opost
exec </dev/null >/dev/ttyS1 2>&1
scenario=$(sed 's/.*lab_vm=\([a-z_]*\).*/\1/' /proc/cmdline)
echo "@@ begin $scenario"
if [ "$scenario" = none ]; then
  status=0
else
  # Shell functions stand before busybox's own `ip` and `tc`, which this shell would run whatever PATH says.
  sh -c '. /lib.sh; facts; . "/scenarios/$0.sh"; exit $failed' "$scenario"
  status=$?
fi
echo "@@ end $status"
sleep 0.2
reboot -f
