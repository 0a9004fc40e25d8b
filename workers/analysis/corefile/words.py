"""Which record types, classes and answer codes does CoreDNS know by name, and which plugins, in which order?

Types, classes and codes: github.com/miekg/dns v1.1.72. Plugins: plugin.cfg of CoreDNS 1.14.7; setup runs in this order.
"""

TYPES = frozenset({
    "A", "AAAA", "AFSDB", "AMTRELAY", "ANY", "APL", "ATMA", "AVC", "AXFR", "CAA", "CDNSKEY", "CDS", "CERT", "CNAME",
    "CSYNC", "DHCID", "DLV", "DNAME", "DNSKEY", "DS", "EID", "EUI48", "EUI64", "GID", "GPOS", "HINFO", "HIP",
    "HTTPS", "IPSECKEY", "ISDN", "IXFR", "KEY", "KX", "L32", "L64", "LOC", "LP", "MAILA", "MAILB", "MB", "MD", "MF",
    "MG", "MINFO", "MR", "MX", "NAPTR", "NID", "NIMLOC", "NINFO", "NS", "NSAP-PTR", "NSEC", "NSEC3", "NSEC3PARAM",
    "NULL", "NXNAME", "NXT", "None", "OPENPGPKEY", "OPT", "PTR", "PX", "RESINFO", "RKEY", "RP", "RRSIG", "RT",
    "Reserved", "SIG", "SMIMEA", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TA", "TALINK", "TKEY", "TLSA", "TSIG",
    "TXT", "UID", "UINFO", "UNSPEC", "URI", "X25", "ZONEMD",
})  # fmt: skip
CLASSES = frozenset({"IN", "CS", "CH", "HS", "NONE", "ANY"})
RCODES = frozenset({
    "BADALG", "BADCOOKIE", "BADKEY", "BADMODE", "BADNAME", "BADSIG", "BADTIME", "BADTRUNC", "DSOTYPENI", "FORMERR",
    "NOERROR", "NOTAUTH", "NOTIMP", "NOTIMPL", "NOTZONE", "NXDOMAIN", "NXRRSET", "REFUSED", "SERVFAIL", "YXDOMAIN",
    "YXRRSET",
})  # fmt: skip
PLUGINS = (
    "root", "metadata", "geoip", "cancel", "proxyproto", "quic", "grpc_server", "https", "https3", "timeouts",
    "multisocket", "reload", "nsid", "bufsize", "bind", "debug", "trace", "ready", "health", "pprof", "shed",
    "prometheus", "errors", "log", "dnstap", "local", "dns64", "any", "chaos", "loadbalance", "tsig", "rewrite",
    "autopath", "acl", "cache", "header", "dnssec", "tls", "minimal", "template", "transfer", "hosts", "route53",
    "azure", "clouddns", "k8s_external", "kubernetes", "file", "auto", "secondary", "etcd", "loop", "forward",
    "grpc", "erratic", "whoami", "on", "sign", "view", "nomad",
)  # fmt: skip
