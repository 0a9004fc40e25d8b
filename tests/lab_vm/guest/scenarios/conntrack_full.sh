# A node whose connection tracking table is full: who notices, and what the kernel says.
pod client 10.1.0
pod server 10.2.0
serve server
iptables -t nat -A POSTROUTING -s 10.1.0.0/24 -j MASQUERADE

part "healthy"
expect "the server answers" get client 10.2.0.2
show sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_buckets
show conntrack -S

part "the table holds 20 entries, and 20 connections are held open"
show sysctl -w net.netfilter.nf_conntrack_max=20
{ late client 10.2.0.2 8 >/run/old; } 2>/dev/null &
sleep 1
for _ in $(seq 20); do hold client 10.2.0.2 80 10; done
sleep 2
show get client 10.2.0.2
show inside client ping -c 3 -W 1 10.2.0.2
expect "a new connection fails" not get client 10.2.0.2
show sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max
show conntrack -C
show conntrack -S
show cat /proc/net/stat/nf_conntrack
show kernel_says ^nf_conntrack
expect "the kernel says so" kernel_says "nf_conntrack: table full, dropping packet"
expect "drops are counted" sh -c 'conntrack -S | grep -qE " drop=[1-9]"'
sleep 6
expect "a connection from before goes on" grep -q "^server$" /run/old

part "room again"
show sysctl -w net.netfilter.nf_conntrack_max=65536
expect "a new connection works" get client 10.2.0.2
show sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max
