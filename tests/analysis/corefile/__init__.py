"""What the Corefile tests share: the conformance cases, the real CoreDNS, and Corefiles made by chance."""
