"""One trainer for all systems: a loop, a compiled step, a state that can be saved anywhere."""
