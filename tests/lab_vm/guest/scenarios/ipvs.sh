# What kube-proxy's IPVS mode leaves in the kernel, healthy and broken in five ways.
vip=10.96.0.10
modprobe ip_vs
modprobe ip_vs_rr
pod client 10.1.0
pod a 10.2.0
pod b 10.3.0
serve a
serve b

answers() { [ "$(gets 4 client $vip)" = "$1" ]; }
both=$(printf '2 a\n2 b')

part "healthy: two real servers behind one virtual address, on a dummy device that stays down as kube-proxy's does"
ip link add kube-ipvs0 type dummy
ip addr add $vip/32 dev kube-ipvs0
ipvsadm -A -t $vip:80 -s rr
ipvsadm -a -t $vip:80 -r 10.2.0.2:80 -m -w 1
ipvsadm -a -t $vip:80 -r 10.3.0.2:80 -m -w 1
expect "requests are spread over both servers" answers "$both"
show ip addr show dev kube-ipvs0
show ip route show table local dev kube-ipvs0
show cat /proc/net/ip_vs
show cat /proc/net/ip_vs_conn
sleep 3 # the estimator adds the processors up every two seconds
show cat /proc/net/ip_vs_stats
show ipvsadm -Ln
show ipvsadm -Ln --stats
show ipvsadm -l --timeout
show ipvsadm -Sn
show sysctl net.ipv4.vs.conntrack net.ipv4.vs.expire_nodest_conn net.ipv4.vs.conn_reuse_mode

part "weight 0 on one server: it gets nothing new and keeps what it has"
hold client $vip 80 4
hold client $vip 80 4
sleep 1
ipvsadm -e -t $vip:80 -r 10.3.0.2:80 -m -w 0
expect "new requests go to the other server only" answers "4 a"
show ipvsadm -Ln
show cat /proc/net/ip_vs
expect "the drained server still has its connection" sh -c 'ipvsadm -Ln | grep -q "10.3.0.2:80 *Masq *0 *1 "'

part "weight 0 on all servers"
ipvsadm -e -t $vip:80 -r 10.2.0.2:80 -m -w 0
show gets 4 client $vip
expect "no request is answered" answers "4 (failed)"
show inside client wget -O - http://$vip/
show cat /proc/net/ip_vs
ipvsadm -e -t $vip:80 -r 10.2.0.2:80 -m -w 1
ipvsadm -e -t $vip:80 -r 10.3.0.2:80 -m -w 1
expect "weights of 1 bring both servers back" answers "$both"

part "a real server that is no more (a stale endpoint)"
ipvsadm -a -t $vip:80 -r 10.3.0.77:80 -m -w 1
show gets 6 client $vip
show ipvsadm -Ln
show cat /proc/net/ip_vs_conn
expect "connections to it wait in SYN_RECV" grep -q "0A03004D 0050 SYN_RECV" /proc/net/ip_vs_conn
ipvsadm -d -t $vip:80 -r 10.3.0.77:80
expect "without it every request is answered" answers "$both"

part "the virtual address is gone from kube-ipvs0, while IPVS still has the service"
ip addr del $vip/32 dev kube-ipvs0
show get client $vip
expect "no request is answered any more" answers "4 (failed)"
show ip route get $vip
ip addr add $vip/32 dev kube-ipvs0
expect "the address brings it back" answers "$both"

part "a connection that is silent for longer than IPVS's timeout for TCP"
show ipvsadm --set 3 3 3
show late client $vip 8
expect "it is dead when it speaks again" not sh -c '. /lib.sh; late client 10.96.0.10 8 | grep -q "^[ab]$"'
show ipvsadm --set 900 120 300
expect "with kube-proxy's timeouts it is answered" sh -c '. /lib.sh; late client 10.96.0.10 8 | grep -q "^[ab]$"'
