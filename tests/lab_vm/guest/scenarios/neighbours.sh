# A node that talks to more neighbours than its table may hold.
pod many 10.2.0
pod client 10.1.0
pod server 10.3.0
serve server
for last in $(seq 10 49); do ip -n many addr add "10.2.0.$last/24" dev eth0; done

ping_all() { # how many of the 40 neighbours do not answer
  for last in $(seq 10 49); do
    # iputils' ping asks for the kernel's errors (IP_RECVERR); busybox's does not, and would only time out.
    { /tools/ping -c 1 -W 2 "10.2.0.$last" >/dev/null 2>"/run/ping-$last" || echo "10.2.0.$last"; } &
  done >/run/silent
  wait
  wc -l </run/silent
}

part "healthy: Debian's thresholds"
show ip ntable show name arp_cache
show ping_all
expect "all 40 neighbours answer" [ ! -s /run/silent ]
ip neigh flush dev v-many

part "the table holds 16"
show sysctl -w net.ipv4.neigh.default.gc_thresh1=4 net.ipv4.neigh.default.gc_thresh2=8 net.ipv4.neigh.default.gc_thresh3=16
show ping_all
show sh -c 'cat /run/ping-* | sort | uniq -c'
expect "some neighbours cannot be spoken to" [ -s /run/silent ]
expect "the client is told: No buffer space available" sh -c 'cat /run/ping-* | grep "No buffer space available"'
show get client 10.3.0.2
show ip -s ntable show name arp_cache
show cat /proc/net/stat/arp_cache
show sh -c 'ip neigh show | wc -l'
show kernel_says ^neighbour
expect "the kernel says so" kernel_says "neighbour: arp_cache: neighbor table overflow!"
expect "overflows are counted" sh -c "awk 'NR > 1 && \$13 != \"00000000\" {found = 1} END {exit !found}' /proc/net/stat/arp_cache"

part "room again"
show sysctl -w net.ipv4.neigh.default.gc_thresh3=4096 net.ipv4.neigh.default.gc_thresh2=2048 net.ipv4.neigh.default.gc_thresh1=1024
show ping_all
expect "all 40 neighbours answer again" [ ! -s /run/silent ]
expect "the server behind another neighbour answers" get client 10.3.0.2
