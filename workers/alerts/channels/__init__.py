"""The channels over which alerts go out: each knows how to send one message, once, and says when it could not."""
