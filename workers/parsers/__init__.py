"""What does this text say? One tool's or one file's text -> evidence. Pure; strict: what is not understood is said."""
