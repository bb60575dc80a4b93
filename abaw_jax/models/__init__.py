"""One file a system: composition only, of features that someone else computed."""
