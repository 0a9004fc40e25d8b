"""Which plugins and options did CoreDNS know once, since when does it refuse them, and what took their place?

That CoreDNS 1.14.7 refuses or ignores them was tried with the binary. Since when is said for orientation only and was
not checked against release notes: no judgement hangs on it.
"""

PLUGINS = {
    "proxy": "CoreDNS 1.5.0 removed it: write `forward` with the same upstreams",
    "federation": "CoreDNS 1.7.0 removed it, as Kubernetes removed federation v1: delete the line",
    "reverse": "CoreDNS 1.3.0 removed it: write `template`",
    "startup": "it became `on startup`",
    "shutdown": "it became `on shutdown`",
    "multicluster": "it is no plugin of CoreDNS: the kubernetes plugin has an option multicluster",
}
OPTIONS = {
    ("kubernetes", "upstream"): "CoreDNS 1.7.0 removed it: CNAMEs are resolved by the server itself; delete the line",
    ("kubernetes", "resyncperiod"): "CoreDNS 1.7.0 removed it: nothing is listed anew; delete the line",
    ("kubernetes", "transfer"): "CoreDNS 1.8.0 removed it: use the plugin transfer",
    ("file", "transfer"): "CoreDNS 1.8.0 removed it: use the plugin transfer",
    ("auto", "transfer"): "CoreDNS 1.8.0 removed it: use the plugin transfer",
    ("file", "no_reload"): "CoreDNS 1.5.0 removed it: write `reload 0`",
    ("auto", "no_reload"): "CoreDNS 1.5.0 removed it: write `reload 0`",
    ("hosts", "upstream"): "CoreDNS removed it: the line would be read as a line of the hosts file",
}
IGNORED = {
    ("file", "upstream"): "CoreDNS takes it and ignores it since 1.5.0",
    ("auto", "upstream"): "CoreDNS takes it and ignores it since 1.5.0",
    ("template", "upstream"): "CoreDNS takes it and ignores it since 1.5.0",
}
