"""What the lab's own kernel may lack, recorded on Debian's stock kernel in a virtual machine (README.md)."""
