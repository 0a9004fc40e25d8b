# A slow and a lossy link, as ping and TCP see it.
pod client 10.1.0
pod server 10.2.0
serve server
dd if=/dev/zero of=/www/server/big bs=1024 count=1024 2>/dev/null

fetch() { inside client timeout 40 wget -q -O /dev/null http://10.2.0.2/big; }
average() { sed -n 's|.*= [0-9.]*/\([0-9]*\)[0-9.]*/.*|\1|p' /run/ping; } # milliseconds
lost() { sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p' /run/ping; }
pinged() { inside client ping -q "$@" 10.2.0.2 | tee /run/ping; }
retransmitted() { inside server awk '/^Tcp: [0-9]/ {print $13}' /proc/net/snmp; } # RetransSegs; the server sends the data

part "healthy"
show pinged -c 20 -i 0.05
expect "a ping takes less than 20 ms" [ "$(average)" -lt 20 ]
show took fetch

part "100 ms more on the way to the server"
show tc qdisc add dev v-server root netem delay 100ms
show pinged -c 10 -i 0.2
expect "a ping takes 100 ms or more" [ "$(average)" -ge 100 ]
expect "no ping is lost" [ "$(lost)" = 0 ]
delayed=$(took fetch)
echo "a fetch of 1 MiB took $delayed hundredths of a second"
expect "a fetch of 1 MiB takes half a second or more" [ "$delayed" -ge 50 ]
show tc -s qdisc show dev v-server

part "one packet in five is lost on the way from the server"
show tc qdisc del dev v-server root
show ip netns exec server tc qdisc add dev eth0 root netem loss 20%
before=$(retransmitted)
show pinged -c 100 -i 0.02
expect "pings are lost" [ "$(lost)" -ge 5 ]
show took fetch
echo "TCP sent $(($(retransmitted) - before)) segments again"
expect "TCP sends segments again" [ "$(retransmitted)" -gt "$before" ]
show inside server tc -s qdisc show dev eth0
show inside server cat /proc/net/snmp

part "without netem"
show ip netns exec server tc qdisc del dev eth0 root
show pinged -c 20 -i 0.05
expect "a ping takes less than 20 ms again" [ "$(average)" -lt 20 ]
expect "no ping is lost again" [ "$(lost)" = 0 ]
