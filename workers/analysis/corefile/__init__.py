"""Would CoreDNS load this Corefile, and what in it will hurt? Judged as the setup of CoreDNS 1.14.7 judges."""
