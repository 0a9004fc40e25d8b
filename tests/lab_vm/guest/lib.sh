# The words in which scenarios are written.
failed=0
ip() { /tools/ip "$@"; }
tc() { /tools/tc "$@"; }

facts() { # what this was recorded with
  echo "# kernel: $(uname -rv)"
  echo "# tools: $(ip -V), $(iptables -V), $(nft -v), $(ipvsadm --version 2>&1 | head -n 1), $(conntrack --version)"
}

part() { echo "## $*"; } # what the following is about

show() { # show COMMAND...: run it as evidence
  echo "$ $*"
  "$@" 2>&1 || echo "[exit $?]"
}

expect() { # expect SENTENCE COMMAND...: the sentence holds when the command succeeds
  local sentence=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "ok - $sentence"; else echo "not ok - $sentence"; failed=1; fi
}

not() { ! "$@"; }

kernel_says() { dmesg | sed 's/^\[[ 0-9.]*\] //' | grep "$@"; }

pod() { # pod NAME NET: a network namespace with the address NET.2, behind the node's NET.1 on v-NAME
  ip netns add "$1"
  ip link add "v-$1" type veth peer name eth0 netns "$1"
  ip addr add "$2.1/24" dev "v-$1"
  ip link set "v-$1" up
  ip -n "$1" addr add "$2.2/24" dev eth0
  ip -n "$1" link set lo up
  ip -n "$1" link set eth0 up
  ip -n "$1" route add default via "$2.1"
  sysctl -qw net.ipv4.ip_forward=1
}

inside() { # inside POD COMMAND...
  ip netns exec "$@"
}

serve() { # serve POD: an HTTP server on port 80 that answers with the pod's name
  mkdir -p "/www/$1"
  echo "$1" >"/www/$1/index.html"
  inside "$1" httpd -p 80 -h "/www/$1"
}

get() { # get POD ADDRESS: the page, within three seconds
  inside "$1" timeout 3 wget -q -O - "http://$2/"
}

gets() { # gets COUNT POD ADDRESS: what so many gets answered, counted
  local count=$1
  shift
  for _ in $(seq "$count"); do get "$@" 2>/dev/null || echo "(failed)"; done | sort | uniq -c | sed 's/^ *//'
}

hold() { # hold POD ADDRESS PORT SECONDS: a connection that says nothing for so long; returns at once
  inside "$1" sh -c "sleep $4 | nc $2 $3 >/dev/null 2>&1" &
}

late() { # late POD ADDRESS SECONDS: what is answered to a request whose second half comes so much later
  inside "$1" sh -c "{ printf 'GET / HTTP/1.0\r\n'; sleep $3; printf '\r\n'; } | timeout $(($3 + 4)) nc $2 80"
}

centiseconds() { # since the machine started
  local up rest
  read -r up rest </proc/uptime
  echo "${up%.*}${up#*.}"
}

took() { # took COMMAND...: hundredths of a second it took
  local begun
  begun=$(centiseconds)
  "$@" >/dev/null 2>&1
  echo $(($(centiseconds) - begun))
}
