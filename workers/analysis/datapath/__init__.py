"""Where does this packet go on this node? Rules, what they match, what they do, and the walk through them."""
