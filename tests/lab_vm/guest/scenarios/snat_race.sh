# Two pods connect from one source port to one server at nearly one time: the node gives both the same port, as neither is
# in the table yet, and drops the one that comes second (insert_failed). Its SYN comes again a second later.
# The window between the choice of a port and the entry is microseconds wide; rules in between make it wide for pod a, so
# that what otherwise happens once in thousands of connections happens each time.
pod a 10.1.0
pod b 10.2.0
pod server 10.3.0
serve server
printf 'GET / HTTP/1.0\r\n\r\n' >/run/request
rounds=6

connect() { # connect POD CPU PORT WHEN: hundredths of a second that one request took, begun at WHEN on that processor
  # busybox's nc takes -p when it listens only; so the kernel is left no other port.
  inside "$1" sysctl -qw net.ipv4.ip_local_port_range="$3 $3"
  inside "$1" taskset "$2" sh -c '
    . /lib.sh
    while read -r up rest </proc/uptime; [ "${up%.*}${up#*.}" -lt '"$4"' ]; do :; done
    nc -w 10 10.3.0.2 80 </run/request >/dev/null
    echo $(($(centiseconds) - '"$4"'))'
}

insert_failed() { conntrack -S | sed -n 's/.* insert_failed=\([0-9]*\).*/\1/p' | awk '{sum += $1} END {print sum}'; }

syns_again() { inside a awk '/^Tcp: [0-9]/ {print $13}' /proc/net/snmp; }

race() { # race SENTENCE FIRST_PORT GAP: so many rounds; b begins GAP hundredths of a second after a
  local before=$(insert_failed) again_before=$(syns_again) round when
  for round in $(seq $rounds); do
    when=$(($(centiseconds) + 80))
    connect a 1 $(($2 + round)) $when >>/run/took.a &
    connect b 2 $(($2 + round)) $((when + $3)) >/dev/null &
    wait
  done
  failed_inserts=$(($(insert_failed) - before)) again=$(($(syns_again) - again_before))
  slow=$(awk '$1 >= 100 {slow++} END {print slow + 0}' /run/took.a)
  echo "$1: insert_failed rose by $failed_inserts in $rounds rounds; pod a sent $again segments again;" \
    "its connections took, in hundredths of a second:" $(cat /run/took.a)
  rm /run/took.a
}

widen() { # widen JUMPS: so many times 1000 rules for a new flow of pod a, after SNAT and before the table
  nft delete table ip wide 2>/dev/null
  {
    echo "table ip wide {"
    echo "  chain thousand {"
    for _ in $(seq 1000); do echo "    ip saddr 192.0.2.1 drop"; done
    echo "  }"
    echo "  chain wide { type filter hook postrouting priority 200; ct state != new accept"
    echo "    ct original ip saddr != 10.1.0.2 accept"
    for _ in $(seq "$1"); do echo "    jump thousand"; done
    echo "  }"
    echo "}"
  } >/run/wide.nft
  nft -f /run/wide.nft
}

iptables -t nat -A POSTROUTING -o v-server -j MASQUERADE
part "as it is"
race "MASQUERADE" 20000 0
show conntrack -S

part "with a wide window"
jumps=250 window=0
while [ $window -lt 30 ] && [ $jumps -lt 100000 ]; do
  jumps=$((jumps * 2))
  widen $jumps
  window=$(took inside a ping -c 1 -W 5 10.3.0.2)
done
echo "$jumps times 1000 rules: a ping takes $window hundredths of a second"
race "MASQUERADE" 21000 10
slow_before=$slow
expect "entries could not be inserted" [ "$failed_inserts" -gt 0 ]
expect "the client sends its SYN again" [ "$again" -gt 0 ]
expect "the client waits for a second or more" [ "$slow" -gt 0 ]
show conntrack -S
show cat /proc/net/stat/nf_conntrack
show inside a cat /proc/net/snmp

part "the same with --random-fully, as kube-proxy writes it"
iptables -t nat -R POSTROUTING 1 -o v-server -j MASQUERADE --random-fully
show iptables -t nat -S POSTROUTING
race "MASQUERADE --random-fully" 22000 10
expect "every entry is inserted" [ "$failed_inserts" = 0 ]
expect "fewer connections wait" [ "$slow" -lt "$slow_before" ]
