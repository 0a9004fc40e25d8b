"""One file a rule: what hurts in a Corefile that CoreDNS takes?"""
